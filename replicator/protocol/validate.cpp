#include "protocol/validate.hpp"

#include <span>

#include "protocol/packets.hpp"

namespace replicator {

namespace {

// What may follow the fixed part.
enum class Tail : std::uint8_t {
  none,
  name,
  digest,
  data,
  digest_and_data,
  bitmap,
  code,
  challenge
};

struct Rule {
  Packet packet;
  Socket socket;
  std::uint16_t fixed;
  Tail tail;
};

constexpr Rule rules[] = {
    {Packet::data, Socket::data, 24, Tail::digest_and_data},
    {Packet::data_reply, Socket::data, 24, Tail::digest_and_data},
    {Packet::rs_data_reply, Socket::data, 24, Tail::digest_and_data},
    {Packet::barrier, Socket::data, 8, Tail::none},
    {Packet::bitmap, Socket::data, 0, Tail::bitmap},
    {Packet::compressed_bitmap, Socket::data, 1, Tail::code},
    {Packet::unplug_remote, Socket::data, 0, Tail::none},
    {Packet::data_request, Socket::data, 24, Tail::none},
    {Packet::rs_data_request, Socket::data, 24, Tail::none},
    {Packet::rs_thin_req, Socket::data, 24, Tail::none},
    {Packet::csum_rs_request, Socket::data, 24, Tail::digest},
    {Packet::ov_request, Socket::data, 24, Tail::none},
    {Packet::ov_reply, Socket::data, 24, Tail::digest},
    {Packet::sync_param, Socket::data, 4, Tail::name},
    {Packet::protocol, Socket::data, 24, Tail::name},
    {Packet::protocol_update, Socket::data, 24, Tail::name},
    {Packet::uuids, Socket::data, 48, Tail::none},
    {Packet::state, Socket::data, 4, Tail::none},
    {Packet::sync_uuid, Socket::data, 8, Tail::none},
    {Packet::auth_challenge, Socket::data, 64, Tail::challenge},
    {Packet::auth_response, Socket::data, 0, Tail::digest},
    {Packet::state_chg_req, Socket::data, 8, Tail::none},
    {Packet::conn_st_chg_req, Socket::data, 8, Tail::none},
    {Packet::delay_probe, Socket::data, 8, Tail::none},
    {Packet::out_of_sync, Socket::data, 16, Tail::none},
    {Packet::rs_deallocated, Socket::data, 16, Tail::none},
    {Packet::trim, Socket::data, 28, Tail::none},
    {Packet::zeroes, Socket::data, 28, Tail::none},
    {Packet::connection_features, Socket::data, 72, Tail::none},
    {Packet::ping, Socket::meta, 0, Tail::none},
    {Packet::ping_ack, Socket::meta, 0, Tail::none},
    {Packet::recv_ack, Socket::meta, 24, Tail::none},
    {Packet::write_ack, Socket::meta, 24, Tail::none},
    {Packet::rs_write_ack, Socket::meta, 24, Tail::none},
    {Packet::superseded, Socket::meta, 24, Tail::none},
    {Packet::neg_ack, Socket::meta, 24, Tail::none},
    {Packet::neg_dreply, Socket::meta, 24, Tail::none},
    {Packet::neg_rs_dreply, Socket::meta, 24, Tail::none},
    {Packet::barrier_ack, Socket::meta, 8, Tail::none},
    {Packet::state_chg_reply, Socket::meta, 4, Tail::none},
    {Packet::ov_result, Socket::meta, 24, Tail::none},
    {Packet::rs_is_in_sync, Socket::meta, 24, Tail::none},
    {Packet::delay_probe, Socket::meta, 8, Tail::none},
    {Packet::rs_cancel, Socket::meta, 24, Tail::none},
    {Packet::conn_st_chg_reply, Socket::meta, 4, Tail::none},
    {Packet::retry_write, Socket::meta, 24, Tail::none},
};

std::uint32_t tail_max(Tail tail, int agreed_version) {
  const auto bitmap =
      static_cast<std::uint32_t>(bitmap_packet_bytes_max - header_bytes(agreed_version));
  switch (tail) {
    case Tail::none: return 0;
    case Tail::name: return 64;
    case Tail::digest: return digest_bytes_max;
    case Tail::data: return data_bytes_max;
    case Tail::digest_and_data: return data_bytes_max + digest_bytes_max;
    case Tail::bitmap: return bitmap;
    case Tail::code: return bitmap - 1;
    case Tail::challenge: return 64;
  }
  return 0;
}

}  // namespace

Status check_length(Packet command, Socket socket, std::uint32_t length, int agreed_version,
                    std::uint32_t agreed_features) noexcept {
  if (command == Packet::sizes && socket == Socket::data) {
    const bool limits = (agreed_features & feature_wsame) != 0;
    return length == (limits ? sizes_with_limits_bytes : sizes_bytes)
               ? Status()
               : Status(Fault::protocol_error, "P_SIZES: bad length");
  }
  if (command == Packet::sync_param89 && socket == Socket::data) {
    return length == (agreed_version >= 95 ? 148U : 132U)
               ? Status()
               : Status(Fault::protocol_error, "P_SYNC_PARAM89: bad length");
  }
  for (const Rule& rule : rules) {
    if (rule.packet != command || rule.socket != socket) continue;
    if (length < rule.fixed || length - rule.fixed > tail_max(rule.tail, agreed_version)) {
      return Status(Fault::protocol_error, "packet length out of bounds");
    }
    const bool needs_tail = rule.tail == Tail::digest_and_data || rule.tail == Tail::code;
    if (needs_tail && length == rule.fixed) {
      return Status(Fault::protocol_error, "packet without its data");
    }
    return Status();
  }
  return Status(Fault::protocol_error, "unknown packet for this socket");
}

}  // namespace replicator
