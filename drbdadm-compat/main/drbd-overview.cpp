// drbd-overview: one line for each device, with what is mounted from it.
#include <mntent.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "command/overview_text.hpp"
#include "control/client.hpp"
#include "control/codes.hpp"
#include "control/status_json.hpp"

namespace {

using namespace replicator;

constexpr int exit_fatal = 20;
constexpr std::uint32_t patience_ms = 10'000;

// Device number to the first place where it is mounted.
std::map<dev_t, command::MountFacts> mounted() {
  std::map<dev_t, command::MountFacts> found;
  std::FILE* table = ::setmntent("/proc/self/mounts", "r");
  if (table == nullptr) return found;
  while (const mntent* entry = ::getmntent(table)) {
    struct stat source{};
    if (entry->mnt_fsname[0] != '/' || ::stat(entry->mnt_fsname, &source) != 0 ||
        !S_ISBLK(source.st_mode)) {
      continue;
    }
    struct statvfs space{};
    command::MountFacts facts{entry->mnt_dir, entry->mnt_type, 0, 0, 0};
    if (::statvfs(entry->mnt_dir, &space) == 0) {
      facts.total_bytes = std::uint64_t{space.f_blocks} * space.f_frsize;
      facts.used_bytes = std::uint64_t{space.f_blocks - space.f_bfree} * space.f_frsize;
      facts.free_bytes = std::uint64_t{space.f_bavail} * space.f_frsize;
    }
    found.try_emplace(source.st_rdev, std::move(facts));
  }
  ::endmntent(table);
  return found;
}

std::map<std::uint32_t, command::MountFacts> mounts_of(
    const std::vector<ResourceStatus>& resources) {
  const std::map<dev_t, command::MountFacts> all = mounted();
  std::map<std::uint32_t, command::MountFacts> found;
  for (const ResourceStatus& resource : resources) {
    for (const VolumeStatus& volume : resource.volumes) {
      struct stat device{};
      const std::string path = "/dev/drbd" + std::to_string(volume.minor);
      if (::stat(path.c_str(), &device) != 0 || !S_ISBLK(device.st_mode)) continue;
      const auto at = all.find(device.st_rdev);
      if (at != all.end()) found.emplace(volume.minor, at->second);
    }
  }
  return found;
}

}  // namespace

int main() {
  control::Request request;
  request.command = "status";
  request.object = "all";
  const Result<control::Reply> reply = control::Client().call(request, patience_ms);
  if (!reply && reply.error().fault() == Fault::not_found) return 0;  // nothing is configured
  if (!reply || !control::is_success(reply->code)) {
    std::fputs("drbd-overview: polluxd gives no answer; only root may ask\n", stderr);
    return exit_fatal;
  }
  const Result<std::vector<ResourceStatus>> resources = control::decode_status(reply->data);
  if (!resources) {
    std::fputs("drbd-overview: no proper answer from polluxd\n", stderr);
    return exit_fatal;
  }
  std::fputs(command::overview_text(*resources, mounts_of(*resources)).c_str(), stdout);
  return 0;
}
