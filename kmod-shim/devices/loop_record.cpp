#include "devices/loop_record.hpp"

#include <dirent.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"

namespace replicator::shim {

namespace {

constexpr const char* folder = "/run/pollux/loop";

template <class Name>
std::string path_of(const Name& minor) {
  return fmt::format("{}/{}", folder, minor);
}

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
struct CloseFolder {
  void operator()(DIR* open) const noexcept { closedir(open); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

std::vector<std::string> records() {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseFolder> open(opendir(folder));
  if (open == nullptr) return names;
  while (const dirent* entry = readdir(open.get()))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  return names;
}

bool read_record(const std::string& path, LoopDevice& loop) {
  const File file(std::fopen(path.c_str(), "re"));
  return file != nullptr &&
         std::fscanf(file.get(), "%" SCNu32 " %" SCNu64, &loop.number, &loop.sequence) == 2;
}

// Before its loop device may become a stranger's disk.
void remove_stale_node(const std::string& minor, const LoopDevice& loop) {
  const std::string node = "/dev/drbd" + minor;
  struct stat looked = {};
  if (lstat(node.c_str(), &looked) == 0 && S_ISBLK(looked.st_mode) &&
      looked.st_rdev == device_number(loop))
    unlink(node.c_str());
}

}  // namespace

Status remember_loop(std::uint32_t minor, const LoopDevice& loop) {
  for (const char* path : {"/run/pollux", folder})
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
      return Status(Fault::io_error, "mkdir /run/pollux/loop", errno);
  const File file(std::fopen(path_of(minor).c_str(), "we"));
  if (file == nullptr ||
      std::fputs(fmt::format("{} {}\n", loop.number, loop.sequence).c_str(), file.get()) == EOF)
    return Status(Fault::io_error, "/run/pollux/loop", errno);
  return Status();
}

void forget_loop(std::uint32_t minor) noexcept { unlink(path_of(minor).c_str()); }

void release_stale_loops() {
  for (const std::string& minor : records()) {
    LoopDevice loop;
    if (read_record(path_of(minor), loop)) {
      remove_stale_node(minor, loop);
      const Status released = detach_loop_when_unused(loop);
      if (!released.ok())
        log::warning("loop{} of an earlier daemon stays: {} (errno {})", loop.number,
                     released.where(), released.error_number());
    }
    unlink(path_of(minor).c_str());
  }
}

}  // namespace replicator::shim
