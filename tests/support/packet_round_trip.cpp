#include "tests/support/packet_round_trip.hpp"

#include <algorithm>
#include <array>

#include "protocol/packets.hpp"

namespace replicator::testing_support {

namespace {

using Encoded = Result<std::vector<std::byte>>;

constexpr std::size_t fixed_part_max = 256;

// Fixed part of `value`, then what followed the decoded fixed part of `fixed` bytes.
template <class Value>
Encoded again(const Result<Value>& value, ConstBytes payload, std::size_t fixed) {
  if (!value) return tl::unexpected(value.error());
  std::array<std::byte, fixed_part_max> out{};
  const std::size_t size = encode(*value, Bytes(out));
  std::vector<std::byte> bytes(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
  const ConstBytes tail = payload.subspan(std::min(fixed, payload.size()));
  bytes.insert(bytes.end(), tail.begin(), tail.end());
  return bytes;
}

template <class Value>
Encoded again(const Result<Value>& value, ConstBytes payload) {
  return again(value, payload, payload.size());
}

Encoded sync_param_again(ConstBytes payload, int agreed_version) {
  const Result<SyncParam> value = decode_sync_param(payload, agreed_version);
  if (!value) return tl::unexpected(value.error());
  std::array<std::byte, fixed_part_max> out{};
  const std::size_t size = encode(*value, agreed_version, Bytes(out));
  return std::vector<std::byte>(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
}

}  // namespace

Encoded reencode_payload(Packet command, ConstBytes payload, int agreed_version) {
  switch (command) {
    case Packet::connection_features: return again(decode_connection_features(payload), payload);
    case Packet::protocol:
    case Packet::protocol_update: return again(decode_protocol_options(payload), payload);
    case Packet::sync_param:
    case Packet::sync_param89: return sync_param_again(payload, agreed_version);
    case Packet::sizes: return again(decode_sizes(payload), payload);
    case Packet::uuids: return again(decode_uuids(payload), payload);
    case Packet::state: {
      const Result<StateWord> word = decode_state_word(payload);
      if (!word) return tl::unexpected(word.error());
      return again(Result<StateWord>(StateWord{pack(unpack_state(word->state))}), payload);
    }
    case Packet::sync_uuid: return again(decode_sync_uuid(payload), payload);
    case Packet::state_chg_req:
    case Packet::conn_st_chg_req: return again(decode_state_change_request(payload), payload);
    case Packet::state_chg_reply:
    case Packet::conn_st_chg_reply: return again(decode_state_change_reply(payload), payload);
    case Packet::delay_probe: return again(decode_delay_probe(payload), payload);
    case Packet::data:
    case Packet::data_reply:
    case Packet::rs_data_reply:
      return again(decode_data_header(payload), payload, data_header_bytes);
    case Packet::trim:
    case Packet::zeroes: return again(decode_range_header(payload), payload, range_header_bytes);
    case Packet::data_request:
    case Packet::rs_data_request:
    case Packet::rs_thin_req:
    case Packet::ov_request:
    case Packet::ov_reply:
    case Packet::csum_rs_request:
      return again(decode_block_request(payload), payload, block_request_bytes);
    case Packet::out_of_sync:
    case Packet::rs_deallocated: return again(decode_block_descriptor(payload), payload);
    case Packet::barrier: return again(decode_barrier(payload), payload);
    case Packet::barrier_ack: return again(decode_barrier_ack(payload), payload);
    case Packet::recv_ack:
    case Packet::write_ack:
    case Packet::rs_write_ack:
    case Packet::superseded:
    case Packet::neg_ack:
    case Packet::neg_dreply:
    case Packet::neg_rs_dreply:
    case Packet::ov_result:
    case Packet::rs_is_in_sync:
    case Packet::rs_cancel:
    case Packet::retry_write: return again(decode_block_ack(payload), payload);
    case Packet::bitmap:
    case Packet::compressed_bitmap:
    case Packet::auth_challenge:
    case Packet::auth_response:
    case Packet::unplug_remote:
    case Packet::ping:
    case Packet::ping_ack:
    case Packet::initial_data:
    case Packet::initial_meta: return std::vector<std::byte>(payload.begin(), payload.end());
    case Packet::wsame: break;
  }
  return failure(Fault::protocol_error, "no codec");
}

std::vector<std::byte> encode_packet(const PacketHeader& header, ConstBytes payload,
                                     int agreed_version) {
  std::array<std::byte, 16> head{};
  const std::size_t size = encode_header(head, agreed_version, header);
  std::vector<std::byte> packet(head.begin(), head.begin() + static_cast<std::ptrdiff_t>(size));
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

Padding padding_of(Packet command) {
  switch (command) {
    case Packet::data_request:
    case Packet::rs_data_request:
    case Packet::rs_thin_req:
    case Packet::ov_request:
    case Packet::ov_reply:
    case Packet::csum_rs_request: return {20, 4};
    case Packet::out_of_sync:
    case Packet::rs_deallocated: return {12, 4};
    default: return {};
  }
}

void blank_padding(Packet command, Bytes payload) {
  const Padding padding = padding_of(command);
  fill_bytes(payload.subspan(padding.at, padding.size), std::byte{0});
}

bool belongs_to(Socket socket, Packet command) {
  switch (command) {
    case Packet::delay_probe: return true;
    case Packet::initial_meta:
    case Packet::ping:
    case Packet::ping_ack:
    case Packet::recv_ack:
    case Packet::write_ack:
    case Packet::rs_write_ack:
    case Packet::superseded:
    case Packet::neg_ack:
    case Packet::neg_dreply:
    case Packet::neg_rs_dreply:
    case Packet::barrier_ack:
    case Packet::state_chg_reply:
    case Packet::ov_result:
    case Packet::rs_is_in_sync:
    case Packet::rs_cancel:
    case Packet::conn_st_chg_reply:
    case Packet::retry_write: return socket == Socket::meta;
    default: return socket == Socket::data;
  }
}

}  // namespace replicator::testing_support
