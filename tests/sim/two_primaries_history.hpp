// A history about two Primaries: applications on both nodes write at once, to few places, over a
// link that is slow here and there; then the link or a node goes, both are made whole by what an
// operator would do, and the next round begins. Checked:
//   E1      when all is quiet both disks are equal
//   D1      what one of them was answered is there, unless a write that met it or followed it is
//   L1, L2  no write hangs, and without a fault the link stays
//   G1, G2  both wrote apart: nothing is resolved until the operator names the victim, and the
//   other
//           one loses nothing
//   E2      at each crash: what differs is marked or hot
#pragma once

#include <string>

#include "tests/sim/world.hpp"

namespace replicator::sim {

struct TwoPrimariesResult {
  std::string text;  // what was drawn, and how it ended
  std::uint64_t writes = 0;
  std::uint32_t faults = 0;
};

// Runs it to its end; failures are the world's.
TwoPrimariesResult run_two_primaries(World& world);

}  // namespace replicator::sim
