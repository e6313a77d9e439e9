// The digests that a connection is configured with, ready for use.
#pragma once

#include <cstdint>

#include "engine/config.hpp"
#include "protocol/digest.hpp"

namespace replicator {

struct Digests {
  BlockDigest verify;
  BlockDigest checksums;
  BlockDigest integrity;
};

// 0, or the configuration error that names the option; `digests` is unchanged then.
std::int32_t make_digests(const NetOptions& options, Digests& digests);

}  // namespace replicator
