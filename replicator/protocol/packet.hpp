// The packet codes of DRBD 8.4 (docs/protocol.md#packets). Enumerators are the protocol's names.
#pragma once

#include <cstdint>
#include <string_view>

namespace replicator {

enum class Socket : std::uint8_t { data, meta };

enum class Packet : std::uint16_t {
  data = 0x00,
  data_reply = 0x01,
  rs_data_reply = 0x02,
  barrier = 0x03,
  bitmap = 0x04,
  unplug_remote = 0x07,
  data_request = 0x08,
  rs_data_request = 0x09,
  sync_param = 0x0a,
  protocol = 0x0b,
  uuids = 0x0c,
  sizes = 0x0d,
  state = 0x0e,
  sync_uuid = 0x0f,
  auth_challenge = 0x10,
  auth_response = 0x11,
  state_chg_req = 0x12,
  ping = 0x13,
  ping_ack = 0x14,
  recv_ack = 0x15,
  write_ack = 0x16,
  rs_write_ack = 0x17,
  superseded = 0x18,
  neg_ack = 0x19,
  neg_dreply = 0x1a,
  neg_rs_dreply = 0x1b,
  barrier_ack = 0x1c,
  state_chg_reply = 0x1d,
  ov_request = 0x1e,
  ov_reply = 0x1f,
  ov_result = 0x20,
  csum_rs_request = 0x21,
  rs_is_in_sync = 0x22,
  sync_param89 = 0x23,
  compressed_bitmap = 0x24,
  delay_probe = 0x27,
  out_of_sync = 0x28,
  rs_cancel = 0x29,
  conn_st_chg_req = 0x2a,
  conn_st_chg_reply = 0x2b,
  retry_write = 0x2c,
  protocol_update = 0x2d,
  trim = 0x31,
  rs_thin_req = 0x32,
  rs_deallocated = 0x33,
  wsame = 0x34,
  zeroes = 0x36,
  initial_meta = 0xfff1,
  initial_data = 0xfff2,
  connection_features = 0xfffe,
};

// "P_DATA" …; "P_UNKNOWN" for codes that mean nothing.
std::string_view name(Packet packet) noexcept;

}  // namespace replicator
