#include "devices/driver_node.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstdio>
#include <memory>

namespace replicator::shim {

namespace {

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

// The kernel makes the node in its own /dev; a private /dev of a namespace may lack it, or have an
// old one of that name.
Result<FileDescriptor> open_node(const std::string& path, mode_t kind, dev_t number, int flags) {
  struct stat looked = {};
  const bool there = stat(path.c_str(), &looked) == 0 && (looked.st_mode & S_IFMT) == kind &&
                     looked.st_rdev == number;
  if (!there) {
    unlink(path.c_str());
    if (mknod(path.c_str(), kind | 0600, number) != 0 && errno != EEXIST)
      return failure(Fault::io_error, "mknod", errno);
  }
  FileDescriptor node(open(path.c_str(), flags | O_CLOEXEC));
  if (node) return node;
  return failure(errno == EBUSY ? Fault::busy : Fault::io_error, "open a device", errno);
}

}  // namespace

Result<FileDescriptor> open_character_node(const std::string& path, std::uint64_t number,
                                           int flags) {
  return open_node(path, S_IFCHR, number, flags);
}

Result<FileDescriptor> open_block_node(const std::string& path, std::uint64_t number, int flags) {
  return open_node(path, S_IFBLK, number, flags);
}

bool is_rotational(const std::string& path) {
  struct stat looked = {};
  if (path.empty() || stat(path.c_str(), &looked) != 0) return false;
  const dev_t disk = S_ISBLK(looked.st_mode) ? looked.st_rdev : looked.st_dev;
  // A partition has no queue of its own, the disk above it has.
  for (const char* const queue : {"queue", "../queue"}) {
    const std::string file =
        fmt::format("/sys/dev/block/{}:{}/{}/rotational", major(disk), minor(disk), queue);
    const std::unique_ptr<std::FILE, CloseFile> open(std::fopen(file.c_str(), "re"));
    if (open != nullptr) return std::fgetc(open.get()) == '1';
  }
  return false;
}

}  // namespace replicator::shim
