#include "tests/sim/metadata_view.hpp"

#include <isa-l/crc.h>

#include <algorithm>
#include <array>

namespace replicator::sim {

namespace {

constexpr std::uint64_t log_blocks = 8;
constexpr std::uint32_t magic_clean = 0x8374026b;
constexpr std::uint32_t magic_unclean = 0x8374026c;
constexpr std::uint32_t log_magic = 0x69cb65a2;
constexpr std::uint32_t free_slot = 0xffffffff;
constexpr std::size_t context_entries = 919;
using Block = std::array<std::byte, block_bytes>;

std::uint32_t checksum_without_field(Block block) {
  write_be32(block, 8, 0);
  return crc32_iscsi(reinterpret_cast<unsigned char*>(block.data()), static_cast<int>(block.size()),
                     0);
}

bool is_valid(const Block& block) {
  return read_be32(block, 0) == log_magic && read_be32(block, 8) == checksum_without_field(block);
}

}  // namespace

MetadataPlaces::MetadataPlaces(ByteCount device) {
  const std::uint64_t capacity = device.value() / sector_bytes;
  const std::uint64_t super = (capacity & ~7ULL) - 8;
  const std::uint64_t bitmap_sectors = round_up(ceil_div(capacity, 32768), 8);
  superblock = ByteOffset(super * sector_bytes);
  activity_log = superblock - ByteCount(log_blocks * block_bytes);
  bitmap = activity_log - ByteCount(bitmap_sectors * sector_bytes);
  data = bitmap - ByteOffset(0);
}

void create_metadata(Image& image, std::uint64_t generation) {
  const MetadataPlaces places(image.size());
  const bool in_use = generation != 4;
  Block block{};
  const auto negative = [&](ByteOffset place) {
    return static_cast<std::uint32_t>(
        -static_cast<std::int32_t>((places.superblock - place).value() / sector_bytes));
  };
  write_be64(block, 0, in_use ? places.data.value() / sector_bytes : 0);
  write_be64(block, 8, generation);
  write_be32(block, 56,
             md_flag::al_clean | (in_use ? md_flag::consistent | md_flag::was_up_to_date : 0U));
  write_be32(block, 60, magic_clean);
  write_be32(block, 64,
             static_cast<std::uint32_t>((places.superblock - places.bitmap).value() / sector_bytes +
                                        sectors_per_block));
  write_be32(block, 68, negative(places.activity_log));
  write_be32(block, 72, 257);
  write_be32(block, 76, negative(places.bitmap));
  write_be32(block, 80, 4096);
  write_be32(block, 88, 1);
  write_be32(block, 92, 8);
  image.write(places.superblock, block);

  Block empty{};
  write_be32(empty, 0, log_magic);
  write_be16(empty, 12, 0xffff);
  write_be32(empty, 8, checksum_without_field(empty));
  for (std::uint64_t i = 0; i < log_blocks; ++i) {
    image.write(places.activity_log + ByteCount(i * block_bytes), empty);
  }
  image.write_zeroes(ByteRange(places.bitmap, places.activity_log - places.bitmap));
  for (const Image::DirtyPage& page : image.dirty_pages())
    image.keep(page);
}

void move_metadata(Image& image, ByteCount before) {
  const MetadataPlaces from(before);
  const MetadataPlaces to(image.size());
  Block super;
  image.read(to.superblock, super);
  const std::uint32_t magic = read_be32(super, 60);
  if (magic == magic_clean || magic == magic_unclean) return;
  image.read(from.superblock, super);
  std::vector<std::byte> log(log_blocks * block_bytes);
  image.read(from.activity_log, log);
  std::vector<std::byte> bitmap((to.activity_log - to.bitmap).value());
  image.read(from.bitmap, Bytes(bitmap).first((from.activity_log - from.bitmap).value()));
  const auto sectors = [](ByteCount distance) {
    return static_cast<std::uint32_t>(distance.value() / sector_bytes);
  };
  write_be32(super, 64, sectors(to.superblock - to.bitmap) + sectors_per_block);
  write_be32(super, 76, ~sectors(to.superblock - to.bitmap) + 1);
  image.write(to.bitmap, bitmap);
  image.write(to.activity_log, log);
  image.write(to.superblock, super);
  for (const Image::DirtyPage& page : image.dirty_pages())
    image.keep(page);
}

MetadataView::MetadataView(const Image& image)
    : image_(image),
      places_(image.size()),
      found_in_(image.size()),
      hot_(ceil_div(image.size().value(), extent_bytes)) {
  bitmap_.resize((places_.activity_log - places_.bitmap).value());
}

MetadataView::MetadataView(const SimDisk& disk) : MetadataView(disk.image()) { disk_ = &disk; }

void MetadataView::refresh() {
  if (disk_ != nullptr && disk_->media_version() == version_) return;
  if (disk_ != nullptr) version_ = disk_->media_version();
  find();
  read_superblock();
  read_activity_log();
  read_bitmap();
}

// At the end of the largest size at which there are any; below the last place nothing is looked
// for.
void MetadataView::find() {
  for (std::size_t i = sizes_.size(); i > 0; --i) {
    const MetadataPlaces there(sizes_[i - 1]);
    Block block;
    image_.read_media(there.superblock, block);
    const std::uint32_t magic = read_be32(block, 60);
    if (magic != magic_clean && magic != magic_unclean) continue;
    places_ = there;
    found_in_ = sizes_[i - 1];
    hot_.assign(ceil_div(found_in_.value(), extent_bytes), false);
    bitmap_.assign((places_.activity_log - places_.bitmap).value(), std::byte{});
    sizes_.erase(sizes_.begin(), sizes_.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

void MetadataView::read_superblock() {
  Block block;
  image_.read_media(places_.superblock, block);
  const std::uint32_t magic = read_be32(block, 60);
  valid_ = (magic == magic_clean || magic == magic_unclean) && read_be32(block, 80) == 4096;
  size_ = ByteCount(read_be64(block, 0) * sector_bytes);
  flags_ = read_be32(block, 56);
  for (std::size_t i = 0; i < uuids_.size(); ++i)
    uuids_[i] = read_be64(block, 8 + 8 * i);
}

void MetadataView::read_activity_log() {
  std::array<Block, log_blocks> blocks;
  std::array<bool, log_blocks> good{};
  std::int64_t newest = -1;
  for (std::uint64_t i = 0; i < log_blocks; ++i) {
    image_.read_media(places_.activity_log + ByteCount(i * block_bytes), blocks[i]);
    good[i] = is_valid(blocks[i]) && read_be16(blocks[i], 12) == 0;
    if (!good[i]) continue;
    const auto newer = [&](std::uint64_t a, std::uint64_t b) {
      return static_cast<std::int32_t>(read_be32(blocks[a], 4) - read_be32(blocks[b], 4)) > 0;
    };
    if (newest < 0 || newer(i, static_cast<std::uint64_t>(newest))) {
      newest = static_cast<std::int64_t>(i);
    }
  }
  hot_.assign(hot_.size(), false);
  if (newest < 0) return;
  std::size_t slot_count = 0;
  for (std::uint64_t i = 0; i < log_blocks; ++i) {
    if (good[i]) slot_count = std::max<std::size_t>(slot_count, read_be16(blocks[i], 16));
  }
  slots_.assign(slot_count, free_slot);
  for (std::uint64_t step = 1; step <= log_blocks; ++step) {  // from the oldest to the newest
    const std::uint64_t i = (static_cast<std::uint64_t>(newest) + step) % log_blocks;
    if (!good[i]) continue;
    const Block& block = blocks[i];
    const std::uint32_t size = read_be16(block, 16);
    const std::uint32_t start = read_be16(block, 18);
    for (std::uint32_t k = 0; k < context_entries; ++k) {
      const std::uint32_t extent = read_be32(block, 420 + 4 * k);
      if (extent == free_slot && start + k >= size) continue;
      if (start + k < slot_count) slots_[start + k] = extent;
    }
    const std::uint32_t updates = std::min<std::uint32_t>(read_be16(block, 14), 64);
    for (std::uint32_t k = 0; k < updates; ++k) {
      const std::uint32_t slot = read_be16(block, 36 + 2 * k);
      if (slot < slot_count) slots_[slot] = read_be32(block, 164 + 4 * k);
    }
  }
  for (const std::uint32_t extent : slots_) {
    if (extent < hot_.size()) hot_[extent] = true;
  }
}

void MetadataView::read_bitmap() { image_.read_media(places_.bitmap, bitmap_); }

bool MetadataView::hot(std::uint64_t extent) const noexcept {
  return extent < hot_.size() && hot_[extent];
}

bool MetadataView::marked(std::uint64_t block) const noexcept {
  if (block / 8 >= bitmap_.size()) return false;
  return (static_cast<unsigned>(bitmap_[block / 8]) & (1U << (block % 8))) != 0;
}

bool MetadataView::covered(std::uint64_t block) const noexcept {
  if ((flags_ & md_flag::full_sync) != 0) return true;
  if ((flags_ & md_flag::primary) != 0) {
    if ((flags_ & md_flag::al_disabled) != 0) return true;
    if (hot(block * block_bytes / extent_bytes)) return true;
  }
  return marked(block);
}

std::uint64_t MetadataView::marked_blocks() const noexcept {
  std::uint64_t count = 0;
  const std::uint64_t blocks = ceil_div(size_.value(), block_bytes);
  for (std::uint64_t block = 0; block < blocks; ++block)
    count += marked(block) ? 1 : 0;
  return count;
}

}  // namespace replicator::sim
