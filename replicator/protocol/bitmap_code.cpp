#include "protocol/bitmap_code.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/ensure.hpp"
#include "base/units.hpp"

namespace replicator {

namespace {

constexpr std::uint8_t code_rle_vli = 2;

struct Level {
  std::uint64_t first;
  std::uint64_t prefix;
  unsigned prefix_bits;
  unsigned total_bits;
};

constexpr Level levels[] = {
    {1, 0x00, 1, 2},        {3, 0x01, 2, 3},
    {5, 0x03, 3, 5},        {9, 0x07, 4, 7},
    {17, 0x0f, 5, 10},      {49, 0x1f, 6, 14},
    {305, 0x3f, 8, 21},     {8497, 0x7f, 8, 29},
    {2105649, 0xbf, 8, 42}, {17181974833ULL, 0xff, 8, 64},
};

constexpr std::uint64_t low_mask(unsigned bits) noexcept {
  return bits >= 64 ? ~0ULL : (1ULL << bits) - 1;
}

// Appends bits, least significant first, to a bounded buffer.
class BitWriter {
 public:
  explicit BitWriter(Bytes out) noexcept : out_(out) {}
  bool put(VliCode code) noexcept {
    if (used_ + code.bits > out_.size() * 8) return false;
    for (unsigned done = 0; done < code.bits;) {
      const std::size_t byte = used_ / 8;
      const unsigned at = static_cast<unsigned>(used_ % 8);
      const unsigned step = std::min(8U - at, code.bits - done);
      const auto piece = static_cast<std::uint8_t>(((code.code >> done) & low_mask(step)) << at);
      if (at == 0) out_[byte] = std::byte{0};
      out_[byte] |= static_cast<std::byte>(piece);
      used_ += step;
      done += step;
    }
    return true;
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return (used_ + 7) / 8; }
  [[nodiscard]] unsigned padding() const noexcept {
    return static_cast<unsigned>(bytes() * 8 - used_);
  }

 private:
  Bytes out_;
  std::size_t used_ = 0;
};

// Up to 64 bits of the stream from bit `at`.
std::uint64_t window_at(ConstBytes code, std::size_t at) noexcept {
  const std::size_t byte = at / 8;
  const unsigned shift = static_cast<unsigned>(at % 8);
  std::uint64_t low = 0;
  std::memcpy(&low, code.data() + byte, std::min<std::size_t>(8, code.size() - byte));
  low >>= shift;
  if (shift != 0 && byte + 8 < code.size()) {
    low |= static_cast<std::uint64_t>(code[byte + 8]) << (64 - shift);
  }
  return low;
}

std::size_t capacity_for(int agreed_version) {
  return bitmap_packet_bytes_max - header_bytes(agreed_version);
}

}  // namespace

VliCode vli_encode(std::uint64_t value) noexcept {
  std::size_t index = 0;
  while (index + 1 < std::size(levels) && value >= levels[index + 1].first)
    ++index;
  const Level& level = levels[index];
  return VliCode{((value - level.first) << level.prefix_bits) | level.prefix, level.total_bits};
}

VliCode vli_decode(std::uint64_t window, unsigned available) noexcept {
  for (const Level& level : levels) {
    if ((window & low_mask(level.prefix_bits)) != level.prefix) continue;
    if (available < level.total_bits) return VliCode{};
    const std::uint64_t data = (window & low_mask(level.total_bits)) >> level.prefix_bits;
    return VliCode{data + level.first, level.total_bits};
  }
  return VliCode{};
}

BitmapSender::BitmapSender(std::uint64_t bits, int agreed_version, bool use_rle)
    : bits_(bits),
      capacity_(capacity_for(agreed_version)),
      use_rle_(use_rle && agreed_version >= 90),
      done_(bits == 0) {}

bool BitmapSender::bit(std::uint64_t at) const noexcept {
  return ((words_[at / 64] >> (at % 64)) & 1U) != 0;
}

std::uint64_t BitmapSender::run_end(std::uint64_t from, bool value) const noexcept {
  std::uint64_t index = from / 64;
  const std::uint64_t flip = value ? ~0ULL : 0;  // ones mark the end of the run
  std::uint64_t word = (words_[index] ^ flip) & (~0ULL << (from % 64));
  while (word == 0) {
    if (++index >= words_.size()) return bits_;
    word = words_[index] ^ flip;
  }
  return std::min(bits_, index * 64 + static_cast<std::uint64_t>(std::countr_zero(word)));
}

// 0 when run-length code is not shorter than plain words for this stretch.
std::size_t BitmapSender::compress(Bytes out) {
  const bool first = bit(bit_offset_);
  BitWriter writer(out.subspan(1, capacity_ - 1));
  std::uint64_t at = bit_offset_;
  bool value = first;
  while (at < bits_) {
    const std::uint64_t end = run_end(at, value);
    if (!writer.put(vli_encode(end - at))) break;
    at = end;
    value = !value;
  }
  if (at - bit_offset_ < 8 * writer.bytes()) return 0;
  out[0] = static_cast<std::byte>(code_rle_vli | (writer.padding() << 4U) | (first ? 0x80U : 0U));
  bit_offset_ = at;
  word_offset_ = at / 64;
  return 1 + writer.bytes();
}

BitmapChunk BitmapSender::plain(Bytes out) {
  const std::size_t count = static_cast<std::size_t>(
      std::min<std::uint64_t>(capacity_ / 8, words_.size() - word_offset_));
  copy_bytes(out, std::as_bytes(words_.subspan(static_cast<std::size_t>(word_offset_), count)));
  word_offset_ += count;
  bit_offset_ = std::min(bits_, word_offset_ * 64);
  if (count == 0) done_ = true;
  return BitmapChunk{Packet::bitmap, count * 8};
}

BitmapChunk BitmapSender::next(std::span<const std::uint64_t> words, Bytes out) {
  ensure(words.size() == ceil_div(bits_, 64));
  words_ = words;
  if (use_rle_ && bit_offset_ < bits_) {
    const std::size_t bytes = compress(out);
    if (bytes != 0) {
      if (bit_offset_ >= bits_) done_ = true;  // no terminator after compressed data
      return BitmapChunk{Packet::compressed_bitmap, bytes};
    }
    word_offset_ = bit_offset_ / 64;
    bit_offset_ = word_offset_ * 64;
  }
  return plain(out);
}

BitmapReceiver::BitmapReceiver(std::uint64_t bits, int agreed_version)
    : bits_(bits), capacity_(capacity_for(agreed_version)), complete_(bits == 0) {}

Status BitmapReceiver::feed(std::span<std::uint64_t> words, Packet packet, ConstBytes payload) {
  if (words.size() != ceil_div(bits_, 64)) {
    return Status(Fault::protocol_error, "bitmap: resized during the exchange");
  }
  words_ = words;
  if (complete_) return Status(Fault::protocol_error, "bitmap: more than complete");
  return packet == Packet::compressed_bitmap ? compressed(payload) : plain(payload);
}

Status BitmapReceiver::plain(ConstBytes payload) {
  const std::uint64_t left = words_.size() - word_offset_;
  const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(capacity_ / 8, left));
  if (payload.size() != count * 8) return Status(Fault::protocol_error, "bitmap: bad chunk length");
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t word = read_le64(payload, i * 8);
    const std::uint64_t begin = (word_offset_ + i) * 64;
    if (bits_ - begin < 64) word &= low_mask(static_cast<unsigned>(bits_ - begin));
    words_[static_cast<std::size_t>(word_offset_) + i] |= word;
  }
  word_offset_ += count;
  bit_offset_ = std::min(bits_, word_offset_ * 64);
  if (count == 0) complete_ = true;
  return Status();
}

void BitmapReceiver::set_run(std::uint64_t from, std::uint64_t end) noexcept {
  while (from < end) {
    const std::uint64_t stop = std::min(end, from / 64 * 64 + 64);
    const std::uint64_t mask = low_mask(static_cast<unsigned>(stop - from)) << (from % 64);
    words_[from / 64] |= mask;
    from = stop;
  }
}

Status BitmapReceiver::compressed(ConstBytes payload) {
  if (payload.size() < 2) return Status(Fault::protocol_error, "bitmap code: too short");
  const auto head = static_cast<std::uint8_t>(payload[0]);
  if ((head & 0x0fU) != code_rle_vli) {
    return Status(Fault::protocol_error, "bitmap code: unknown encoding");
  }
  const unsigned padding = (head >> 4U) & 7U;
  bool value = (head & 0x80U) != 0;
  const ConstBytes code = payload.subspan(1);
  const std::size_t bits = code.size() * 8 - padding;
  std::size_t at = 0;
  while (at < bits) {
    const auto available = static_cast<unsigned>(std::min<std::size_t>(64, bits - at));
    const VliCode run = vli_decode(window_at(code, at), available);
    if (run.bits == 0) return Status(Fault::protocol_error, "bitmap code: truncated code word");
    if (run.code > bits_ - bit_offset_) {
      return Status(Fault::protocol_error, "bitmap code: run beyond the end");
    }
    if (value) set_run(bit_offset_, bit_offset_ + run.code);
    bit_offset_ += run.code;
    value = !value;
    at += run.bits;
  }
  word_offset_ = bit_offset_ / 64;
  if (bit_offset_ == bits_) complete_ = true;
  return Status();
}

}  // namespace replicator
