// Which kind of place holds a volume's meta data: "internal", "flexible-external" ("flexible") or
// the number of a 128 MiB slot on a shared meta device. Normative: docs/metadata.md#placement.
#pragma once

#include <cstdint>

namespace replicator {

struct MetaDiskIndex {
  enum class Kind : std::uint8_t { internal, flexible, indexed } kind = Kind::internal;
  std::uint32_t slot = 0;
};

}  // namespace replicator
