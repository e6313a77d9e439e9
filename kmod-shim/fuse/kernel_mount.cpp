#include "fuse/kernel_mount.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace replicator::shim {

namespace {

constexpr int stacked_mounts_max = 16;

Status make_directories(const std::string& path) {
  for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    if (mkdir(path.substr(0, at).c_str(), 0755) != 0 && errno != EEXIST)
      return Status(Fault::io_error, "mkdir", errno);
    if (at == std::string::npos) return Status();
  }
}

}  // namespace

void unmount_at_once(const std::string& path) noexcept {
  for (int i = 0; i < stacked_mounts_max; ++i)
    if (umount2(path.c_str(), MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW) != 0) return;
}

Result<int> mount_fuse(const std::string& path, bool for_everybody) {
  unmount_at_once(path);
  const Status made = make_directories(path);
  if (!made.ok()) return tl::unexpected(made);
  const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return failure(Fault::unsupported, "/dev/fuse", errno);
  const std::string options = fmt::format("fd={},rootmode=40555,user_id=0,group_id=0{}", fd,
                                          for_everybody ? ",allow_other" : "");
  if (mount("pollux", path.c_str(), "fuse.pollux", MS_NOSUID | MS_NODEV | MS_NOEXEC,
            options.c_str()) != 0) {
    const int error = errno;
    close(fd);
    return failure(Fault::io_error, "mount fuse", error);
  }
  return fd;
}

}  // namespace replicator::shim
