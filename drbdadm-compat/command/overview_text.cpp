#include "command/overview_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "command/status_text.hpp"
#include "control/proc_drbd.hpp"

namespace replicator::command {
namespace {

// "20G", "1.5G", "172M": as `df -h`, which rounds up.
std::string size_text(std::uint64_t bytes) {
  constexpr std::string_view units = "BKMGTPE";
  std::size_t unit = 0;
  double value = static_cast<double>(bytes);
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  const auto up = [](double number) {
    const auto whole = static_cast<std::uint64_t>(number);
    return whole + (number > static_cast<double>(whole) ? 1 : 0);
  };
  if (unit == 0) return std::to_string(bytes);
  if (value < 9.95) {
    const std::uint64_t tenths = up(value * 10);
    return fmt::format("{}.{}{}", tenths / 10, tenths % 10, units[unit]);
  }
  return fmt::format("{}{}", up(value), units[unit]);
}

std::string mount_text(const MountFacts& mount) {
  const std::uint64_t seen = mount.used_bytes + mount.free_bytes;
  const std::uint64_t percent = seen == 0 ? 0 : (mount.used_bytes * 100 + seen - 1) / seen;
  return fmt::format(" {} {} {} {} {} {}%", mount.point, mount.type, size_text(mount.total_bytes),
                     size_text(mount.used_bytes), size_text(mount.free_bytes), percent);
}

struct Line {
  std::uint32_t minor;
  std::string text;
};

std::string line_text(const ResourceStatus& resource, const VolumeStatus& volume,
                      const std::map<std::uint32_t, MountFacts>& mounts) {
  const VolumeState& state = volume.state;
  std::string text = fmt::format("{:3}:{}/{}  ", volume.minor, resource.name, volume.volume);
  if (unconfigured(state)) return text + "Unconfigured . .\n";
  text += fmt::format("{} {}/{} {}/{}", name(state.connection), name(state.role),
                      name(state.peer_role), name(state.disk), name(state.peer_disk));
  const auto mount = mounts.find(volume.minor);
  if (mount != mounts.end()) text += mount_text(mount->second);
  text += '\n';
  if (!volume.progress.active) return text;
  const std::uint32_t permil = control::done_permil(volume.progress);
  const std::uint32_t places = std::min(permil / 50, 20U);
  return text + fmt::format(
                    "\t[{:=<{}}>{:.<{}}] {}:{:3}.{}% ({}/{})K\n", "", places > 0 ? places - 1 : 0,
                    "", 20 - places, volume.progress.verify ? "verified" : "sync'ed", permil / 10,
                    permil % 10, volume.progress.left_blocks * 4, volume.progress.total_blocks * 4);
}

}  // namespace

std::string overview_text(const std::vector<ResourceStatus>& resources,
                          const std::map<std::uint32_t, MountFacts>& mounts) {
  std::vector<Line> lines;
  for (const ResourceStatus& resource : resources) {
    for (const VolumeStatus& volume : resource.volumes)
      lines.push_back({volume.minor, line_text(resource, volume, mounts)});
  }
  std::sort(lines.begin(), lines.end(),
            [](const Line& a, const Line& b) { return a.minor < b.minor; });
  std::string text;
  for (const Line& line : lines)
    text += line.text;
  return text;
}

}  // namespace replicator::command
