// The application: clients on the Primary that read, write, flush, discard and zero through its
// block device, with hot spots, overlaps and bursts, and tell the oracle what they asked for and
// what was answered. Clients live in a Gate that dies with the node; the oracle and the counters
// survive.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "io/block_device.hpp"
#include "io/io.hpp"
#include "io/sync.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/world.hpp"

namespace replicator::sim {

struct Workload {
  std::uint32_t clients = 4;
  std::uint32_t read_percent = 20;
  std::uint32_t flush_percent = 5;
  std::uint32_t discard_percent = 1;
  std::uint32_t zeroes_percent = 1;
  std::uint32_t stable_percent = 3;    // of the writes
  std::uint32_t hot_percent = 50;      // of the operations go to the hot spots
  std::uint32_t hot_spots = 4;         // ranges of 64 KiB
  std::uint32_t largest_sectors = 64;  // of most operations; one in fifty is up to 1 MiB
  Duration longest_pause = Duration::milliseconds(3);
  std::uint32_t burst_percent = 50;  // chance that a client goes on without a pause
};

class Application {
 public:
  // What it draws follows from the world's seed and its name.
  Application(World& world, Oracle& oracle, ByteCount device_size, Workload workload,
              std::string_view name = "application");

  // What an answer depends on beyond the device itself; asked when operations end.
  class Observer {
   public:
    // A write of this node was answered with success. `data`: none if it was a clearing.
    virtual void answered(NodeId node, ByteRange range, Instant began, ConstBytes data) = 0;
    // See Oracle::check_read.
    virtual Instant weak_since(NodeId node) = 0;

   protected:
    ~Observer() = default;
  };
  void observe(Observer& observer) noexcept { observer_ = &observer; }

  // Runs the clients in the gate until stop() or the budget of operations is used up. The device is
  // open.
  void run(io::Gate& gate, NodeId node, io::Clock& clock, io::BlockDevice& device,
           std::uint64_t operations);
  // The device has grown. The new area holds anything, so that only what was written there is read.
  void may_write_up_to(ByteCount size) noexcept;
  // Writes go to the same hot spots as those of that one.
  void share_hot_spots(const Application& with) { hot_ = with.hot_; }
  // Clients end after the operation they are in.
  void stop() noexcept { stopping_ = true; }
  [[nodiscard]] bool idle() const noexcept { return running_ == 0; }
  // The node is gone, with its clients.
  void node_died(NodeId node);

  [[nodiscard]] std::uint64_t operations() const noexcept { return operations_; }
  [[nodiscard]] std::uint64_t errors() const noexcept { return errors_; }
  [[nodiscard]] std::uint32_t in_flight() const noexcept { return in_flight_; }
  [[nodiscard]] bool budget_left() const noexcept { return budget_ > 0; }

 private:
  struct Buffer {
    alignas(4096) std::byte bytes[1U << 20U];
  };
  // A client's memory: comes from and goes back to the application, also when the client dies.
  // What a disk that hangs may still use is not used for anything else.
  class Lease {
   public:
    Lease(Application& application, std::size_t size);
    void take();
    void give();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease();
    [[nodiscard]] Bytes bytes() noexcept { return {buffer_->bytes, size_}; }

   private:
    Application& application_;
    std::unique_ptr<Buffer> buffer_;
    std::size_t size_;
  };

  Task<void> client(NodeId node, io::Clock& clock, io::BlockDevice& device, std::uint32_t index);
  Task<void> one_read(NodeId node, io::BlockDevice& device, ByteRange range);
  Task<void> one_write(NodeId node, io::BlockDevice& device, ByteRange range, bool stable);
  Task<void> one_flush(NodeId node, io::BlockDevice& device);
  Task<void> one_clearing(NodeId node, io::BlockDevice& device, ByteRange range, bool discard);
  ByteRange draw_range(std::uint64_t sectors);
  void note_error(const char* what, const Status& status);

  World& world_;
  Oracle& oracle_;
  std::uint64_t sectors_;           // may be read
  std::uint64_t writable_sectors_;  // … written
  Workload workload_;
  Prng prng_;
  Observer* observer_ = nullptr;
  std::vector<std::uint64_t> hot_;  // first sectors
  std::vector<std::unique_ptr<Buffer>> spare_;
  std::vector<std::unique_ptr<Buffer>> held_;
  std::uint64_t budget_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t errors_ = 0;
  std::uint32_t running_ = 0;
  std::uint32_t in_flight_ = 0;
  bool stopping_ = false;
};

}  // namespace replicator::sim
