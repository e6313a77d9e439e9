// Commands to the ublk driver. They wait for the driver, and START for the requests of a partition
// scan that the reactor must answer: never called on the reactor's thread.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "ublk/driver_interface.hpp"

namespace replicator::shim::ublk {

// Results are 0 or -errno.
class Control {
 public:
  virtual ~Control() = default;

  std::int32_t features(std::uint64_t& features);
  // `info` becomes what was made of it, with the device's number.
  std::int32_t add(DeviceInfo& info);
  std::int32_t set(std::uint32_t id, Parameters parameters);
  std::int32_t get(std::uint32_t id, Parameters& parameters);
  std::int32_t info(std::uint32_t id, DeviceInfo& info);
  // Both wait until all requests of all queues were fetched once.
  std::int32_t start(std::uint32_t id);
  std::int32_t end_recovery(std::uint32_t id);
  // -EBUSY while the server before is not gone, or the device has not come to rest.
  std::int32_t start_recovery(std::uint32_t id);
  // The disk is gone; whoever has it open sees errors.
  std::int32_t stop(std::uint32_t id);
  // -EBUSY while somebody has it open. Only with feature_safe_stop.
  std::int32_t stop_if_unused(std::uint32_t id);
  // Of a stopped device; the rest of it goes when the last opener does.
  std::int32_t remove(std::uint32_t id);
  std::int32_t update_size(std::uint32_t id, std::uint64_t sectors);

 protected:
  virtual std::int32_t issue(std::uint32_t operation, ControlCommand command) = 0;
};

// /dev/ublk-control. Each command has a ring of its own: there are a handful in the life of a
// device, and several threads may give them at once.
class DriverControl final : public Control {
 protected:
  std::int32_t issue(std::uint32_t operation, ControlCommand command) override;
};

// The driver's features; Fault::unsupported with the reason when there is none that can serve us.
Result<std::uint64_t> offered_features(Control& control);

}  // namespace replicator::shim::ublk
