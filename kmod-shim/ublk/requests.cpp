#include "ublk/requests.hpp"

#include <algorithm>
#include <bit>

#include "error_number.hpp"

namespace replicator::shim::ublk {

namespace {

constexpr unsigned sector_shift = 9;
constexpr std::uint64_t sectors_max = INT64_MAX >> sector_shift;
constexpr std::uint64_t page_bytes = 4096;
constexpr std::uint64_t needed =
    feature_user_recovery | feature_reissue | feature_encoded_commands | feature_user_copy;

std::uint8_t shift_of(std::uint64_t bytes) noexcept {
  return static_cast<std::uint8_t>(std::bit_width(bytes) - 1);
}

}  // namespace

bool serves_us(std::uint64_t features) noexcept { return (features & needed) == needed; }

std::uint64_t device_flags(std::uint64_t features, bool survives) noexcept {
  const std::uint64_t always = feature_encoded_commands | feature_user_copy;
  const std::uint64_t welcome = feature_update_size | feature_safe_stop | feature_no_partition_scan;
  const std::uint64_t recovery = survives ? feature_user_recovery | feature_reissue : 0;
  return always | recovery | (features & welcome);
}

Parameters parameters(const io::BlockLimits& limits, bool rotational) noexcept {
  const std::uint32_t largest = std::min(limits.maximum_bytes, request_bytes_max);
  const std::uint32_t preferred = std::max(limits.preferred_bytes, limits.block_bytes);
  Parameters set;
  set.types = parameters_basic | parameters_discard;
  set.attributes = attribute_volatile_cache | attribute_force_unit_access;
  if (rotational) set.attributes |= attribute_rotational;
  set.logical_block_shift = shift_of(limits.block_bytes);
  set.physical_block_shift = shift_of(preferred);
  set.minimum_io_shift = shift_of(preferred);
  set.optimal_io_shift = shift_of(largest);
  set.request_sectors_max = largest >> sector_shift;
  set.device_sectors = limits.size.value() >> sector_shift;
  set.discard_granularity = preferred;
  set.discard_sectors_max = zeroed_bytes_max >> sector_shift;
  set.write_zeroes_sectors_max = zeroed_bytes_max >> sector_shift;
  set.discard_segments_max = 1;
  return set;
}

Action interpret(const Descriptor& request) noexcept {
  Action action;
  const std::uint32_t operation = request.operation_and_flags & operation_mask;
  if (operation == operation_flush) {
    action.kind = Action::Kind::flush;
    return action;
  }
  if (request.first_sector > sectors_max - request.sectors) return action;
  const std::uint64_t bytes = std::uint64_t{request.sectors} << sector_shift;
  const bool moves_data = operation == operation_read || operation == operation_write;
  if (bytes == 0 || (moves_data && bytes > request_bytes_max)) return action;
  action.range = ByteRange(ByteOffset(request.first_sector << sector_shift), ByteCount(bytes));
  action.force_unit_access = (request.operation_and_flags & flag_force_unit_access) != 0;
  action.may_unmap = (request.operation_and_flags & flag_no_unmap) == 0;
  switch (operation) {
    case operation_read: action.kind = Action::Kind::read; break;
    case operation_write: action.kind = Action::Kind::write; break;
    case operation_discard: action.kind = Action::Kind::discard; break;
    case operation_write_zeroes: action.kind = Action::Kind::write_zeroes; break;
    default: break;
  }
  return action;
}

std::int32_t answer(const Action& action, const Status& status) noexcept {
  if (!status.ok()) return -error_number(status);
  const bool moves_data = action.kind == Action::Kind::read || action.kind == Action::Kind::write;
  return moves_data ? static_cast<std::int32_t>(action.range.length.value()) : 0;
}

std::uint64_t data_position(std::uint16_t queue, std::uint16_t tag) noexcept {
  return data_begin + (std::uint64_t{tag} << data_tag_shift) +
         (std::uint64_t{queue} << data_queue_shift);
}

std::uint64_t descriptors_bytes(std::uint16_t depth) noexcept {
  return (depth * sizeof(Descriptor) + page_bytes - 1) / page_bytes * page_bytes;
}

std::uint64_t descriptors_position(std::uint16_t queue) noexcept {
  return queue * descriptors_bytes(depth_max);
}

}  // namespace replicator::shim::ublk
