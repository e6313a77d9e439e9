// Two simulated nodes with the real engine, the application on the Primary, and the truth about
// them: who holds every answered write, whose disk may have lost its cache, what each node says
// about itself. Checks on the way: G1 at the start of each resync, D1/D3 at each promotion, D2 at
// each data write, D6 and E2 at each crash. Plays the part of a careful cluster manager: reboots,
// attaches, connects, and promotes only a node that holds every answered write while the other one
// is down or agrees.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/application.hpp"
#include "tests/sim/helper.hpp"
#include "tests/sim/metadata_view.hpp"
#include "tests/sim/net.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/replica.hpp"

namespace replicator::sim {

struct ClusterOptions {
  ByteCount disk_bytes{6U << 20U};
  std::array<DiskModel, 2> disks;
  PathOptions path;
  ReplicaOptions replica;
  Workload workload;
  bool synced_at_start = false;  // else the first full sync is part of the history
  Duration reboot_delay_max = Duration::seconds(3);
  std::array<std::int32_t, 2> drift_ppm{0, 0};
  bool check_d2 = true;
};

class Cluster final : public Application::Observer {
 public:
  static constexpr std::size_t nobody = 2;

  Cluster(World& world, const ClusterOptions& options);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;
  ~Cluster();

  // Both up, connected, one Primary with good data. False: see world.failure().
  bool start();

  // What the manager does by itself, each time it is called: reboots, attach, connect, promotion,
  // clients.
  void manage();
  // It may boot dead nodes at once, and promotes without hesitation.
  void set_hasty(bool hasty) noexcept { hasty_ = hasty; }
  // From now on the manager also makes the decisions that a Primary without its disk may need.
  void disks_may_go();
  void set_operations(std::uint64_t operations) noexcept { operations_ = operations; }
  // The manager moves the role to the other node as soon as it can.
  void want_switch() noexcept { switching_ = true; }
  void want_disconnect(std::size_t which, Duration for_how_long);
  void want_detach(std::size_t which, Duration for_how_long);
  void want_pause(std::size_t which, Duration for_how_long);
  // Everything anew, towards this node or (remote) away from it; only while both are connected.
  void invalidate(std::size_t which, bool remote);
  // An online verify, asked for by this node as soon as both are in sync. It must find nothing.
  void want_verify(std::size_t which) noexcept { nodes_[which].verify_wanted = true; }
  // Both disks have more space, up to a limit; the manager makes use of it when it can.
  void grow(ByteCount by);
  [[nodiscard]] bool resize_due() const noexcept { return resizing_; }
  static constexpr ByteCount growth_limit{4U << 20U};

  void kill(std::size_t which);
  void power_cut(std::size_t which, CutMode mode);
  void power_cut_both(CutMode mode);
  // Just after the node's k-th disk operation from now was submitted.
  void crash_at_operation(std::size_t which, std::uint64_t k, bool with_power);
  void cancel_crash(std::size_t which) noexcept { nodes_[which].crash_countdown = 0; }

  [[nodiscard]] World& world() noexcept { return world_; }
  [[nodiscard]] SimNetwork& network() noexcept { return network_; }
  [[nodiscard]] Node& node(std::size_t which) noexcept { return *nodes_[which].node; }
  [[nodiscard]] Replica* replica(std::size_t which) noexcept {
    return static_cast<Replica*>(node(which).program());
  }
  [[nodiscard]] std::size_t primary() const noexcept { return primary_; }
  [[nodiscard]] Application& application() noexcept { return application_; }
  [[nodiscard]] Oracle& oracle() noexcept { return oracle_; }
  [[nodiscard]] bool both_good() noexcept;
  [[nodiscard]] bool may_reboot(std::size_t which) noexcept;

  // Nothing runs any more: E1 and the bitmaps.
  void check_equal();
  void check_covered();
  // Rot on the Secondary's disk, planted while nothing runs. Then rot_found() says whether exactly
  // that is marked on both nodes, or was and has been made good; a reconnect does that.
  void plant_rot(std::uint32_t places);
  [[nodiscard]] bool rot_found() noexcept;
  void reconnect_secondary();
  [[nodiscard]] std::uint64_t marked() noexcept {
    return replica(0)->out_of_sync_blocks() + replica(1)->out_of_sync_blocks();
  }
  [[nodiscard]] std::string describe();
  // For good: no later promotion starts them again.
  void stop_clients();
  // Closes the device and takes both resources down, then ends both processes. False: it did not
  // end (L4).
  bool close_and_take_down();
  // After that: nothing is marked in the meta data of either node.
  void check_clean();
  void stop_managing_roles() noexcept { roles_managed_ = false; }

  // What a careful fence-peer does for this node: shoots the peer, outdates it, finds it dead, or
  // fails. It never says that the peer is out when it is not.
  HelperAnswer fence_peer(std::size_t asker, Duration takes);

  // Application::Observer
  void answered(NodeId node, ByteRange range, Instant began) override;
  Instant weak_since(NodeId node) override;

 private:
  struct Member {
    std::unique_ptr<Node> node;
    std::unique_ptr<MetadataView> metadata;
    VolumeState seen;       // as last observed
    bool attached = false;  // the boot commands, done
    bool configured = false;
    bool stale = false;    // lacks an answered write, or the generation that one would belong to
    bool lacks = false;    // lacks an answered write
    bool outdone = false;  // stale only for a promotion that a crash of the peer broke off
    Instant bad_since = Instant::never();      // its disk is not UpToDate
    Instant no_data_since = Instant::never();  // neither is the peer's, as it knows
    Instant weak_since = Oracle::strong();
    Instant reboot_at;
    bool discards = false;       // is to connect with --discard-my-data
    bool syncing = false;        // was sync target of an unfinished resync
    std::uint32_t attaches = 0;  // since it had a disk
    bool refused = false;        // it left in the middle of a handshake
    Instant disconnected_until = Instant(-1);
    Instant detached_until = Instant(-1);
    Instant sync_paused_until = Instant(-1);
    bool verify_wanted = false;
    std::uint64_t crash_countdown = 0;  // disk operations; 0: none planned
    bool crash_with_power = false;
  };
  [[nodiscard]] std::size_t index_of(NodeId node) const noexcept {
    return nodes_[0].node->id() == node ? 0 : 1;
  }
  static std::size_t other(std::size_t which) noexcept { return 1 - which; }
  void boot(std::size_t which);
  void died(std::size_t which);
  void excuse_losses(std::size_t which) noexcept;
  void watch(NodeId node);
  void observe(std::size_t which);
  void note_change(std::size_t which, const VolumeState& before, const VolumeState& now);
  void sync_begins(std::size_t target);
  [[nodiscard]] bool resolve_split_brain() noexcept;
  void agree();
  void manage_member(std::size_t which);
  void manage_role();
  void manage_size();
  void manage_switch();
  void promote(std::size_t which);
  void promoted(std::size_t which);
  void start_clients();
  [[nodiscard]] bool fencing() const noexcept {
    return options_.replica.disk.fencing == Fencing::resource_and_stonith;
  }
  int outdated_or_not(std::size_t peer);
  void try_take_over();
  [[nodiscard]] bool equal_in(ByteRange range);
  void check_frozen(std::size_t which, bool peer_has_it);
  [[nodiscard]] bool promotable(std::size_t which) noexcept;
  void find_metadata(std::size_t which);
  void check_superblock(std::size_t which);
  void submitted(std::size_t which, const SimDisk::Seen& seen);
  void check_intent(std::size_t which, const SimDisk::Seen& seen);

  World& world_;
  ClusterOptions options_;
  SimNetwork network_;
  std::array<Member, 2> nodes_;
  Oracle oracle_;
  Application application_;
  Prng prng_;
  std::size_t primary_ = nobody;
  std::size_t promoting_ = nobody;
  bool stale_before_ = false;  // the peer of the one that is being promoted
  bool resizing_ = false;      // the disks have grown, the device has not
  bool clients_open_ = false;
  bool clients_stopped_ = false;
  bool switching_ = false;
  bool hasty_ = false;
  bool disks_may_go_ = false;
  bool roles_managed_ = true;
  bool ever_in_sync_ = false;
  std::uint64_t operations_ = 0;
  std::vector<std::uint64_t> rotten_;  // blocks, each once
};

}  // namespace replicator::sim
