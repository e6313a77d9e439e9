// The bitmap exchange: run-length/VLI code of P_COMPRESSED_BITMAP and plain P_BITMAP chunks, with
// the kernel's cursor rules. Normative: docs/protocol.md#bitmap-code.
//   P1  any bytes either merge into the bitmap or are a protocol error; bits beyond the end are
//   never set
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/header.hpp"
#include "protocol/packet.hpp"

namespace replicator {

struct BitmapChunk {
  Packet packet = Packet::bitmap;
  std::size_t bytes = 0;  // of payload
};

// Produces the packets of one transfer of `bits` bits. The words, just enough for them, are lent
// for one call at a time: bits may change in between.
class BitmapSender {
 public:
  BitmapSender(std::uint64_t bits, int agreed_version, bool use_rle);
  [[nodiscard]] bool done() const noexcept { return done_; }
  // The next packet's payload into `out` (4096 bytes are enough).
  BitmapChunk next(std::span<const std::uint64_t> words, Bytes out);

 private:
  std::size_t compress(Bytes out);
  BitmapChunk plain(Bytes out);
  [[nodiscard]] bool bit(std::uint64_t at) const noexcept;
  [[nodiscard]] std::uint64_t run_end(std::uint64_t from, bool value) const noexcept;

  std::span<const std::uint64_t> words_;  // during a call
  std::uint64_t bits_;
  std::size_t capacity_;  // payload bytes of a packet
  bool use_rle_;
  std::uint64_t bit_offset_ = 0;
  std::uint64_t word_offset_ = 0;
  bool done_ = false;
};

// Merges (ORs) received packets into words that are lent for one call at a time. A bitmap that is
// no longer of `bits` bits is a protocol error: nobody resizes a device during the exchange.
class BitmapReceiver {
 public:
  BitmapReceiver(std::uint64_t bits, int agreed_version);
  Status feed(std::span<std::uint64_t> words, Packet packet, ConstBytes payload);
  [[nodiscard]] bool complete() const noexcept { return complete_; }

 private:
  Status plain(ConstBytes payload);
  Status compressed(ConstBytes payload);
  void set_run(std::uint64_t from, std::uint64_t end) noexcept;

  std::span<std::uint64_t> words_;  // during a call
  std::uint64_t bits_;
  std::size_t capacity_;
  std::uint64_t bit_offset_ = 0;
  std::uint64_t word_offset_ = 0;
  bool complete_ = false;
};

// One code word. Exposed for tests: appends to / reads from a stream of bits, least significant
// first.
struct VliCode {
  std::uint64_t code = 0;
  unsigned bits = 0;
};
VliCode vli_encode(std::uint64_t value) noexcept;  // 1 <= value <= 72057611219902768
// `available` low bits of `window` are valid; bits 0 in the result: no complete code word.
VliCode vli_decode(std::uint64_t window, unsigned available) noexcept;  // code = the value

}  // namespace replicator
