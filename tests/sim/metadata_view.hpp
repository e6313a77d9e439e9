// The checkers' own reading of DRBD meta data on a simulated disk, written from the format
// description alone, so that a mistake in metadata/ is not repeated by what checks it. Internal
// meta data, one stripe of 32 KiB. Normative: docs/metadata.md.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/units.hpp"
#include "tests/sim/disk.hpp"
#include "tests/sim/image.hpp"

namespace replicator::sim {

namespace md_flag {
inline constexpr std::uint32_t consistent = 0x001;
inline constexpr std::uint32_t primary = 0x002;
inline constexpr std::uint32_t connected = 0x004;
inline constexpr std::uint32_t full_sync = 0x008;
inline constexpr std::uint32_t was_up_to_date = 0x010;
inline constexpr std::uint32_t al_clean = 0x080;
inline constexpr std::uint32_t al_disabled = 0x100;
}  // namespace md_flag

// Where things are, for a device of a given size.
struct MetadataPlaces {
  explicit MetadataPlaces(ByteCount device);
  ByteOffset superblock;
  ByteOffset activity_log;
  ByteOffset bitmap;
  ByteCount data;  // usable size
};

// What drbdmeta create-md writes; `generation` 4 is "just created". With another generation: as if
// this disk had been UpToDate in that generation, with no bit set, so that two such disks are in
// sync without a resync.
void create_metadata(Image& image, std::uint64_t generation);

// What drbdmeta does before an attach when the device has grown: meta data that lie where a device
// of `before` had them move to the end, at once and onto media, unless there are some already.
void move_metadata(Image& image, ByteCount before);

class MetadataView {
 public:
  explicit MetadataView(const SimDisk& disk);
  explicit MetadataView(const Image& image);

  // Reads what is on media now (cheap when nothing changed since the last call).
  void refresh();

  // Where they were found last: the device may have grown since.
  [[nodiscard]] const MetadataPlaces& places() const noexcept { return places_; }
  [[nodiscard]] ByteCount found_in() const noexcept { return found_in_; }
  // The device has another size now.
  void note_size() { sizes_.push_back(image_.size()); }
  [[nodiscard]] bool valid() const noexcept { return valid_; }
  [[nodiscard]] std::uint32_t flags() const noexcept { return flags_; }
  [[nodiscard]] std::uint64_t uuid(std::size_t slot) const noexcept { return uuids_[slot]; }
  [[nodiscard]] ByteCount device_size() const noexcept { return size_; }
  // In the activity log that a replay would find.
  [[nodiscard]] bool hot(std::uint64_t extent) const noexcept;
  [[nodiscard]] bool marked(std::uint64_t block) const noexcept;
  // A crash now would leave this block marked (bitmap, activity log of a Primary, or full sync).
  [[nodiscard]] bool covered(std::uint64_t block) const noexcept;
  [[nodiscard]] std::uint64_t marked_blocks() const noexcept;

 private:
  void find();
  void read_superblock();
  void read_activity_log();
  void read_bitmap();

  const SimDisk* disk_ = nullptr;
  const Image& image_;
  MetadataPlaces places_;
  ByteCount found_in_;
  std::vector<ByteCount> sizes_;  // that the device has had since
  std::uint64_t version_ = ~0ULL;
  bool valid_ = false;
  std::uint32_t flags_ = 0;
  std::array<std::uint64_t, 4> uuids_{};
  ByteCount size_;
  std::vector<bool> hot_;
  std::vector<std::byte> bitmap_;
  std::vector<std::uint32_t> slots_;
};

}  // namespace replicator::sim
