// The replicator as a program on a simulated node: one resource r0 with one volume for each of the
// node's first disks and one peer. Commands are what an operator would give; they run in the
// background and die with the node.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

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
struct AdminResult;
}  // namespace replicator

namespace replicator::sim {

constexpr bool in_sync(const VolumeState& state) noexcept {
  return state.connection == ConnectionState::connected && state.disk == DiskState::up_to_date &&
         state.peer_disk == DiskState::up_to_date;
}

struct ReplicaOptions {
  NetOptions net;
  replicator::DiskOptions disk;
  ResourceOptions resource;
  UndoStore* undo = nullptr;
  std::uint32_t volumes = 1;
  bool resync_in_turn = false;  // each volume after the one before it (resync-after)
  std::size_t incoming_bytes = 4U << 20U;
  std::size_t reply_bytes = 2U << 20U;
};

enum class Verb : std::uint8_t {
  attach,  // with apply-al before it, as drbdadm does
  detach,
  detach_force,
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

// The disk of a volume, on either node.
std::string disk_path(std::size_t volume);

class Replica final : public Node::Program {
 public:
  Replica(Node& node, const ReplicaOptions& options, PeerConfig peer);
  ~Replica() override;

  // One command at a time from here; the engine would queue more. Of the commands that concern a
  // volume, outdate is for all of them.
  void command(Verb verb, std::size_t volume = 0);
  [[nodiscard]] bool busy() const noexcept { return busy_; }
  // detach --force, which does not wait for the command that runs.
  void force_disk_off(std::size_t volume);
  // The command that runs, or ran last.
  [[nodiscard]] Verb given() const noexcept { return given_; }
  // Of the last command that ended: DRBD's code; ok() as the engine sees it.
  [[nodiscard]] std::int32_t last_code() const noexcept { return last_code_; }
  [[nodiscard]] bool last_ok() const noexcept { return last_ok_; }

  // What came of an attach since which nothing but attaches was asked for.
  enum class Attached : std::uint8_t { unknown, done, refused };
  [[nodiscard]] Attached attached(std::size_t volume) const noexcept { return attached_[volume]; }

  [[nodiscard]] std::size_t volumes() const noexcept { return volumes_.size(); }
  [[nodiscard]] VolumeState state(std::size_t volume = 0) const noexcept;
  [[nodiscard]] Role role() const noexcept;
  [[nodiscard]] std::uint64_t out_of_sync_blocks(std::size_t volume = 0) const noexcept;
  // Null: diskless.
  [[nodiscard]] const Bitmap* bitmap(std::size_t volume = 0) const noexcept;
  [[nodiscard]] io::BlockDevice& device(std::size_t volume = 0) noexcept;
  [[nodiscard]] ByteCount size(std::size_t volume = 0) const noexcept;
  // Of the application; ends before the resource does.
  [[nodiscard]] io::Gate& clients() noexcept { return clients_; }

 private:
  Task<void> run_command(Verb verb, std::uint32_t volume);
  Task<AdminResult> attach(std::uint32_t volume);
  Task<AdminResult> outdate_all();

  Node& node_;
  ReplicaOptions options_;
  PeerConfig peer_;
  JournalCheck journal_;
  io::BufferPool incoming_;
  io::BufferPool replies_;
  std::unique_ptr<Resource> resource_;
  std::vector<Volume*> volumes_;
  std::vector<Attached> attached_;
  bool busy_ = false;
  bool last_ok_ = true;
  std::int32_t last_code_ = 0;
  Verb given_ = Verb::attach;
  io::Gate commands_;
  io::Gate clients_;  // last: destroyed first
};

}  // namespace replicator::sim
