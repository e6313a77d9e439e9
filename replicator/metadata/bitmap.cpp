#include "metadata/bitmap.hpp"

#include <algorithm>
#include <bit>

namespace replicator {

namespace {

constexpr std::size_t words_per_page = Bitmap::page_bytes_count / 8;

std::size_t pages_for(std::uint64_t bits) {
  return static_cast<std::size_t>(ceil_div(bits, Bitmap::page_bytes_count * 8));
}

// Bits [first, end) of the word that holds them.
std::uint64_t mask_between(std::uint64_t first, std::uint64_t end) {
  const std::uint64_t low = ~0ULL << (first % 64);
  const std::uint64_t top = end % 64;
  return top == 0 ? low : low & ~(~0ULL << top);
}

}  // namespace

Bitmap::Bitmap(BlockCount bits) {
  resize(bits, false);
  recount_loaded();
}

Result<Bitmap> Bitmap::make(BlockCount bits) {
  Bitmap bitmap;
  const Status room = bitmap.reserve(bits);
  if (!room.ok()) return tl::unexpected<Status>(room);
  bitmap.resize(bits, false);
  bitmap.recount_loaded();
  return bitmap;
}

Status Bitmap::reserve(BlockCount bits) noexcept {
  const std::size_t pages = pages_for(bits.value());
  if (words_.reserve(pages * words_per_page) && changed_.reserve(pages)) return Status();
  return Status(Fault::no_space, "memory for the bitmap");
}

bool Bitmap::test(BitmapBlock block) const noexcept {
  const std::uint64_t bit = block.value();
  return bit < bits_ && ((words_[bit / 64] >> (bit % 64)) & 1U) != 0;
}

void Bitmap::mark_page(std::size_t index) noexcept {
  if (changed_[index] != 0) return;
  changed_[index] = 1;
  ++changed_count_;
}

void Bitmap::page_written(std::size_t index) noexcept {
  if (changed_[index] == 0) return;
  changed_[index] = 0;
  --changed_count_;
}

std::uint64_t Bitmap::change(std::uint64_t first, std::uint64_t end, bool set) noexcept {
  std::uint64_t changed = 0;
  for (std::uint64_t at = first; at < end;) {
    const std::uint64_t stop = std::min(end, round_down(at, 64) + 64);
    const std::uint64_t mask = mask_between(at, stop);
    std::uint64_t& word = words_[at / 64];
    const std::uint64_t differing = set ? mask & ~word : mask & word;
    if (differing != 0) {
      word ^= differing;
      changed += static_cast<std::uint64_t>(std::popcount(differing));
      mark_page(static_cast<std::size_t>(at / 64) / words_per_page);
    }
    at = stop;
  }
  if (set) weight_ += changed;
  else weight_ -= changed;
  return changed;
}

BlockCount Bitmap::set_range(ByteRange range) noexcept {
  if (range.empty()) return BlockCount();
  const std::uint64_t first = range.begin.value() / block_bytes;
  const std::uint64_t end = std::min(ceil_div(range.end().value(), block_bytes), bits_);
  return first >= end ? BlockCount() : BlockCount(change(first, end, true));
}

BlockCount Bitmap::clear_range(ByteRange range, ByteCount device) noexcept {
  if (range.empty()) return BlockCount();
  const std::uint64_t first = ceil_div(range.begin.value(), block_bytes);
  std::uint64_t end = range.end().value() / block_bytes;
  if (range.end().value() >= device.value()) end = bits_;
  end = std::min(end, bits_);
  return first >= end ? BlockCount() : BlockCount(change(first, end, false));
}

BlockCount Bitmap::weight_in(ByteRange range) const noexcept {
  const std::uint64_t first = range.begin.value() / block_bytes;
  const std::uint64_t end = std::min(ceil_div(range.end().value(), block_bytes), bits_);
  std::uint64_t count = 0;
  for (std::uint64_t at = first; at < end;) {
    const std::uint64_t stop = std::min(end, round_down(at, 64) + 64);
    count += static_cast<std::uint64_t>(std::popcount(words_[at / 64] & mask_between(at, stop)));
    at = stop;
  }
  return BlockCount(count);
}

std::optional<BitmapBlock> Bitmap::next_set(BitmapBlock from) const noexcept {
  if (from.value() >= bits_ || weight_ == 0) return std::nullopt;
  std::size_t index = static_cast<std::size_t>(from.value() / 64);
  std::uint64_t word = words_[index] & (~0ULL << (from.value() % 64));
  const std::size_t last = words_in_use();
  while (word == 0) {
    if (++index >= last) return std::nullopt;
    word = words_[index];
  }
  const std::uint64_t bit = index * 64 + static_cast<std::uint64_t>(std::countr_zero(word));
  if (bit >= bits_) return std::nullopt;
  return BitmapBlock(bit);
}

void Bitmap::mask_surplus() noexcept {
  const std::size_t used = words_in_use();
  if (bits_ % 64 != 0) words_[used - 1] &= ~(~0ULL << (bits_ % 64));
  std::fill(words_.begin() + static_cast<std::ptrdiff_t>(used), words_.end(), 0);
}

void Bitmap::count() noexcept {
  weight_ = 0;
  for (const std::uint64_t word : words_) {
    weight_ += static_cast<std::uint64_t>(std::popcount(word));
  }
}

void Bitmap::set_all() noexcept {
  std::fill(words_.begin(), words_.end(), ~0ULL);
  recount();
}

void Bitmap::clear_all() noexcept {
  std::fill(words_.begin(), words_.end(), 0);
  recount();
}

void Bitmap::recount() noexcept {
  mask_surplus();
  count();
  for (std::size_t index = 0; index < changed_.size(); ++index)
    mark_page(index);
}

void Bitmap::recount_loaded() noexcept {
  mask_surplus();
  count();
  std::fill(changed_.begin(), changed_.end(), std::uint8_t{0});
  changed_count_ = 0;
}

void Bitmap::resize(BlockCount bits, bool set_new) {
  const std::uint64_t before = bits_;
  const Status room = reserve(bits);
  ensure(room.ok());
  bits_ = bits.value();
  words_.resize(pages_for(bits_) * words_per_page);
  changed_.resize(pages_for(bits_));
  mask_surplus();
  count();
  if (set_new && bits_ > before) change(before, bits_, true);
  for (std::size_t index = 0; index < changed_.size(); ++index)
    changed_[index] = 1;
  changed_count_ = changed_.size();
}

ConstBytes Bitmap::page(std::size_t index) const noexcept {
  return std::as_bytes(std::span(words_).subspan(index * words_per_page, words_per_page));
}

void Bitmap::load_page(std::size_t index, ConstBytes bytes) noexcept {
  const Bytes to =
      std::as_writable_bytes(std::span(words_).subspan(index * words_per_page, words_per_page));
  copy_bytes(to, bytes.first(page_bytes_count));
}

}  // namespace replicator
