// What is decided about a ublk device and its requests. Pure.
//
// Keeps P4: what comes out of the memory that is shared with the kernel is read once and checked
// here; the volume checks the range against its size again.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "base/units.hpp"
#include "io/block_device.hpp"
#include "ublk/driver_interface.hpp"

namespace replicator::shim::ublk {

// Of one read or write. More would be faster for nobody and holds more of the buffers at once.
inline constexpr std::uint32_t request_bytes_max = 512U << 10U;
// Of one discard or write of zeroes as the kernel asks; and of the pieces in which it is done, an
// activity log extent, so that a long one takes its turns with writes.
inline constexpr std::uint32_t zeroed_bytes_max = 256U << 20U;
inline constexpr std::uint64_t zeroed_bytes_step = extent_bytes;

// Whether the driver has what is needed, of its features.
bool serves_us(std::uint64_t features) noexcept;
// The flags of a new device; `survives`: its users wait for another server when ours dies, instead
// of seeing errors.
std::uint64_t device_flags(std::uint64_t features, bool survives) noexcept;

// What the kernel is told about a volume.
Parameters parameters(const io::BlockLimits& limits, bool rotational) noexcept;

struct Action {
  enum class Kind : std::uint8_t { read, write, flush, discard, write_zeroes, unknown };
  Kind kind = Kind::unknown;
  ByteRange range;
  bool force_unit_access = false;
  bool may_unmap = false;
};
// Kind::unknown also for ranges that no request can have.
Action interpret(const Descriptor& request) noexcept;

// The answer to the kernel: bytes moved, or -errno.
std::int32_t answer(const Action& action, const Status& status) noexcept;

// Where the data of a request is found in the character device.
std::uint64_t data_position(std::uint16_t queue, std::uint16_t tag) noexcept;
// The memory in which the driver describes a queue's requests, in the same device.
std::uint64_t descriptors_position(std::uint16_t queue) noexcept;
std::uint64_t descriptors_bytes(std::uint16_t depth) noexcept;

}  // namespace replicator::shim::ublk
