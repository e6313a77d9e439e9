// How the receiver makes sure that one epoch of the peer's writes is on disk before the next. Pure.
#pragma once

#include <algorithm>

#include "engine/config.hpp"

namespace replicator {

enum class WriteOrdering : unsigned char {  // weakest first
  none,   // not at all: for devices that keep the order themselves and never lose what they took
  drain,  // waits for the writes
  flush,  // and for a flush of the disk
};

constexpr WriteOrdering write_ordering(const DiskOptions& disk) noexcept {
  if (disk.disk_flushes) return WriteOrdering::flush;
  return disk.disk_drain ? WriteOrdering::drain : WriteOrdering::none;
}

// Of a resource: the weakest of its volumes', for epochs cover all of them.
constexpr WriteOrdering weaker(WriteOrdering a, WriteOrdering b) noexcept { return std::min(a, b); }

// As in proc/drbd, behind wo:.
constexpr char letter(WriteOrdering ordering) noexcept {
  constexpr char letters[] = {'n', 'd', 'f'};
  return letters[static_cast<unsigned>(ordering)];
}
constexpr const char* name(WriteOrdering ordering) noexcept {
  constexpr const char* names[] = {"none", "drain", "flush"};
  return names[static_cast<unsigned>(ordering)];
}

}  // namespace replicator
