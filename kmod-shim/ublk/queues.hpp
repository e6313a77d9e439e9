// Serves the requests of one ublk device on the reactor's thread: one coroutine for each request
// that may be in flight. It fetches a request, does to the volume what the block layer asked for,
// and gives the answer together with the next fetch.
//
// Data are copied between the request and memory of the pool by a system call, which moves memory
// and waits for nothing. When the pool is empty, requests wait for it in order of arrival (P6).
// Keeps D3 (flush and FUA are those of the volume), D7 (a request that is done in parts succeeds
// only when each part did) and P4 (requests.hpp).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "devices/file_descriptor.hpp"
#include "io/block_device.hpp"
#include "io/buffer_pool.hpp"
#include "io/sync.hpp"
#include "ublk/requests.hpp"
#include "uring/reactor.hpp"

namespace replicator::shim::ublk {

class Queues {
 public:
  // All outlive the queues; ended() comes before the end of them, if they were started.
  Queues(uring::Reactor& reactor, io::BlockDevice& device, io::BufferPool& pool)
      : reactor_(reactor),
        device_(device),
        pool_(pool, own_bytes),
        share_(std::max<std::uint64_t>(pool.arena().size() / 2, request_bytes_max)) {}
  Queues(const Queues&) = delete;
  Queues& operator=(const Queues&) = delete;
  ~Queues();

  // Takes the device's character file and maps its descriptors. On any thread.
  Status open(FileDescriptor file, std::uint16_t queues, std::uint16_t depth);
  // Fetches a request for each tag; from the reactor's thread, which the driver remembers.
  void start();
  // Waits until the driver has taken back all fetches, which it does when the device is stopped;
  // then lets go of the file.
  Task<void> ended();

  // From here on a request that arrives waits; those before are in progress until it is quiet.
  void hold() noexcept { held_ = true; }
  [[nodiscard]] bool quiet() const noexcept { return underway_ == 0; }
  void release() noexcept {
    held_ = false;
    released_.notify_all();
  }

 private:
  Task<void> serve(std::uint16_t queue, std::uint16_t tag);
  Task<Status> carry_out(Action action, std::uint64_t position);
  Task<Status> read(ByteRange range, std::uint64_t position);
  Task<Status> write(ByteRange range, bool force_unit_access, std::uint64_t position);
  Task<Status> zero(Action action);
  Task<Status> zero_part(Action action, ByteRange part);
  [[nodiscard]] Descriptor descriptor(std::uint16_t queue, std::uint16_t tag) const noexcept;
  void close() noexcept;

  uring::Reactor& reactor_;
  io::BlockDevice& device_;
  // When several volumes stand still, they have taken all of what is shared: each goes on with a
  // little of its own (L2).
  static constexpr std::size_t own_bytes = 1U << 20U;
  io::BufferPool pool_;
  // Of what is shared, this volume's part.
  io::Semaphore share_;
  FileDescriptor file_;
  std::vector<const std::byte*> descriptors_;  // one mapping for each queue
  std::uint16_t depth_ = 0;
  bool held_ = false;
  std::uint32_t underway_ = 0;
  io::Event released_;
  io::Gate serving_;  // last: its frames refer to everything above
};

}  // namespace replicator::shim::ublk
