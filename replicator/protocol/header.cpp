#include "protocol/header.hpp"

namespace replicator {

namespace {
constexpr std::uint32_t magic_h80 = 0x83740267;
constexpr std::uint16_t magic_h95 = 0x835a;
constexpr std::uint32_t magic_h100 = 0x8620ec20;
constexpr std::uint32_t h80_length_max = 32768;
}  // namespace

std::size_t encode_header(Bytes out, int agreed_version, const PacketHeader& header) noexcept {
  const auto command = static_cast<std::uint16_t>(header.command);
  if (agreed_version >= 100) {
    write_be32(out, 0, magic_h100);
    write_be16(out, 4, header.volume);
    write_be16(out, 6, command);
    write_be32(out, 8, header.length);
    write_be32(out, 12, 0);
    return 16;
  }
  if (agreed_version >= 95 && header.length > h80_length_max) {
    write_be16(out, 0, magic_h95);
    write_be16(out, 2, command);
    write_be32(out, 4, header.length);
    return 8;
  }
  ensure(header.length <= UINT16_MAX);
  write_be32(out, 0, magic_h80);
  write_be16(out, 4, command);
  write_be16(out, 6, static_cast<std::uint16_t>(header.length));
  return 8;
}

Result<PacketHeader> decode_header(ConstBytes bytes, int agreed_version) noexcept {
  if (bytes.size() < header_bytes(agreed_version)) {
    return failure(Fault::protocol_error, "packet header: too short");
  }
  PacketHeader header;
  if (agreed_version >= 100) {
    if (read_be32(bytes, 0) != magic_h100) {
      return failure(Fault::protocol_error, "packet header: bad magic");
    }
    if (read_be32(bytes, 12) != 0) {
      return failure(Fault::protocol_error, "packet header: padding is not zero");
    }
    header.volume = read_be16(bytes, 4);
    header.command = static_cast<Packet>(read_be16(bytes, 6));
    header.length = read_be32(bytes, 8);
    return header;
  }
  if (read_be32(bytes, 0) == magic_h80) {
    header.command = static_cast<Packet>(read_be16(bytes, 4));
    header.length = read_be16(bytes, 6);
    return header;
  }
  if (read_be16(bytes, 0) == magic_h95) {
    header.command = static_cast<Packet>(read_be16(bytes, 2));
    header.length = read_be32(bytes, 4);
    return header;
  }
  return failure(Fault::protocol_error, "packet header: bad magic");
}

}  // namespace replicator
