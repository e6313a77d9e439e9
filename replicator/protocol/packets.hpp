// Payloads of all packets as plain values: encode() writes the fixed part and returns its size,
// decode_…() validates (P1, P4) and never trusts a number. block_id and barrier numbers are opaque:
// kept in native order and echoed bit-exact. Normative: docs/protocol.md#packets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/units.hpp"
#include "protocol/header.hpp"
#include "protocol/states.hpp"

namespace replicator {

inline constexpr std::uint64_t syncer_block_id = ~0ULL;

// dp_flags of data packets.
inline constexpr std::uint32_t dp_rw_sync = 2;
inline constexpr std::uint32_t dp_may_set_in_sync = 4;
inline constexpr std::uint32_t dp_fua = 16;
inline constexpr std::uint32_t dp_flush = 32;
inline constexpr std::uint32_t dp_discard = 64;
inline constexpr std::uint32_t dp_send_receive_ack = 128;
inline constexpr std::uint32_t dp_send_write_ack = 256;
inline constexpr std::uint32_t dp_wsame = 512;
inline constexpr std::uint32_t dp_zeroes = 1024;

// Sizes of fixed parts, in bytes.
inline constexpr std::size_t connection_features_bytes = 72;
inline constexpr std::size_t protocol_fixed_bytes = 24;
inline constexpr std::size_t uuids_bytes = 48;
inline constexpr std::size_t sizes_bytes = 32;
inline constexpr std::size_t sizes_with_limits_bytes = 56;
inline constexpr std::size_t data_header_bytes = 24;
inline constexpr std::size_t range_header_bytes = 28;
inline constexpr std::size_t block_request_bytes = 24;
inline constexpr std::size_t block_ack_bytes = 24;
inline constexpr std::size_t block_descriptor_bytes = 16;
inline constexpr std::size_t barrier_bytes = 8;
inline constexpr std::size_t challenge_bytes = 64;

struct ConnectionFeatures {
  std::uint32_t version_min = 0;
  std::uint32_t flags = 0;
  std::uint32_t version_max = 0;
};
std::size_t encode(const ConnectionFeatures& value, Bytes out);
Result<ConnectionFeatures> decode_connection_features(ConstBytes payload);

inline constexpr std::uint32_t connection_flag_discard_my_data = 1;
inline constexpr std::uint32_t connection_flag_dry_run = 2;

// P_PROTOCOL, P_PROTOCOL_UPDATE.
struct ProtocolOptions {
  std::uint32_t protocol = 0;  // 1 A, 2 B, 3 C
  std::uint32_t after_sb_0pri = 0;
  std::uint32_t after_sb_1pri = 0;
  std::uint32_t after_sb_2pri = 0;
  std::uint32_t connection_flags = 0;
  std::uint32_t two_primaries = 0;
  std::string integrity_alg;  // at most 63 characters
};
std::size_t encode(const ProtocolOptions& value, Bytes out);
// Before 87 without the name.
std::size_t encode(const ProtocolOptions& value, int agreed_version, Bytes out);
Result<ProtocolOptions> decode_protocol_options(ConstBytes payload);

// P_SYNC_PARAM and P_SYNC_PARAM89; the layout depends on the agreed version.
struct SyncParam {
  std::uint32_t resync_rate = 0;  // KiB/s
  std::string verify_alg;
  std::string csums_alg;
  std::uint32_t c_plan_ahead = 0;    // 0.1 s
  std::uint32_t c_delay_target = 0;  // 0.1 s
  std::uint32_t c_fill_target = 0;   // sectors
  std::uint32_t c_max_rate = 0;      // KiB/s
};
std::size_t encode(const SyncParam& value, int agreed_version, Bytes out);
Result<SyncParam> decode_sync_param(ConstBytes payload, int agreed_version);

struct QueueLimits {
  std::uint32_t physical_block_size = 0;
  std::uint32_t logical_block_size = 0;
  std::uint32_t alignment_offset = 0;
  std::uint32_t io_min = 0;
  std::uint32_t io_opt = 0;
  std::uint8_t discard_enabled = 0;
  std::uint8_t discard_zeroes_data = 0;
  std::uint8_t write_same_capable = 0;
};
inline constexpr std::uint16_t dds_flag_forced = 1;
inline constexpr std::uint16_t dds_flag_no_resync = 2;
struct Sizes {
  std::uint64_t disk_sectors = 0;     // d_size
  std::uint64_t user_sectors = 0;     // u_size
  std::uint64_t current_sectors = 0;  // c_size; 0 asks for an answer
  std::uint32_t max_bio_bytes = 0;
  std::uint16_t queue_order_type = 0;
  std::uint16_t dds_flags = 0;
  std::optional<QueueLimits> queue_limits;  // iff WSAME was agreed
};
std::size_t encode(const Sizes& value, Bytes out);
Result<Sizes> decode_sizes(ConstBytes payload);

inline constexpr std::uint64_t uuid_flag_discard_my_data = 1;
inline constexpr std::uint64_t uuid_flag_crashed_primary = 2;
inline constexpr std::uint64_t uuid_flag_inconsistent = 4;
inline constexpr std::uint64_t uuid_flag_skip_initial_sync = 8;

struct Uuids {
  std::uint64_t current = 0;
  std::uint64_t bitmap = 0;
  std::uint64_t history[2] = {0, 0};
  std::uint64_t dirty_bits = 0;
  std::uint64_t flags = 0;
};
std::size_t encode(const Uuids& value, Bytes out);
Result<Uuids> decode_uuids(ConstBytes payload);

struct StateWord {
  std::uint32_t state = 0;
};
std::size_t encode(const StateWord& value, Bytes out);
Result<StateWord> decode_state_word(ConstBytes payload);

struct SyncUuid {
  std::uint64_t uuid = 0;
};
std::size_t encode(const SyncUuid& value, Bytes out);
Result<SyncUuid> decode_sync_uuid(ConstBytes payload);

struct StateChangeRequest {
  std::uint32_t mask = 0;
  std::uint32_t value = 0;
};
std::size_t encode(const StateChangeRequest& value, Bytes out);
Result<StateChangeRequest> decode_state_change_request(ConstBytes payload);

struct StateChangeReply {
  std::int32_t code = 0;
};
std::size_t encode(const StateChangeReply& value, Bytes out);
Result<StateChangeReply> decode_state_change_reply(ConstBytes payload);

struct DelayProbe {
  std::uint32_t sequence = 0;
  std::uint32_t offset_us = 0;
};
std::size_t encode(const DelayProbe& value, Bytes out);
Result<DelayProbe> decode_delay_probe(ConstBytes payload);

// P_DATA, P_DATA_REPLY, P_RS_DATA_REPLY.
struct DataHeader {
  Sector sector;
  std::uint64_t block_id = 0;
  std::uint32_t seq_num = 0;
  std::uint32_t flags = 0;
};
inline std::size_t encode(const DataHeader& value, Bytes out) {
  write_be64(out, 0, value.sector.value());
  write_native(out, 8, value.block_id);
  write_be32(out, 16, value.seq_num);
  write_be32(out, 20, value.flags);
  return data_header_bytes;
}
inline Result<DataHeader> decode_data_header(ConstBytes payload) {
  if (payload.size() < data_header_bytes) return failure(Fault::protocol_error, "data: too short");
  DataHeader value;
  value.sector = Sector(read_be64(payload, 0));
  value.block_id = read_native<std::uint64_t>(payload, 8);
  value.seq_num = read_be32(payload, 16);
  value.flags = read_be32(payload, 20);
  return value;
}

// P_TRIM, P_ZEROES, P_WSAME.
struct RangeHeader {
  DataHeader data;
  std::uint32_t bytes = 0;
};
std::size_t encode(const RangeHeader& value, Bytes out);
Result<RangeHeader> decode_range_header(ConstBytes payload);

// P_DATA_REQUEST, P_RS_DATA_REQUEST, P_RS_THIN_REQ, P_OV_REQUEST, P_OV_REPLY, P_CSUM_RS_REQUEST.
struct BlockRequest {
  Sector sector;
  std::uint64_t block_id = 0;
  std::uint32_t bytes = 0;
};
std::size_t encode(const BlockRequest& value, Bytes out);
Result<BlockRequest> decode_block_request(ConstBytes payload);

// All 24-byte packets of the meta socket.
struct BlockAck {
  Sector sector;
  std::uint64_t block_id = 0;
  std::uint32_t bytes = 0;
  std::uint32_t seq_num = 0;
};
inline std::size_t encode(const BlockAck& value, Bytes out) {
  write_be64(out, 0, value.sector.value());
  write_native(out, 8, value.block_id);
  write_be32(out, 16, value.bytes);
  write_be32(out, 20, value.seq_num);
  return block_ack_bytes;
}
inline Result<BlockAck> decode_block_ack(ConstBytes payload) {
  if (payload.size() != block_ack_bytes) return failure(Fault::protocol_error, "ack: bad length");
  BlockAck value;
  value.sector = Sector(read_be64(payload, 0));
  value.block_id = read_native<std::uint64_t>(payload, 8);
  value.bytes = read_be32(payload, 16);
  value.seq_num = read_be32(payload, 20);
  return value;
}

// P_OUT_OF_SYNC, P_RS_DEALLOCATED.
struct BlockDescriptor {
  Sector sector;
  std::uint32_t bytes = 0;
};
std::size_t encode(const BlockDescriptor& value, Bytes out);
Result<BlockDescriptor> decode_block_descriptor(ConstBytes payload);

struct Barrier {
  std::uint32_t number = 0;  // opaque
};
std::size_t encode(const Barrier& value, Bytes out);
Result<Barrier> decode_barrier(ConstBytes payload);

struct BarrierAck {
  std::uint32_t number = 0;  // opaque, echoed
  std::uint32_t set_size = 0;
};
std::size_t encode(const BarrierAck& value, Bytes out);
Result<BarrierAck> decode_barrier_ack(ConstBytes payload);

// P4: the range lies within the device; 64-bit arithmetic. Fault::protocol_error otherwise.
Result<ByteRange> checked_range(Sector sector, std::uint32_t bytes, ByteCount device);

}  // namespace replicator
