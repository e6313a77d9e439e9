// The out-of-sync bitmap in memory: one bit per 4 KiB, little-endian 64-bit words exactly as on
// disk and on the wire. Set rounds outwards, clear rounds inwards (E2, E3). Remembers which 4 KiB
// pages changed since they were written. Memory: the bits and one byte per page. Normative:
// docs/metadata.md#bitmap.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/units.hpp"
#include "metadata/zeroed_array.hpp"

namespace replicator {

class Bitmap {
 public:
  static constexpr std::size_t page_bytes_count = 4096;

  // Of no blocks.
  Bitmap() noexcept = default;
  // There must be memory for it.
  explicit Bitmap(BlockCount bits);
  // Fault::no_space.
  static Result<Bitmap> make(BlockCount bits);

  [[nodiscard]] BlockCount size() const noexcept { return BlockCount(bits_); }
  // Number of set bits.
  [[nodiscard]] BlockCount weight() const noexcept { return BlockCount(weight_); }
  [[nodiscard]] BlockCount weight_in(ByteRange range) const noexcept;
  [[nodiscard]] bool test(BitmapBlock block) const noexcept;
  [[nodiscard]] std::optional<BitmapBlock> next_set(BitmapBlock from) const noexcept;

  // Every touched block; how many bits changed.
  BlockCount set_range(ByteRange range) noexcept;
  // Only blocks that are covered whole; the device's last block also when the range reaches its
  // end.
  BlockCount clear_range(ByteRange range, ByteCount device) noexcept;
  void set_all() noexcept;
  void clear_all() noexcept;
  // Fault::no_space. Afterwards it can be resized up to this size.
  [[nodiscard]] Status reserve(BlockCount bits) noexcept;
  // Keeps what fits; new bits are set or clear. There must be memory for it.
  void resize(BlockCount bits, bool set_new);

  // The words, for the bitmap exchange. After changing them call recount().
  [[nodiscard]] std::span<const std::uint64_t> words() const noexcept {
    return {words_.data(), words_in_use()};
  }
  [[nodiscard]] std::span<std::uint64_t> words() noexcept {
    return {words_.data(), words_in_use()};
  }
  // Counts again, masks surplus bits, and takes every page as changed.
  void recount() noexcept;

  // Pages of 4 KiB as they are on disk; surplus bits are zero.
  [[nodiscard]] std::size_t pages() const noexcept { return changed_.size(); }
  [[nodiscard]] ConstBytes page(std::size_t index) const noexcept;
  void load_page(std::size_t index, ConstBytes bytes) noexcept;  // then recount_loaded() once
  void recount_loaded() noexcept;                                // nothing counts as changed
  [[nodiscard]] bool page_changed(std::size_t index) const noexcept { return changed_[index] != 0; }
  void page_written(std::size_t index) noexcept;
  void page_changed_again(std::size_t index) noexcept { mark_page(index); }
  [[nodiscard]] std::size_t changed_pages() const noexcept { return changed_count_; }
  static std::size_t page_of(ByteOffset at) noexcept {
    return static_cast<std::size_t>(at.value() / block_bytes / 8 / page_bytes_count);
  }

 private:
  [[nodiscard]] std::size_t words_in_use() const noexcept {
    return static_cast<std::size_t>(ceil_div(bits_, 64));
  }
  std::uint64_t change(std::uint64_t first, std::uint64_t end, bool set) noexcept;
  void mark_page(std::size_t index) noexcept;
  void mask_surplus() noexcept;
  void count() noexcept;

  std::uint64_t bits_ = 0;
  std::uint64_t weight_ = 0;
  ZeroedArray<std::uint64_t> words_;  // whole pages
  ZeroedArray<std::uint8_t> changed_;
  std::size_t changed_count_ = 0;
};

}  // namespace replicator
