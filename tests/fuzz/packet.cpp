// Whatever a peer sends on either socket, as headers and payloads one after the other: each is
// refused or decoded, what is decoded can be encoded, and encoding has one form only.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "protocol/challenge.hpp"
#include "protocol/packets.hpp"
#include "protocol/validate.hpp"
#include "tests/support/packet_round_trip.hpp"

namespace {

using namespace replicator;

constexpr int versions[] = {101, 100, 99, 95, 94, 89, 88, 86};
constexpr std::uint64_t device_bytes = 16344ULL * 1024;

void require(bool holds) {
  if (!holds) std::abort();
}

bool same(ConstBytes a, ConstBytes b) { return std::ranges::equal(a, b); }

void header_again(const PacketHeader& header, int version) {
  if (version < 95 && header.length > UINT16_MAX) return;  // received in the form of 95
  std::array<std::byte, 16> bytes{};
  const std::size_t size = encode_header(bytes, version, header);
  const Result<PacketHeader> again = decode_header(ConstBytes(bytes).first(size), version);
  require(again && again->command == header.command && again->volume == header.volume &&
          again->length == header.length);
}

void within_device(Sector sector, std::uint32_t bytes) {
  const Result<ByteRange> range = checked_range(sector, bytes, ByteCount(device_bytes));
  if (range) require(range->length.value() != 0 && range->end().value() <= device_bytes);
}

void ranges(Packet command, ConstBytes payload) {
  if (payload.size() >= block_request_bytes && command != Packet::protocol) {
    const Result<BlockRequest> request = decode_block_request(payload);
    if (request) within_device(request->sector, request->bytes);
    const Result<DataHeader> data = decode_data_header(payload);
    if (data) within_device(data->sector, static_cast<std::uint32_t>(payload.size() - 24));
  }
  if (command == Packet::trim || command == Packet::zeroes) {
    const Result<RangeHeader> range = decode_range_header(payload);
    if (range) within_device(range->data.sector, range->bytes);
  }
}

void payload_again(Packet command, ConstBytes payload, int version) {
  const Result<std::vector<std::byte>> once =
      testing_support::reencode_payload(command, payload, version);
  if (!once) return;
  const Result<std::vector<std::byte>> twice =
      testing_support::reencode_payload(command, *once, version);
  require(twice && same(*once, *twice));
  ranges(command, payload);
}

void challenge(ConstBytes theirs) {
  const Challenge authentication("sha1", "secret");
  const std::array<std::byte, challenge_bytes> mine{};
  std::array<std::byte, 64> answer{};
  const Result<std::size_t> size = authentication.respond(mine, theirs, answer);
  if (size) require(!same(theirs.first(challenge_bytes), mine));
  require(!authentication.verify(mine, theirs).ok() || theirs.size() == 20);
}

}  // namespace

// The first byte: version, features, socket.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const int version = versions[data[0] & 7U];
  const std::uint32_t features = (data[0] & 8U) != 0 ? 0U : features_offered;
  const Socket socket = (data[0] & 16U) != 0 ? Socket::meta : Socket::data;
  const std::size_t head = header_bytes(version);
  ConstBytes rest = std::as_bytes(std::span(data + 1, size - 1));
  while (rest.size() >= head) {
    const Result<PacketHeader> header = decode_header(rest.first(head), version);
    if (!header) return 0;
    header_again(*header, version);
    rest = rest.subspan(head);
    if (!check_length(header->command, socket, header->length, version, features).ok()) return 0;
    require(header->length <= data_bytes_max + 24 + digest_bytes_max);
    if (header->length > rest.size()) return 0;
    // A copy of its own, so that a read behind its end is noticed.
    const std::vector<std::byte> payload(rest.begin(), rest.begin() + header->length);
    payload_again(header->command, payload, version);
    if (header->command == Packet::auth_challenge || header->command == Packet::auth_response) {
      challenge(payload);
    }
    rest = rest.subspan(header->length);
  }
  return 0;
}
