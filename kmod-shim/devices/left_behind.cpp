#include "devices/left_behind.hpp"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

namespace replicator::shim {

namespace {

// Numbers of devices are used again: /dev/drbdN must not lead to the next one that has this one's.
void remove_node(std::uint32_t minor, const std::string& driver_name) noexcept {
  const std::string node = fmt::format("/dev/drbd{}", minor);
  struct stat ours = {};
  struct stat drivers = {};
  if (stat(node.c_str(), &ours) == 0 && stat(("/dev/" + driver_name).c_str(), &drivers) == 0 &&
      S_ISBLK(ours.st_mode) && ours.st_rdev == drivers.st_rdev)
    unlink(node.c_str());
}

}  // namespace

void LeftBehind::forget(const DeviceRecord& record, Fate fate) {
  if (fate != Fate::not_ours) {
    remove_node(record.minor, name(record));
    end(record);
  }
  records_.remove(record.minor);
}

std::vector<DeviceRecord> LeftBehind::sort_out(bool used) {
  std::vector<DeviceRecord> waiting;
  for (const DeviceRecord& record : records_.all()) {
    const Fate fate = look_at(record);
    if (fate == Fate::waits) waiting.push_back(record);
    if (fate != Fate::waits || !used) forget(record, fate);
  }
  return waiting;
}

std::optional<DeviceRecord> LeftBehind::waiting_for(std::uint32_t minor, std::string_view volume) {
  std::optional<DeviceRecord> record = records_.read(minor);
  if (!record) return record;
  const Fate fate = look_at(*record);
  if (fate == Fate::waits && record->volume == volume) return record;
  forget(*record, fate);
  return std::nullopt;
}

void LeftBehind::give_up(std::string_view resource) {
  for (const DeviceRecord& record : records_.all()) {
    const std::string_view volume = record.volume;
    if (volume.substr(0, volume.rfind('-')) == resource) forget(record, look_at(record));
  }
}

}  // namespace replicator::shim
