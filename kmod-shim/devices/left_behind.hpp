// The devices of one driver that a daemon that was killed has left behind: their users wait for a
// server. What is of no use any more is let go. Waits for the driver: never on the reactor's
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "devices/device_record.hpp"

namespace replicator::shim {

// What becomes of a device that a record names.
enum class Fate : std::uint8_t {
  not_ours,  // or gone
  waits,     // for a server; its users wait with it
  useless,
};

class LeftBehind {
 public:
  explicit LeftBehind(const DeviceRecords& records) noexcept : records_(records) {}
  virtual ~LeftBehind() = default;

  // For people.
  [[nodiscard]] virtual std::string name(const DeviceRecord& record) const = 0;
  virtual Fate look_at(const DeviceRecord& record) = 0;
  // Its users see errors.
  virtual void end(const DeviceRecord& record) = 0;

  // Those that waited. Where this driver is not used, they have ended.
  std::vector<DeviceRecord> sort_out(bool used);
  // The one that the volume takes over, when it has the minor. Another one of that minor ends.
  std::optional<DeviceRecord> waiting_for(std::uint32_t minor, std::string_view volume);
  // Those of a resource.
  void give_up(std::string_view resource);

 private:
  void forget(const DeviceRecord& record, Fate fate);

  const DeviceRecords& records_;
};

}  // namespace replicator::shim
