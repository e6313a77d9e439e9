#include "protocol/packets.hpp"

#include <algorithm>
#include <cstring>

#include "protocol/header.hpp"

namespace replicator {

namespace {

constexpr std::size_t algorithm_bytes = 64;  // on the wire, NUL included

Status require(ConstBytes payload, std::size_t bytes, const char* what) {
  return payload.size() == bytes ? Status() : Status(Fault::protocol_error, what);
}

// A NUL-terminated name in a field of exactly `field` bytes.
Result<std::string> read_name(ConstBytes field) {
  const auto* begin = reinterpret_cast<const char*>(field.data());
  const auto* end = static_cast<const char*>(std::memchr(begin, 0, field.size()));
  if (end == nullptr) return failure(Fault::protocol_error, "algorithm name: no end");
  return std::string(begin, end);
}

void write_name(Bytes field, const std::string& name) {
  fill_bytes(field, std::byte{0});
  const std::size_t length = std::min(name.size(), field.size() - 1);
  std::memcpy(field.data(), name.data(), length);
}

bool block_sized(std::uint32_t bytes, std::uint32_t most) {
  return bytes != 0 && bytes % sector_bytes == 0 && bytes <= most;
}

}  // namespace

std::size_t encode(const ConnectionFeatures& value, Bytes out) {
  fill_bytes(out.first(connection_features_bytes), std::byte{0});
  write_be32(out, 0, value.version_min);
  write_be32(out, 4, value.flags);
  write_be32(out, 8, value.version_max);
  return connection_features_bytes;
}

Result<ConnectionFeatures> decode_connection_features(ConstBytes payload) {
  const Status length = require(payload, connection_features_bytes, "features: bad length");
  if (!length.ok()) return tl::unexpected(length);
  ConnectionFeatures value;
  value.version_min = read_be32(payload, 0);
  value.flags = read_be32(payload, 4);
  value.version_max = read_be32(payload, 8);
  return value;
}

std::size_t encode(const ProtocolOptions& value, int agreed_version, Bytes out) {
  write_be32(out, 0, value.protocol);
  write_be32(out, 4, value.after_sb_0pri);
  write_be32(out, 8, value.after_sb_1pri);
  write_be32(out, 12, value.after_sb_2pri);
  write_be32(out, 16, value.connection_flags);
  write_be32(out, 20, value.two_primaries);
  if (agreed_version < 87) return protocol_fixed_bytes;
  const std::size_t length = std::min(value.integrity_alg.size(), algorithm_bytes - 1);
  write_name(out.subspan(protocol_fixed_bytes, length + 1), value.integrity_alg);
  return protocol_fixed_bytes + length + 1;
}

std::size_t encode(const ProtocolOptions& value, Bytes out) {
  return encode(value, protocol_version_max, out);
}

Result<ProtocolOptions> decode_protocol_options(ConstBytes payload) {
  if (payload.size() < protocol_fixed_bytes ||
      payload.size() > protocol_fixed_bytes + algorithm_bytes) {
    return failure(Fault::protocol_error, "protocol: bad length");
  }
  ProtocolOptions value;
  value.protocol = read_be32(payload, 0);
  value.after_sb_0pri = read_be32(payload, 4);
  value.after_sb_1pri = read_be32(payload, 8);
  value.after_sb_2pri = read_be32(payload, 12);
  value.connection_flags = read_be32(payload, 16);
  value.two_primaries = read_be32(payload, 20);
  if (payload.size() == protocol_fixed_bytes) return value;  // apv 86 sends no name
  const Result<std::string> name = read_name(payload.subspan(protocol_fixed_bytes));
  if (!name) return tl::unexpected(name.error());
  value.integrity_alg = *name;
  return value;
}

std::size_t encode(const SyncParam& value, int agreed_version, Bytes out) {
  write_be32(out, 0, value.resync_rate);
  if (agreed_version <= 87) return 4;
  if (agreed_version == 88) {
    const std::size_t length = std::min(value.verify_alg.size(), algorithm_bytes - 1);
    write_name(out.subspan(4, length + 1), value.verify_alg);
    return 4 + length + 1;
  }
  write_name(out.subspan(4, algorithm_bytes), value.verify_alg);
  write_name(out.subspan(68, algorithm_bytes), value.csums_alg);
  if (agreed_version <= 94) return 132;
  write_be32(out, 132, value.c_plan_ahead);
  write_be32(out, 136, value.c_delay_target);
  write_be32(out, 140, value.c_fill_target);
  write_be32(out, 144, value.c_max_rate);
  return 148;
}

Result<SyncParam> decode_sync_param(ConstBytes payload, int agreed_version) {
  SyncParam value;
  const bool fits = agreed_version <= 87   ? payload.size() == 4
                    : agreed_version == 88 ? payload.size() >= 5 && payload.size() <= 68
                    : agreed_version <= 94 ? payload.size() == 132
                                           : payload.size() == 148;
  if (!fits) return failure(Fault::protocol_error, "sync parameters: bad length");
  value.resync_rate = read_be32(payload, 0);
  if (agreed_version <= 87) return value;
  const ConstBytes verify =
      agreed_version == 88 ? payload.subspan(4) : payload.subspan(4, algorithm_bytes);
  const Result<std::string> verify_alg = read_name(verify);
  if (!verify_alg) return tl::unexpected(verify_alg.error());
  value.verify_alg = *verify_alg;
  if (agreed_version == 88) return value;
  const Result<std::string> csums_alg = read_name(payload.subspan(68, algorithm_bytes));
  if (!csums_alg) return tl::unexpected(csums_alg.error());
  value.csums_alg = *csums_alg;
  if (agreed_version <= 94) return value;
  value.c_plan_ahead = read_be32(payload, 132);
  value.c_delay_target = read_be32(payload, 136);
  value.c_fill_target = read_be32(payload, 140);
  value.c_max_rate = read_be32(payload, 144);
  return value;
}

std::size_t encode(const Sizes& value, Bytes out) {
  write_be64(out, 0, value.disk_sectors);
  write_be64(out, 8, value.user_sectors);
  write_be64(out, 16, value.current_sectors);
  write_be32(out, 24, value.max_bio_bytes);
  write_be16(out, 28, value.queue_order_type);
  write_be16(out, 30, value.dds_flags);
  if (!value.queue_limits) return sizes_bytes;
  const QueueLimits& limits = *value.queue_limits;
  write_be32(out, 32, limits.physical_block_size);
  write_be32(out, 36, limits.logical_block_size);
  write_be32(out, 40, limits.alignment_offset);
  write_be32(out, 44, limits.io_min);
  write_be32(out, 48, limits.io_opt);
  out[52] = static_cast<std::byte>(limits.discard_enabled);
  out[53] = static_cast<std::byte>(limits.discard_zeroes_data);
  out[54] = static_cast<std::byte>(limits.write_same_capable);
  out[55] = std::byte{0};
  return sizes_with_limits_bytes;
}

Result<Sizes> decode_sizes(ConstBytes payload) {
  if (payload.size() != sizes_bytes && payload.size() != sizes_with_limits_bytes) {
    return failure(Fault::protocol_error, "sizes: bad length");
  }
  Sizes value;
  value.disk_sectors = read_be64(payload, 0);
  value.user_sectors = read_be64(payload, 8);
  value.current_sectors = read_be64(payload, 16);
  value.max_bio_bytes = read_be32(payload, 24);
  value.queue_order_type = read_be16(payload, 28);
  value.dds_flags = read_be16(payload, 30);
  constexpr std::uint64_t sectors_max = 1ULL << 51U;
  if (value.disk_sectors > sectors_max || value.user_sectors > sectors_max ||
      value.current_sectors > sectors_max) {
    return failure(Fault::protocol_error, "sizes: beyond the largest device");
  }
  if (payload.size() == sizes_bytes) return value;
  QueueLimits limits;
  limits.physical_block_size = read_be32(payload, 32);
  limits.logical_block_size = read_be32(payload, 36);
  limits.alignment_offset = read_be32(payload, 40);
  limits.io_min = read_be32(payload, 44);
  limits.io_opt = read_be32(payload, 48);
  limits.discard_enabled = static_cast<std::uint8_t>(payload[52]);
  limits.discard_zeroes_data = static_cast<std::uint8_t>(payload[53]);
  limits.write_same_capable = static_cast<std::uint8_t>(payload[54]);
  value.queue_limits = limits;
  return value;
}

std::size_t encode(const Uuids& value, Bytes out) {
  write_be64(out, 0, value.current);
  write_be64(out, 8, value.bitmap);
  write_be64(out, 16, value.history[0]);
  write_be64(out, 24, value.history[1]);
  write_be64(out, 32, value.dirty_bits);
  write_be64(out, 40, value.flags);
  return uuids_bytes;
}

Result<Uuids> decode_uuids(ConstBytes payload) {
  const Status length = require(payload, uuids_bytes, "uuids: bad length");
  if (!length.ok()) return tl::unexpected(length);
  Uuids value;
  value.current = read_be64(payload, 0);
  value.bitmap = read_be64(payload, 8);
  value.history[0] = read_be64(payload, 16);
  value.history[1] = read_be64(payload, 24);
  value.dirty_bits = read_be64(payload, 32);
  value.flags = read_be64(payload, 40);
  return value;
}

std::size_t encode(const StateWord& value, Bytes out) {
  write_be32(out, 0, value.state);
  return 4;
}

Result<StateWord> decode_state_word(ConstBytes payload) {
  const Status length = require(payload, 4, "state: bad length");
  if (!length.ok()) return tl::unexpected(length);
  return StateWord{read_be32(payload, 0)};
}

std::size_t encode(const SyncUuid& value, Bytes out) {
  write_be64(out, 0, value.uuid);
  return 8;
}

Result<SyncUuid> decode_sync_uuid(ConstBytes payload) {
  const Status length = require(payload, 8, "sync uuid: bad length");
  if (!length.ok()) return tl::unexpected(length);
  return SyncUuid{read_be64(payload, 0)};
}

std::size_t encode(const StateChangeRequest& value, Bytes out) {
  write_be32(out, 0, value.mask);
  write_be32(out, 4, value.value);
  return 8;
}

Result<StateChangeRequest> decode_state_change_request(ConstBytes payload) {
  const Status length = require(payload, 8, "state change request: bad length");
  if (!length.ok()) return tl::unexpected(length);
  return StateChangeRequest{read_be32(payload, 0), read_be32(payload, 4)};
}

std::size_t encode(const StateChangeReply& value, Bytes out) {
  write_be32(out, 0, static_cast<std::uint32_t>(value.code));
  return 4;
}

Result<StateChangeReply> decode_state_change_reply(ConstBytes payload) {
  const Status length = require(payload, 4, "state change reply: bad length");
  if (!length.ok()) return tl::unexpected(length);
  return StateChangeReply{static_cast<std::int32_t>(read_be32(payload, 0))};
}

std::size_t encode(const DelayProbe& value, Bytes out) {
  write_be32(out, 0, value.sequence);
  write_be32(out, 4, value.offset_us);
  return 8;
}

Result<DelayProbe> decode_delay_probe(ConstBytes payload) {
  const Status length = require(payload, 8, "delay probe: bad length");
  if (!length.ok()) return tl::unexpected(length);
  return DelayProbe{read_be32(payload, 0), read_be32(payload, 4)};
}

std::size_t encode(const RangeHeader& value, Bytes out) {
  encode(value.data, out);
  write_be32(out, data_header_bytes, value.bytes);
  return range_header_bytes;
}

Result<RangeHeader> decode_range_header(ConstBytes payload) {
  if (payload.size() < range_header_bytes) {
    return failure(Fault::protocol_error, "range: too short");
  }
  const Result<DataHeader> data = decode_data_header(payload);
  if (!data) return tl::unexpected(data.error());
  RangeHeader value;
  value.data = *data;
  value.bytes = read_be32(payload, data_header_bytes);
  if (!block_sized(value.bytes, range_bytes_max)) {
    return failure(Fault::protocol_error, "range: bad size");
  }
  return value;
}

std::size_t encode(const BlockRequest& value, Bytes out) {
  write_be64(out, 0, value.sector.value());
  write_native(out, 8, value.block_id);
  write_be32(out, 16, value.bytes);
  write_be32(out, 20, 0);
  return block_request_bytes;
}

Result<BlockRequest> decode_block_request(ConstBytes payload) {
  if (payload.size() < block_request_bytes) {
    return failure(Fault::protocol_error, "block request: too short");
  }
  BlockRequest value;
  value.sector = Sector(read_be64(payload, 0));
  value.block_id = read_native<std::uint64_t>(payload, 8);
  value.bytes = read_be32(payload, 16);
  if (!block_sized(value.bytes, data_bytes_max)) {
    return failure(Fault::protocol_error, "block request: bad size");
  }
  return value;
}

std::size_t encode(const BlockDescriptor& value, Bytes out) {
  write_be64(out, 0, value.sector.value());
  write_be32(out, 8, value.bytes);
  write_be32(out, 12, 0);
  return block_descriptor_bytes;
}

Result<BlockDescriptor> decode_block_descriptor(ConstBytes payload) {
  const Status length = require(payload, block_descriptor_bytes, "block descriptor: bad length");
  if (!length.ok()) return tl::unexpected(length);
  BlockDescriptor value;
  value.sector = Sector(read_be64(payload, 0));
  value.bytes = read_be32(payload, 8);
  if (!block_sized(value.bytes, range_bytes_max)) {
    return failure(Fault::protocol_error, "block descriptor: bad size");
  }
  return value;
}

std::size_t encode(const Barrier& value, Bytes out) {
  write_native(out, 0, value.number);
  write_be32(out, 4, 0);
  return barrier_bytes;
}

Result<Barrier> decode_barrier(ConstBytes payload) {
  const Status length = require(payload, barrier_bytes, "barrier: bad length");
  if (!length.ok()) return tl::unexpected(length);
  return Barrier{read_native<std::uint32_t>(payload, 0)};
}

std::size_t encode(const BarrierAck& value, Bytes out) {
  write_native(out, 0, value.number);
  write_be32(out, 4, value.set_size);
  return barrier_bytes;
}

Result<BarrierAck> decode_barrier_ack(ConstBytes payload) {
  const Status length = require(payload, barrier_bytes, "barrier ack: bad length");
  if (!length.ok()) return tl::unexpected(length);
  return BarrierAck{read_native<std::uint32_t>(payload, 0), read_be32(payload, 4)};
}

Result<ByteRange> checked_range(Sector sector, std::uint32_t bytes, ByteCount device) {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  if (bytes == 0 || bytes % sector_bytes != 0 ||
      !checked_mul(sector.value(), sector_bytes, begin) || !checked_add(begin, bytes, end) ||
      end > device.value()) {
    return failure(Fault::protocol_error, "range beyond the device");
  }
  return ByteRange(ByteOffset(begin), ByteCount(bytes));
}

}  // namespace replicator
