// A history about split brain: two nodes in sync part, each is Primary for a while and writes, then
// they meet with policies that were drawn, over a link that breaks now and then. Checked:
//   G2  with `disconnect` everywhere, and both changed, nothing is ever resolved
//   G1  when it is resolved, both disks hold exactly what one of them held when they met; where the
//       policy names the victim whatever happens, it is the other one's
//   E1  nothing stays marked
//   U1  what the victim held and lost is in its undo file (docs/undo.md)
#pragma once

#include <string>

#include "tests/sim/world.hpp"

namespace replicator::sim {

// Runs it to its end; failures are the world's. Returns what was drawn.
std::string run_split_brain(World& world);

}  // namespace replicator::sim
