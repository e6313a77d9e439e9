// Packet headers and the numbers that bound everything behind them. Normative:
// docs/protocol.md#headers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/packet.hpp"

namespace replicator {

// Offered, unless the configuration sets a lower limit. 86 is what DRBD 8.3.0 spoke.
inline constexpr int protocol_version_min = 86;
inline constexpr int protocol_version_max = 101;
inline constexpr int protocol_version_before_features = 80;

inline constexpr std::uint32_t feature_trim = 1;
inline constexpr std::uint32_t feature_thin_resync = 2;
inline constexpr std::uint32_t feature_wsame = 4;
inline constexpr std::uint32_t feature_wzeroes = 8;
inline constexpr std::uint32_t features_offered = 0xf;

inline constexpr std::uint32_t data_bytes_max = 1U << 20U;     // of one write, read or resync block
inline constexpr std::uint32_t range_bytes_max = 128U << 20U;  // of one trim or zeroes
inline constexpr std::uint32_t digest_bytes_max = 64;
inline constexpr std::size_t bitmap_packet_bytes_max = 4096;    // header included
inline constexpr std::uint32_t handshake_payload_limit = 4096;  // before and during authentication

struct PacketHeader {
  Packet command = Packet::data;
  std::uint16_t volume = 0;
  std::uint32_t length = 0;  // bytes behind the header
};

// 8 below protocol 100, 16 from there on.
[[nodiscard]] constexpr std::size_t header_bytes(int agreed_version) noexcept {
  return agreed_version >= 100 ? 16 : 8;
}
// Writes the header the agreed version demands (h80, h95 or h100); returns its size.
std::size_t encode_header(Bytes out, int agreed_version, const PacketHeader& header) noexcept;
// `bytes` holds header_bytes(agreed_version). Fault::protocol_error on bad magic or padding.
Result<PacketHeader> decode_header(ConstBytes bytes, int agreed_version) noexcept;

}  // namespace replicator
