// A loop device over a file, by system calls. All of them may wait for the server of that file:
// never called on the reactor's thread.
//
// Loop devices belong to the kernel, not to a mount namespace: other programs and other nodes on
// the same machine take them concurrently. One that is ours is known by its disk sequence number,
// which is different each time a loop device is given a file.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace replicator::shim {

struct LoopDevice {
  std::uint32_t number = 0;    // N of /dev/loopN
  std::uint64_t sequence = 0;  // of the disk that it is now
  bool operator==(const LoopDevice&) const = default;
};

// The device number a node needs to lead to it.
std::uint64_t device_number(const LoopDevice& loop) noexcept;

// Whether the loop device still is the disk that we made of it. Opens nothing, and waits for
// nobody.
bool is_there(const LoopDevice& loop);

// Takes a free loop device; direct I/O, no partition scan. Fault::busy when others took every free
// one first, each time.
Result<LoopDevice> attach_loop(const std::string& file, std::uint32_t block_bytes, bool read_only);

// Detaches only when nobody has it open, in one step that no opener can slip into
// (docs/decisions/device-open-count.md). Fault::busy otherwise; ok when it was detached already.
Status detach_loop_if_unused(const LoopDevice& loop);

// Detaches when the last opener closes it.
Status detach_loop_when_unused(const LoopDevice& loop);

// The size of the file has changed.
Status update_loop_size(const LoopDevice& loop, const std::string& file);

}  // namespace replicator::shim
