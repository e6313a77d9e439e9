// Bitmap packets of a peer, plain and compressed in any order: they merge or are refused, no bit
// behind the end is set and none is cleared; and what came out survives being sent.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "protocol/bitmap_code.hpp"

namespace {

using namespace replicator;

using Words = std::vector<std::uint64_t>;

void require(bool holds) {
  if (!holds) std::abort();
}

std::uint64_t behind_end(std::uint64_t bits) { return bits % 64 == 0 ? 0 : ~0ULL << (bits % 64); }

// Packets: one byte of kind (odd: compressed) and length, one more of length, payload.
void receive(ConstBytes rest, Words& words, std::uint64_t bits, int version) {
  BitmapReceiver receiver(bits, version);
  while (rest.size() >= 2) {
    const auto first = static_cast<unsigned>(rest[0]);
    const std::size_t length = std::min<std::size_t>(
        (first >> 1U) << 8U | static_cast<unsigned>(rest[1]), rest.size() - 2);
    const bool was_complete = receiver.complete();
    const std::vector<std::byte> payload(rest.begin() + 2,
                                         rest.begin() + 2 + static_cast<std::ptrdiff_t>(length));
    const Words before = words;
    const Status fed = receiver.feed(
        words, (first & 1U) != 0 ? Packet::compressed_bitmap : Packet::bitmap, payload);
    for (std::size_t i = 0; i < words.size(); ++i)
      require((before[i] & ~words[i]) == 0);
    require((words.back() & behind_end(bits)) == 0);
    if (was_complete) require(!fed.ok());
    if (!fed.ok()) return;
    rest = rest.subspan(2 + length);
  }
}

void send(const Words& words, std::uint64_t bits, int version, bool rle) {
  Words copy(words.size());
  BitmapReceiver receiver(bits, version);
  BitmapSender sender(bits, version, rle);
  std::array<std::byte, bitmap_packet_bytes_max> out{};
  while (!sender.done()) {
    require(!receiver.complete());
    const BitmapChunk chunk = sender.next(words, out);
    require(chunk.bytes + header_bytes(version) <= bitmap_packet_bytes_max);
    require(receiver.feed(copy, chunk.packet, ConstBytes(out).first(chunk.bytes)).ok());
  }
  require(receiver.complete());
  copy.back() |= words.back() & behind_end(bits);
  require(copy == words);
}

}  // namespace

// Two bytes of size, one of options; then packets, or the bitmap itself.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::uint64_t bits = 1 + data[0] + (static_cast<std::uint64_t>(data[1]) << 8U);
  const int version = (data[2] & 1U) != 0 ? 99 : 101;
  const ConstBytes rest = std::as_bytes(std::span(data + 3, size - 3));
  Words words((bits + 63) / 64);
  if ((data[2] & 2U) != 0) {
    const Bytes target = std::as_writable_bytes(std::span(words));
    copy_bytes(target, rest.first(std::min(rest.size(), target.size())));
  } else {
    receive(rest, words, bits, version);
  }
  send(words, bits, version, (data[2] & 4U) == 0);
  return 0;
}
