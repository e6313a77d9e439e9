// What a simulated disk holds: for every 512-byte sector the content that reads see, and, while
// that is not yet on media, the content that a power cut would leave. Sparse: pages that were never
// written cost nothing.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.hpp"
#include "base/units.hpp"

namespace replicator::sim {

class Image {
 public:
  explicit Image(ByteCount size);

  [[nodiscard]] ByteCount size() const noexcept { return size_; }
  void resize(ByteCount size);

  // What reads return.
  void read(ByteOffset from, Bytes into) const noexcept;
  // What would be left if the whole cache were lost.
  void read_media(ByteOffset from, Bytes into) const noexcept;
  // Into the cache. Offsets and lengths are whole sectors.
  void write(ByteOffset at, ConstBytes data) noexcept;
  void write_zeroes(ByteRange range) noexcept;
  // The cached content of a sector becomes media (destage), or goes back to what media holds.
  [[nodiscard]] bool dirty(Sector sector) const noexcept;
  void keep(Sector sector) noexcept;
  void lose(Sector sector) noexcept;

  // The sectors that were dirty when this was called; taking them does not change their state.
  struct DirtyPage {
    std::uint32_t page;
    std::uint8_t sectors;  // one bit each
  };
  [[nodiscard]] std::vector<DirtyPage> dirty_pages();
  void keep(const DirtyPage& which) noexcept;

  // Do reads of this 4 KiB block return the same from both images?
  [[nodiscard]] bool same_block(const Image& other, std::uint64_t block) const noexcept;
  // A copy that shares nothing: media only, as if taken while the machine is off.
  [[nodiscard]] std::unique_ptr<Image> copy() const;

 private:
  using PageData = std::array<std::byte, block_bytes>;
  struct Page {
    std::unique_ptr<PageData> current;  // null: zeroes
    std::unique_ptr<PageData> media;    // of the dirty sectors only; null: zeroes
    std::uint8_t dirty = 0;
    bool listed = false;
  };
  static constexpr std::uint64_t pages_per_chunk = 256;
  using Chunk = std::array<Page, pages_per_chunk>;

  [[nodiscard]] const Page* find(std::uint64_t page) const noexcept;
  Page& get(std::uint64_t page) noexcept;
  void store(std::uint64_t page, std::uint64_t offset, ConstBytes data) noexcept;
  void note_dirty(Page& page, std::uint64_t index, std::uint8_t sectors) noexcept;
  std::unique_ptr<PageData> fresh();
  void recycle(std::unique_ptr<PageData> page) noexcept;

  ByteCount size_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<std::uint32_t> listed_;  // pages that may be dirty
  std::vector<std::unique_ptr<PageData>> spare_;
};

}  // namespace replicator::sim
