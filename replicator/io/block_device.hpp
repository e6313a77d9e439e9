// What a frontend (NBD, FUSE, ublk) sees of a volume: the seam between frontends and the engine, so
// that each can be tested without the other. The engine's Volume implements it; tests use a memory
// one.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/units.hpp"
#include "io/task.hpp"

namespace replicator::io {

struct BlockLimits {
  ByteCount size;                   // current size of the device, may change (online resize)
  std::uint32_t block_bytes = 512;  // offsets and lengths are multiples of it
  std::uint32_t preferred_bytes = 4096;
  std::uint32_t maximum_bytes = 1U << 20U;  // of one read or write; frontends split larger ones
  bool writable = false;                    // false on a Secondary
};

class BlockDevice {
 public:
  virtual ~BlockDevice() = default;

  [[nodiscard]] virtual BlockLimits limits() const noexcept = 0;

  // An opener counts: a device that is open cannot be demoted (S4). Fault::read_only when writing
  // is asked for and this node is not Primary. Every successful open is paired with one close.
  virtual Status open(bool for_writing) = 0;
  virtual void close(bool for_writing) noexcept = 0;

  // Memory is the caller's until the task is done; aligned to 4096 for best speed
  // (io/buffer_pool.hpp), otherwise it is copied. Ranges are checked here (Fault::out_of_range),
  // writes are refused with Fault::read_only unless Primary. `force_unit_access`: on media on both
  // nodes when done (D3).
  // Memory is taken out of use where it comes from (io/held_memory.hpp) when a disk that hangs may
  // still use it. A read into such memory fails with Fault::memory_held: the caller gives it back
  // and reads again into other memory.
  virtual Task<Status> read(ByteRange range, Bytes into) = 0;
  virtual Task<Status> write(ByteRange range, ConstBytes data, bool force_unit_access) = 0;
  // Done when every write answered before this call is on media on both nodes (D3).
  virtual Task<Status> flush() = 0;
  virtual Task<Status> discard(ByteRange range) = 0;
  virtual Task<Status> write_zeroes(ByteRange range, bool may_unmap) = 0;
};

}  // namespace replicator::io
