// Meta data of DRBD 0.7 or 9 in their place on a device, and their conversion into those of 8.4.
//   D6  While areas move, a superblock of 8.4 that says "full sync" is in place: interrupted, all
//   blocks are marked, and none is forgotten.
#pragma once

#include <optional>

#include "metatool/other_formats.hpp"
#include "metatool/session.hpp"

namespace replicator::metatool {

struct FoundOther {
  OtherMetadata metadata;
  OtherPlace place = OtherPlace::external;
  std::uint64_t superblock = 0;  // sector

  [[nodiscard]] std::uint64_t at(std::int32_t offset) const noexcept {
    return superblock + static_cast<std::uint64_t>(static_cast<std::int64_t>(offset));
  }
  [[nodiscard]] std::uint64_t activity_log() const noexcept { return at(metadata.al_offset); }
  [[nodiscard]] std::uint64_t bitmap() const noexcept { return at(metadata.bm_offset); }
};

// Faults as of parse_other and check_other. Internal meta data of 0.7 lie at their fixed place, or
// where those of 8.4 do.
Result<FoundOther> find_other(Session& session);

// The bitmap of one peer out of `max_peers` interleaved ones, 32 bits of each in turn.
void pick_bitmap(ConstBytes interleaved, std::uint32_t max_peers, std::uint32_t slot, Bytes into);

// Fault::unsupported: 8.4 cannot express them; nothing was written.
Status convert_md(Session& session, const FoundOther& found);

}  // namespace replicator::metatool
