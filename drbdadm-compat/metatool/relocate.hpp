// Internal meta data lies at the end of its device. When the device has grown, it is found by the
// size that was last known, and moved to the new end: new areas first, then the new superblock,
// then the old one is wiped, each stable before the next (D6). Interrupted before the new
// superblock, the old one is still in place.
#pragma once

#include <optional>

#include "metatool/last_known.hpp"
#include "metatool/session.hpp"

namespace replicator::metatool {

// The last known size, when valid meta data lies where it was then and not where it belongs now.
// Says so when another device's meta data is found there.
std::optional<LastKnown> find_displaced(Session& session);
// Moves it as it is. The exit code.
int move_to_the_end(Session& session, const LastKnown& last_known);

// After a command that wrote: remembers this size. Failure costs nothing but the search.
void remember_size(Session& session);

}  // namespace replicator::metatool
