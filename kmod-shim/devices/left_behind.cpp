#include "devices/left_behind.hpp"

namespace replicator::shim {

void LeftBehind::forget(const DeviceRecord& record, Fate fate) {
  if (fate != Fate::not_ours) end(record);
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
