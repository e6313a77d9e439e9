// The undo file of one volume: what a resync is about to overwrite on a replica whose own changes
// were given up. A header, one bit for each 4 KiB block that was kept, then the blocks, each at its
// place on the device: a sparse file. Numbers are big-endian. A block whose bit is set is on media
// in the file. Normative: docs/undo.md#format.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/units.hpp"
#include "metadata/generations.hpp"

namespace replicator {

inline constexpr std::size_t undo_header_bytes = 4096;
inline constexpr const char* default_undo_directory = "/var/lib/pollux/undo";
inline constexpr std::size_t undo_name_max = 127;  // of a resource

enum class UndoReason : std::uint8_t {
  split_brain = 1,      // the victim of an automatic policy
  discard_my_data = 2,  // the administrator's choice
  full_sync = 3,        // a disk with data of its own is overwritten whole
};
const char* text(UndoReason reason) noexcept;

struct UndoHeader {
  std::string resource;
  std::uint32_t volume = 0;
  ByteCount device;  // size of the volume
  UndoReason reason = UndoReason::split_brain;
  bool complete = false;            // the resync has ended
  bool partial = false;             // not everything could be kept
  std::uint64_t began_seconds = 0;  // since 1970
  GenerationSet mine;               // of the data that was given up
  GenerationSet peer;

  bool operator==(const UndoHeader&) const noexcept = default;

  [[nodiscard]] BlockCount blocks() const noexcept {
    return BlockCount(ceil_div(device.value(), block_bytes));
  }
  [[nodiscard]] ByteOffset bitmap_at() const noexcept { return ByteOffset(undo_header_bytes); }
  [[nodiscard]] ByteOffset data_at() const noexcept;
  [[nodiscard]] ByteCount file_size() const noexcept;
};

void encode(const UndoHeader& header, Bytes block);
// Fault::malformed; `where` says what does not fit.
Result<UndoHeader> decode_undo_header(ConstBytes block);

}  // namespace replicator
