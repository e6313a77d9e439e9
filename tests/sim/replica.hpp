// The replicator as a program on a simulated node: one resource r0 with one volume over /dev/disk
// and one peer. Commands are what an operator would give; they run in the background and die with
// the node.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/config.hpp"
#include "io/block_device.hpp"
#include "io/buffer_pool.hpp"
#include "io/sync.hpp"
#include "metadata/bitmap.hpp"
#include "protocol/states.hpp"
#include "tests/sim/journal_check.hpp"
#include "tests/sim/node.hpp"

namespace replicator {
class Resource;
class UndoStore;
class Volume;
}  // namespace replicator

namespace replicator::sim {

struct ReplicaOptions {
  NetOptions net;
  replicator::DiskOptions disk;
  ResourceOptions resource;
  UndoStore* undo = nullptr;
  std::size_t incoming_bytes = 4U << 20U;
  std::size_t reply_bytes = 2U << 20U;
};

enum class Verb : std::uint8_t {
  attach,  // with apply-al before it, as drbdadm does
  detach,
  connect,
  connect_discarding,  // --discard-my-data
  disconnect,
  primary,
  primary_force,
  secondary,
  verify,
  down,
  pause_sync,
  resume_sync,
  invalidate,
  invalidate_remote,
  resize,
  outdate,
};
const char* name(Verb verb) noexcept;

class Replica final : public Node::Program {
 public:
  Replica(Node& node, const ReplicaOptions& options, PeerConfig peer);
  ~Replica() override;

  // One command at a time from here; the engine would queue more.
  void command(Verb verb);
  [[nodiscard]] bool busy() const noexcept { return busy_; }
  // The command that runs, or ran last.
  [[nodiscard]] Verb given() const noexcept { return given_; }
  // Of the last command that ended: DRBD's code; ok() as the engine sees it.
  [[nodiscard]] std::int32_t last_code() const noexcept { return last_code_; }
  [[nodiscard]] bool last_ok() const noexcept { return last_ok_; }

  [[nodiscard]] VolumeState state() const noexcept;
  [[nodiscard]] Role role() const noexcept;
  [[nodiscard]] std::uint64_t out_of_sync_blocks() const noexcept;
  [[nodiscard]] const Bitmap* bitmap() const noexcept;  // null: diskless
  [[nodiscard]] io::BlockDevice& device() noexcept;
  [[nodiscard]] ByteCount size() const noexcept;
  // Of the application; ends before the resource does.
  [[nodiscard]] io::Gate& clients() noexcept { return clients_; }

 private:
  Task<void> run_command(Verb verb);

  Node& node_;
  ReplicaOptions options_;
  PeerConfig peer_;
  JournalCheck journal_;
  io::BufferPool incoming_;
  io::BufferPool replies_;
  std::unique_ptr<Resource> resource_;
  Volume* volume_ = nullptr;
  bool busy_ = false;
  bool last_ok_ = true;
  std::int32_t last_code_ = 0;
  Verb given_ = Verb::attach;
  io::Gate commands_;
  io::Gate clients_;  // last: destroyed first
};

}  // namespace replicator::sim
