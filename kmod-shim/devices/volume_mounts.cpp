#include "devices/volume_mounts.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.hpp"
#include "fuse/kernel_mount.hpp"

namespace replicator::shim {

namespace {

const std::string folder = "/run/pollux/volumes";
constexpr std::uint32_t largest_write = 256U << 10U;
constexpr std::uint32_t buffers = 12;
// As many as two devices that stand still have requests in their queues (64 MiB).
constexpr std::uint32_t buffers_max = 256;

std::string path_of(const std::string& volume) { return folder + "/" + volume; }

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  DIR* const open = opendir(path.c_str());
  if (open == nullptr) return names;
  while (const dirent* entry = readdir(open))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  closedir(open);
  return names;
}

}  // namespace

std::unique_ptr<ReceiveBuffers> buffers_of_volumes() {
  return receive_buffers(buffers, largest_write);
}

DirectoryOptions volume_mount(const VolumeMounts& mounts, const std::string& volume) {
  DirectoryOptions options;
  options.path = path_of(volume);
  options.largest_write = largest_write;
  options.receive_buffers_max = buffers_max;
  options.shared_buffers = &mounts.buffers;
  return options;
}

bool fuse_offered() noexcept {
  const FileDescriptor opened(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  return static_cast<bool>(opened);
}

std::string kept_name(const std::string& volume) { return "fuse " + volume; }

Status keep_mount(keeper::Client& keeper, const std::string& volume, const Directory& served) {
  return keeper.keep(kept_name(volume), served.first_request(), served.descriptor());
}

void remove_mount(keeper::Client& keeper, const std::string& volume) {
  unmount_at_once(path_of(volume));
  keeper.forget(kept_name(volume));
  rmdir(path_of(volume).c_str());
}

void let_go(keeper::Client& keeper, const LoopRecord& record) {
  // First: what waits for the loop device waits no longer.
  if (!record.volume.empty()) remove_mount(keeper, record.volume);
  release_loop(record);
}

bool waits(keeper::Client& keeper, const LoopRecord& record) {
  return !record.outdated && !record.volume.empty() && is_there(record.loop) &&
         keeper.fetch(kept_name(record.volume)).has_value();
}

std::vector<LoopRecord> sort_out_loops(keeper::Client& keeper, bool wanted) {
  unmount_at_once(folder);  // all volumes of a daemon that had one mount for them
  std::vector<LoopRecord> waiting;
  for (const LoopRecord& record : read_loop_records()) {
    const bool users_wait = waits(keeper, record);
    if (users_wait && wanted) {
      waiting.push_back(record);
      continue;
    }
    if (users_wait)
      log::error("drbd{}: this daemon has no devices by FUSE, the users of loop{} see errors",
                 record.minor, record.loop.number);
    let_go(keeper, record);
  }
  for (const std::string& volume : names_in(folder)) {
    const bool waited_for =
        std::any_of(waiting.begin(), waiting.end(),
                    [&volume](const LoopRecord& each) { return each.volume == volume; });
    if (!waited_for) remove_mount(keeper, volume);
  }
  return waiting;
}

}  // namespace replicator::shim
