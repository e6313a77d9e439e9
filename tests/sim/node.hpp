// A simulated machine: its facade of io::World, its disks, which survive, and the program that runs
// on it, which does not. kill() ends the process as kill -9 does: the kernel closes its sockets,
// and operations in flight are carried out or were never submitted. power_cut() takes the volatile
// caches along, and the peers are not told. Either destroys the program without any shutdown, in
// the middle of whatever it did.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/guarded_storage.hpp"
#include "io/io.hpp"
#include "tests/sim/disk.hpp"
#include "tests/sim/helper.hpp"
#include "tests/sim/net.hpp"
#include "tests/sim/world.hpp"

namespace replicator::sim {

// Monotonic time of one machine: starts anywhere, runs up to 1 % fast or slow, fires late on
// demand.
class SimClock final : public io::Clock, EventTarget, io::Backend {
 public:
  SimClock(World& world, NodeId node);
  [[nodiscard]] Instant now() const noexcept override;
  [[nodiscard]] WallTime wall_time() const noexcept override;
  void sleep_until(io::Op& op, Instant when) override;
  void wake(io::Op& op) noexcept override;
  void set_drift_ppm(std::int32_t ppm) noexcept { drift_ppm_ = ppm; }
  void set_lateness(Duration at_most) noexcept { lateness_ = at_most; }

 private:
  struct Sleep {
    io::Op* op = nullptr;
    std::uint32_t generation = 0;
    bool woken = false;
  };
  void fire(std::uint64_t tag) override;
  void forget(io::Op& op) noexcept override;

  World& world_;
  NodeId node_;
  Prng prng_;
  std::int32_t drift_ppm_ = 0;
  Duration lateness_ = Duration::microseconds(100);
  Instant boot_;
  std::vector<Sleep> sleeps_;
  std::vector<std::uint32_t> free_;
};

class SimEntropy final : public io::Entropy {
 public:
  explicit SimEntropy(Prng prng) noexcept : prng_(prng) {}
  void fill(Bytes random) override;

 private:
  Prng prng_;
};

class Node {
 public:
  // Everything that dies with the process.
  class Program {
   public:
    virtual ~Program() = default;
  };
  using Factory = std::function<std::unique_ptr<Program>(Node&)>;

  // `host` is the number of this machine in 10.0.0.0/24.
  Node(World& world, SimNetwork& network, std::string name, std::uint8_t host);
  ~Node();

  [[nodiscard]] NodeId id() const noexcept { return id_; }
  [[nodiscard]] const std::string& name() const noexcept { return world_.node_name(id_); }
  [[nodiscard]] io::World& io() noexcept { return io_; }
  [[nodiscard]] World& world() noexcept { return world_; }
  [[nodiscard]] SimClock& clock() noexcept { return clock_; }
  [[nodiscard]] SimHelper& helper() noexcept { return helper_; }
  [[nodiscard]] io::Address address(std::uint16_t port) const;

  SimDisk& add_disk(std::string path, ByteCount size, DiskModel options = {});
  [[nodiscard]] SimDisk& disk(std::size_t index = 0) noexcept { return *disks_[index]; }
  [[nodiscard]] std::size_t disk_count() const noexcept { return disks_.size(); }

  void boot(const Factory& factory);
  // The process ends by itself; its program must have shut down.
  void stop();
  void kill();
  void power_cut(CutMode mode = CutMode::drawn);
  [[nodiscard]] bool running() const noexcept { return program_ != nullptr; }
  [[nodiscard]] Program* program() noexcept { return program_.get(); }
  [[nodiscard]] std::uint32_t boots() const noexcept { return boots_; }
  // Disks that the process has given up and that still have something under way.
  [[nodiscard]] std::uint32_t disks_kept() const noexcept { return process_storage_.kept(); }

 private:
  class NodeStorage final : public io::Storage {
   public:
    explicit NodeStorage(Node& node) noexcept : node_(node) {}
    Result<std::unique_ptr<io::Disk>> open(std::string_view path, io::DiskAccess access) override;

   private:
    Node& node_;
  };
  // What the process has of it.
  class ProcessStorage final : public io::Storage {
   public:
    explicit ProcessStorage(io::Storage& storage) : storage_(storage) { renew(); }
    Result<std::unique_ptr<io::Disk>> open(std::string_view path, io::DiskAccess access) override {
      return guarded_->open(path, access);
    }
    void keep(io::Remains remains) override { guarded_->keep(std::move(remains)); }
    void renew() { guarded_ = std::make_unique<io::GuardedStorage>(storage_); }
    [[nodiscard]] std::uint32_t kept() const noexcept { return guarded_->kept(); }

   private:
    io::Storage& storage_;
    std::unique_ptr<io::GuardedStorage> guarded_;
  };

  void destroy_program();

  World& world_;
  SimNetwork& network_;
  NodeId id_;
  std::uint8_t host_;
  std::vector<std::unique_ptr<SimDisk>> disks_;
  NodeStorage storage_;
  ProcessStorage process_storage_;
  std::unique_ptr<io::Network> interface_;
  SimClock clock_;
  SimEntropy entropy_;
  SimHelper helper_;
  io::World io_;
  std::unique_ptr<Program> program_;
  std::uint32_t boots_ = 0;
};

}  // namespace replicator::sim
