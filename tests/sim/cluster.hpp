// Two simulated nodes with the real engine, one resource of one or a few volumes, an application
// for each volume on the Primary, and the truth about them: who holds every answered write of which
// volume, whose disk may have lost its cache, what each node says about itself. Checks on the way:
// G1 at the start of each resync, D1/D3 at each promotion, D2 at each data write, D6 and E2 at each
// crash. Plays the part of a careful cluster manager: reboots, attaches, connects, and promotes
// only a node that holds every answered write while the other one is down or agrees.
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

struct VolumeOptions {
  ByteCount disk_bytes{6U << 20U};
  std::array<DiskModel, 2> disks;
};

struct ClusterOptions : VolumeOptions {     // of the first volume …
  std::vector<VolumeOptions> more_volumes;  // … and of those after it
  PathOptions path;
  ReplicaOptions replica;
  Workload workload;
  bool synced_at_start = false;  // else the first full sync is part of the history
  Duration reboot_delay_max = Duration::seconds(3);
  std::array<std::int32_t, 2> drift_ppm{0, 0};
  bool check_d2 = true;
};

class Cluster final {
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
  void want_detach(std::size_t which, std::size_t volume, Duration for_how_long);
  // detach --force, whatever else the node does.
  void force_disk_off(std::size_t which, std::size_t volume);
  void want_pause(std::size_t which, std::size_t volume, Duration for_how_long);
  // Everything anew, towards this node or (remote) away from it; only while both are connected.
  void invalidate(std::size_t which, std::size_t volume, bool remote);
  // An online verify, asked for by this node as soon as both are in sync. It must find nothing.
  void want_verify(std::size_t which, std::size_t volume) noexcept {
    nodes_[which].shares[volume].verify_wanted = true;
  }
  // Both disks have more space, up to a limit; the manager makes use of it when it can.
  void grow(std::size_t volume, ByteCount by);
  [[nodiscard]] bool resize_due() const noexcept;
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
  [[nodiscard]] std::size_t volumes() const noexcept { return truths_.size(); }
  [[nodiscard]] SimDisk& disk(std::size_t which, std::size_t volume) noexcept {
    return node(which).disk(volume);
  }
  [[nodiscard]] bool clients_idle() const noexcept;
  [[nodiscard]] std::uint32_t in_flight() const noexcept;
  [[nodiscard]] std::uint64_t writes() const noexcept;
  [[nodiscard]] bool both_good() noexcept;
  [[nodiscard]] bool may_reboot(std::size_t which) noexcept;

  // Nothing runs any more: E1 and the bitmaps.
  void check_equal();
  void check_covered();
  // Rot on the Secondary's disk, planted while nothing runs. Then rot_found() says whether exactly
  // that is marked on both nodes, or was and has been made good; a reconnect does that.
  void plant_rot(std::uint32_t places);
  [[nodiscard]] bool rot_found() noexcept;
  // This node asks for a verify of each volume whose rot has not been found.
  void look_for_rot(std::size_t which) noexcept;
  void reconnect_secondary();
  [[nodiscard]] std::uint64_t marked() noexcept;
  // One volume's data are newer here, another one's there, and a split brain asks for one victim:
  // no choice of an administrator keeps all of it.
  [[nodiscard]] bool undecidable() const noexcept { return undecidable_; }
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

 private:
  // One node's part of a volume.
  struct Share {
    std::unique_ptr<MetadataView> metadata;
    VolumeState seen;      // as last observed
    bool stale = false;    // lacks an answered write, or the generation that one would belong to
    bool lacks = false;    // lacks an answered write
    bool outdone = false;  // stale only for a promotion that a crash of the peer broke off
    Instant bad_since = Instant::never();      // its disk is not UpToDate
    Instant no_data_since = Instant::never();  // neither is the peer's, as it knows
    Instant weak_since = Oracle::strong();
    std::uint32_t attaches = 0;  // since it had a disk
    Instant detached_until = Instant(-1);
    Instant sync_paused_until = Instant(-1);
    bool verify_wanted = false;
  };
  struct Member {
    std::unique_ptr<Node> node;
    std::vector<Share> shares;
    bool configured = false;
    Instant reboot_at;
    bool discards = false;  // is to connect with --discard-my-data
    bool refused = false;   // it left in the middle of a handshake
    Instant disconnected_until = Instant(-1);
    std::uint64_t crash_countdown = 0;  // disk operations; 0: none planned
    bool crash_with_power = false;
  };
  // A volume, wherever its data are.
  struct Truth final : Application::Observer {
    Truth(Cluster& owner, std::size_t volume, ByteCount disk_bytes);
    void answered(NodeId node, ByteRange range, Instant began, ConstBytes data) override {
      cluster.answered(node, number, range, began, data);
    }
    Instant weak_since(NodeId node) override { return cluster.weak_since(node, number); }

    Cluster& cluster;
    std::size_t number;
    ByteCount disk_bytes;  // at first
    Oracle oracle;
    Application application;
    bool stale_before = false;  // the peer of the one that is being promoted
    bool resizing = false;      // the disks have grown, the device has not
    bool ever_in_sync = false;
    std::vector<std::uint64_t> rotten;  // blocks, each once
  };
  [[nodiscard]] std::size_t index_of(NodeId node) const noexcept {
    return nodes_[0].node->id() == node ? 0 : 1;
  }
  static std::size_t other(std::size_t which) noexcept { return 1 - which; }
  [[nodiscard]] Share& share(std::size_t which, std::size_t volume) noexcept {
    return nodes_[which].shares[volume];
  }
  void answered(NodeId node, std::size_t volume, ByteRange range, Instant began, ConstBytes data);
  // The disk of that node reads so.
  [[nodiscard]] bool holds(std::size_t which, std::size_t volume, ByteRange range, ConstBytes data);
  Instant weak_since(NodeId node, std::size_t volume);
  void lose_caches(std::size_t which) noexcept;
  void close_devices();
  [[nodiscard]] bool all_in_sync() const noexcept;
  void add_disk(std::size_t which, std::size_t volume, const DiskModel& model);
  void boot(std::size_t which);
  void died(std::size_t which);
  void excuse_losses(std::size_t which) noexcept;
  void watch(NodeId node);
  void observe(std::size_t which);
  void note_change(std::size_t which, std::size_t volume, const VolumeState& before,
                   const VolumeState& now);
  void note_data(std::size_t which, std::size_t volume, const VolumeState& before,
                 const VolumeState& now);
  void note_connection(std::size_t which, const VolumeState& before, const VolumeState& now);
  void sync_begins(std::size_t target, std::size_t volume);
  [[nodiscard]] bool resolve_split_brain();
  [[nodiscard]] bool diverged(std::size_t volume);
  void agree(std::size_t volume);
  void manage_member(std::size_t which);
  [[nodiscard]] bool manage_disks(std::size_t which);
  [[nodiscard]] bool manage_sync(std::size_t which);
  [[nodiscard]] bool lacks_disk(std::size_t which, std::size_t volume) noexcept;
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
  [[nodiscard]] bool equal_in(std::size_t volume, ByteRange range);
  void check_frozen(std::size_t which, std::size_t volume, bool peer_has_it);
  [[nodiscard]] bool promotable(std::size_t which) noexcept;
  void find_metadata(std::size_t which, std::size_t volume);
  [[nodiscard]] bool same_generation_on_media(std::size_t volume);
  void check_superblock(std::size_t which, std::size_t volume);
  void submitted(std::size_t which, std::size_t volume, const SimDisk::Seen& seen);
  void check_intent(std::size_t which, std::size_t volume, const SimDisk::Seen& seen);
  void check_volume_covered(Truth& truth);
  void check_volume_equal(Truth& truth);
  void plant_rot_in(Truth& truth, std::uint32_t places);
  [[nodiscard]] bool rotten() const noexcept;
  [[nodiscard]] bool rot_found_in(const Truth& truth) noexcept;

  World& world_;
  ClusterOptions options_;
  SimNetwork network_;
  std::array<Member, 2> nodes_;
  std::vector<std::unique_ptr<Truth>> truths_;  // by number of the volume
  Prng prng_;
  std::size_t primary_ = nobody;
  std::size_t promoting_ = nobody;
  bool clients_open_ = false;
  bool clients_stopped_ = false;
  bool switching_ = false;
  bool hasty_ = false;
  bool disks_may_go_ = false;
  bool roles_managed_ = true;
  bool undecidable_ = false;
  bool rot_planted_ = false;
  std::uint64_t operations_ = 0;  // of each volume
};

}  // namespace replicator::sim
