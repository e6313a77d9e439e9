// The one door to the outside world. The engine includes this file and never liburing. Two worlds
// implement it: uring/ (the kernel) and tests/sim (virtual time, seeded faults).
//
// Every operation fills a named Op (io/op.hpp). Buffers and Ops belong to the caller and must live
// until the Op has completed. Results are bytes moved or -errno.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "base/units.hpp"
#include "base/wall_time.hpp"
#include "io/address.hpp"
#include "io/helper.hpp"
#include "io/op.hpp"

namespace replicator::io {

// stable: on media when the Op completes (the write itself, as FUA does; not earlier writes).
enum class Durability : std::uint8_t { cached, stable };

// How operations of a disk get on: how many have begun, and the number of the oldest one under way
// (from 1; `begun` + 1 when none is).
struct DiskProgress {
  std::uint64_t begun = 0;
  std::uint64_t oldest = 1;
};

// A backing disk. Offsets, lengths and memory are multiples of logical_block_bytes(). Transfers are
// whole: the result is the full length or -errno. Several operations may be in flight; the device
// orders nothing by itself (only flush() does).
class Disk {
 public:
  virtual ~Disk() = default;
  [[nodiscard]] virtual ByteCount size() const noexcept = 0;
  // Looks at the device again, which may have grown: size() says what was found.
  virtual void measure() noexcept {}
  [[nodiscard]] virtual std::uint32_t logical_block_bytes() const noexcept = 0;
  virtual void read(Op&, ByteOffset, Bytes) = 0;
  virtual void write(Op&, ByteOffset, ConstBytes, Durability) = 0;
  // Every write that completed before this call is on media when it completes.
  virtual void flush(Op&) = 0;
  // Afterwards the range reads as anything (discard) or as zeroes. -EOPNOTSUPP when not offered.
  virtual void discard(Op&, ByteRange) = 0;
  virtual void write_zeroes(Op&, ByteRange, bool may_unmap) = 0;
  [[nodiscard]] virtual DiskProgress progress() const noexcept { return {}; }
  // For a disk that hangs: what is under way completes with -ETIMEDOUT, and so does everything from
  // now on. The device may yet carry out the former: their memory is in HeldMemory until then, and
  // the disk goes to Storage::keep().
  virtual void give_up() noexcept {}
};

// Disks that were given up, together, and what has to live as long as their operations.
struct Remains {
  std::vector<std::shared_ptr<void>> memory;
  std::vector<std::unique_ptr<Disk>> disks;
};

enum class DiskAccess : std::uint8_t { exclusive, shared };

class Storage {
 public:
  virtual ~Storage() = default;
  // Fault::busy when mounted, claimed or open exclusively elsewhere; not_found; unsupported (not a
  // block device and not a regular file); io_error with errno.
  virtual Result<std::unique_ptr<Disk>> open(std::string_view path, DiskAccess access) = 0;
  // Closes them when none of them has anything under way: until then nobody else opens them.
  virtual void keep(Remains remains) { static_cast<void>(remains); }
};

struct IoSlice {
  const std::byte* data;
  std::size_t size;
};

// A connected byte stream. At most one receive and one send are in flight at a time.
class Stream {
 public:
  virtual ~Stream() = default;  // closes; no Op may be in flight
  // At least 1 and at most into.size() bytes; 0 = the peer closed; -ETIMEDOUT after `patience`.
  virtual void receive(Op&, Bytes into, Duration patience) = 0;
  void receive(Op& op, Bytes into) { receive(op, into, Duration::forever()); }
  // Moves everything (result = total) or fails. The slices array itself may go away after the call;
  // the memory it points at may not.
  virtual void send(Op&, std::span<const IoSlice> slices, Duration patience) = 0;
  void send(Op& op, std::span<const IoSlice> slices) { send(op, slices, Duration::forever()); }
  // Ends both directions now; operations in flight complete soon, with 0 or an error.
  virtual void shutdown() noexcept = 0;
  // Something can be read at once, or the peer is silent (true), or the stream is dead (false).
  [[nodiscard]] virtual bool alive() noexcept = 0;
  [[nodiscard]] virtual Address local() const noexcept = 0;
  [[nodiscard]] virtual Address peer() const noexcept = 0;
  // Why an operation failed, where the stream knows more than an errno; otherwise empty.
  [[nodiscard]] virtual std::string problem() const { return {}; }
  // Unix streams: the user id of the other end; otherwise nobody (~0).
  [[nodiscard]] virtual std::uint32_t peer_user() const noexcept { return ~0U; }
  // Unix streams: the process that connected; otherwise 0. For people: it may have ended since.
  [[nodiscard]] virtual std::uint32_t peer_process() const noexcept { return 0; }
};

class Listener {
 public:
  virtual ~Listener() = default;  // closes; no Op may be in flight
  // Fills `accepted` when the result is 0. -ETIMEDOUT after `patience`, -ECANCELED after close().
  virtual void accept(Op&, std::unique_ptr<Stream>& accepted, Duration patience) = 0;
  virtual void close() noexcept = 0;
};

struct SocketOptions {
  std::uint32_t send_buffer_bytes = 0;  // 0 = leave it to the system
  std::uint32_t receive_buffer_bytes = 0;
};

class Network {
 public:
  virtual ~Network() = default;
  // TCP (TCP_NODELAY, SO_REUSEADDR) or unix socket (mode 0600 unless said otherwise by the path's
  // owner).
  virtual Result<std::unique_ptr<Listener>> listen(const Address& at, SocketOptions options) = 0;
  // Binds to `from` with port 0 when it has a host part. Fills `connected` when the result is 0.
  virtual void connect(Op&, const Address& from, const Address& to, SocketOptions options,
                       std::unique_ptr<Stream>& connected, Duration patience) = 0;
  // Ends a connect early (-ECANCELED); nothing happens when it is not in flight.
  virtual void cancel(Op&) noexcept = 0;
};

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const noexcept = 0;
  // What the calendar says: to be shown to people, never to be decided by.
  [[nodiscard]] virtual WallTime wall_time() const noexcept = 0;
  // Completes with 0 at (or soon after) the time, or with -ECANCELED after wake().
  virtual void sleep_until(Op&, Instant when) = 0;
  // Ends a sleep early; nothing happens when it is not in flight.
  virtual void wake(Op&) noexcept = 0;
  void sleep(Op& op, Duration duration) { sleep_until(op, now() + duration); }
};

class Entropy {
 public:
  virtual ~Entropy() = default;
  virtual void fill(Bytes random) = 0;
  std::uint64_t next64() {
    std::byte raw[8];
    fill(raw);
    return read_native<std::uint64_t>(raw, 0);
  }
};

// One thread's world. References live as long as the reactor or the simulated node.
struct World {
  Storage& storage;
  Network& network;
  Clock& clock;
  Entropy& entropy;
  Helper& helper;
};

}  // namespace replicator::io
