// A resource: its volumes, its one connection, its role, and the one door through which its state
// changes.
//   S1, S2  role changes are judged by decide/state_change and, when connected, agreed with the
//   peer G3      a rotation happens in memory in the same instant as the state change that demands
//   it and is on
//           media before an unmirrored write is answered (Volume::generation_settled)
// Administrative commands are coroutines that return DRBD's code and further lines for the
// operator. They take turns: one command at a time per resource.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/config.hpp"
#include "engine/decide/fencing.hpp"
#include "engine/decide/state_change.hpp"
#include "engine/decide/write_ordering.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/handlers.hpp"
#include "engine/flow/resync_order.hpp"
#include "engine/flow/volume.hpp"
#include "engine/generation_journal.hpp"
#include "engine/link_report.hpp"
#include "engine/node_report.hpp"
#include "engine/status.hpp"
#include "io/buffer_pool.hpp"
#include "io/io.hpp"
#include "io/sync.hpp"
#include "protocol/state_delta.hpp"

namespace replicator {

// 0 or a positive state code below 100 = success, 101.. = configuration error, negative = state
// change error.
struct AdminResult {
  std::int32_t code = 0;
  std::vector<std::string> info;  // "additional info from kernel:" lines

  AdminResult() = default;
  explicit AdminResult(std::int32_t c) : code(c) {}
  AdminResult(std::int32_t c, std::string line) : code(c) { info.push_back(std::move(line)); }
  [[nodiscard]] bool ok() const noexcept { return code >= 0 && code < 100; }
};

struct ResizeRequest {
  std::uint64_t size_sectors = 0;  // 0: as large as both disks allow
  bool assume_peer_has_space = false;
  bool assume_clean = false;
};

// The memory of one resource thread. Separate pools, so that the node can always receive and answer
// what lets the peer go on, however many requests of its own wait (no deadlock between two full
// nodes).
struct Memory {
  io::BufferPool& incoming;  // data packets of the peer
  io::BufferPool& replies;   // reads for the peer
};

class UndoStore;
class StateObserver;

class Resource {
 public:
  // `order`: shared with the resources whose minors may be named in `resync-after`; null: alone.
  Resource(io::World& world, Memory memory, std::string name, ResourceOptions options,
           ResyncOrder* order = nullptr);
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;
  ~Resource();

  // Administration.
  AdminResult new_volume(std::uint32_t number, std::uint32_t minor);
  [[nodiscard]] bool can_delete(std::uint32_t number) noexcept;
  AdminResult delete_volume(std::uint32_t number);
  Task<AdminResult> attach(std::uint32_t number, BackingConfig backing, DiskOptions options);
  Task<AdminResult> detach(std::uint32_t number, bool force);
  // The part of a forced detach that takes no turn: whoever waits for the disk, which may be
  // another command, goes on without it.
  void force_disk_off(std::uint32_t number);
  // Before everything goes down: from here on a disk that hangs is given up after a while (L4).
  void limit_patience_with_disks();
  void lift_limit_of_patience();  // it did not go down
  Task<AdminResult> connect(PeerConfig peer, NetOptions options, std::string peer_name);
  Task<AdminResult> disconnect(bool force);
  Task<AdminResult> set_role(Role role, bool force);
  Task<AdminResult> invalidate(std::uint32_t number, bool remote);
  Task<AdminResult> resize(std::uint32_t number, ResizeRequest request);
  Task<AdminResult> pause_sync(std::uint32_t number, bool pause);
  Task<AdminResult> new_current_uuid(std::uint32_t number, bool clear_bitmap);
  Task<AdminResult> outdate(std::uint32_t number);
  // Sectors; without a start it goes on where the last one was broken off.
  Task<AdminResult> verify(std::uint32_t number, std::optional<std::uint64_t> start,
                           std::optional<std::uint64_t> stop);
  // Copies the blocks that are marked on either side from this node to the peer, which must not be
  // the only Primary. nothing_to_do: none is marked here.
  Task<AdminResult> repair(std::uint32_t number);
  // Neither waits for another command: what that one waits for may be the I/O that is suspended.
  AdminResult suspend_io(std::uint32_t number);
  AdminResult resume_io(std::uint32_t number);
  // For the end of the daemon: from here on nobody waits for a handler, for the peer to be fenced
  // or for an administrator; suspended requests are answered with errors.
  void give_up_waiting();
  [[nodiscard]] bool suspended_io_given_up() const noexcept { return io_given_up_; }
  // Everything down: demote, disconnect, detach. Volumes stay, unconfigured.
  Task<AdminResult> down();
  void set_options(const ResourceOptions& options) { options_ = options; }
  // Where undo files go; null (as at first): nothing is kept. Lives longer than the resource.
  void set_undo_store(UndoStore* store) noexcept { undo_store_ = store; }
  [[nodiscard]] UndoStore* undo_store() const noexcept { return undo_store_; }
  // Who is told what happens to data generations; null (as at first): nobody. Lives longer.
  void set_generation_journal(GenerationJournal* journal) noexcept {
    generation_journal_ = journal;
  }
  // Null (as at first): nobody. Lives longer than the resource.
  void set_observer(StateObserver* observer);
  AdminResult set_disk_options(std::uint32_t number, const DiskOptions& options);
  AdminResult set_net_options(const NetOptions& options);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] io::World& world() noexcept { return world_; }
  [[nodiscard]] io::BufferPool& incoming_buffers() noexcept { return memory_.incoming; }
  [[nodiscard]] io::BufferPool& reply_buffers() noexcept { return memory_.replies; }
  [[nodiscard]] const std::list<std::unique_ptr<Volume>>& volumes() const noexcept {
    return volumes_;
  }
  [[nodiscard]] Volume* volume(std::uint32_t number) noexcept;
  [[nodiscard]] Connection* connection() noexcept { return connection_.get(); }
  [[nodiscard]] const Connection* connection() const noexcept { return connection_.get(); }
  [[nodiscard]] std::uint64_t connections_made() const noexcept { return connections_made_; }
  [[nodiscard]] ResourceStatus status() const;
  // For `pollux explain`; without the ranges, which are read from the bitmaps.
  [[nodiscard]] NodeReport report() const;
  // Why it is not connected, and whether it could be promoted; without log lines.
  [[nodiscard]] ResourceExplanation explanation() const;
  [[nodiscard]] Role role() const noexcept { return role_; }

  // Handlers (handler_calls.cpp). What is left of them ends before the resource may go.
  Task<void> stop_handlers() {
    handlers_.stop();
    return handlers_.ended();
  }
  Task<int> call_handler(Volume& volume, const char* handler);
  Task<int> call_connection_handler(const char* handler);
  // Runs beside everything else; nobody asks for its exit code.
  void start_handler(Volume& volume, const char* handler);
  // Closes what keeps the volumes open without being in use by anybody (kernel devices); false when
  // somebody uses one.
  std::function<Task<bool>()> let_go_of_devices;

  // A volume has another size: what shows it to applications has to follow.
  std::function<void(Volume&)> size_changed;
  // The peer's writes are about to reach the volume's data (decide/foreign_data.hpp).
  std::function<void(Volume&)> data_from_peer;
  // Any state of any volume changed, or something a status display shows.
  io::Event changed;

  // For the engine's own flows.
  // The one door: judges and applies; follow-up work is queued. `hard`: a fact, not a request.
  StateCode change(Volume& volume, StateDelta delta, bool hard);
  StateCode change_all(StateDelta delta, bool hard);
  // A change that comes from the peer's request; same rules, no further asking.
  StateCode peer_requests(Volume* volume, std::uint32_t mask, std::uint32_t value);
  void connection_changed(ConnectionState state);
  void local_disk_failed(Volume& volume);
  Task<void> after_connection_loss();
  Task<void> generations_settled();
  Task<bool> flush_disks();
  [[nodiscard]] WriteOrdering write_ordering() const noexcept;
  void start_resync(Volume& volume, bool source);
  // After a resync the peer's generations are ours.
  static void peer_has_our_generations(Volume& volume) noexcept;
  void stop_resyncs();
  void resync_may_be_done();
  Task<void> finish_resync_as_target(Volume& volume, bool complete);
  Task<void> finish_resync_as_source(Volume& volume);
  void verify_finished(Volume& volume);
  void rotate_generation(Volume& volume, GenerationCause cause);
  // For the journal (generation_notes.cpp): after a change of generations, or of what explains one.
  void note_generation(Volume& volume, GenerationCause cause);
  void note_link(LinkTrouble trouble, std::string detail);
  void note_split_brain(Volume& volume, const SyncDecision& decision);
  void peer_told_generations(Volume& volume, const Uuids& peer);
  // Before a ping is answered that may be the last thing a target waits for.
  Task<void> note_finished_targets();
  // The superblock's flags, from the state; nothing is written.
  void compute_flags(Volume& volume);
  Task<void> settle_log(Volume& volume);
  // S3: the generation that could not begin while I/O was suspended; true when it began now.
  bool begin_owed_generation(Volume& volume);
  // A policy made this Primary the victim of a split brain: becomes Secondary unless somebody uses
  // it.
  Task<bool> give_up_primary();
  // The peer is as good as we are again: takes back what fence-peer did.
  void unfence_peer();
  // P_UUIDS with "skip initial sync".
  Task<Status> peer_skips_initial_sync(Volume& volume, std::uint64_t current);
  // What its disk offers now, in sectors; 0 without one.
  static std::uint64_t offered_sectors(Volume& volume) noexcept;
  // The agreed size in the meta data; then, told to applications.
  Task<Status> change_size(Volume& volume, std::uint64_t sectors, bool new_in_sync);
  void expose_size(Volume& volume, std::uint64_t sectors);
  // Nothing that this volume comes after is syncing.
  [[nodiscard]] bool may_sync(const Volume& volume) const { return order_.may_sync(volume); }
  [[nodiscard]] std::size_t follow_ups_waiting() const noexcept { return pending_.size(); }
  // Waits until all follow-up work queued so far is done.
  Task<void> settled();

 private:
  void announce();  // other volumes, or another connection
  [[nodiscard]] AdminResult refuse_options(const NetOptions& options) const;
  void log_write_ordering() const;
  [[nodiscard]] bool fences_with_stonith() const noexcept;
  [[nodiscard]] std::int32_t fencing_conflict(const DiskOptions& options) const noexcept;
  [[nodiscard]] bool any_volume_in(ConnectionState first, ConnectionState last) const noexcept;
  struct FollowUp {
    Volume* volume;
    VolumeState before;
    VolumeState after;
    Duties duties;
  };
  [[nodiscard]] StateContext context(const Volume& volume) const noexcept;
  void apply(Volume& volume, const VolumeState& next);
  void note_state_change(Volume& volume, const VolumeState& before);
  void duties_at_once(Volume& volume, const VolumeState& before, const Duties& duties);
  Task<void> follow_ups();
  Task<void> follow_up(FollowUp item);
  Task<AdminResult> promote(bool force);
  Task<AdminResult> demote();
  Task<StateCode> change_cluster_wide(Volume& volume, StateDelta delta);
  Task<StateCode> try_promote(Volume& volume, bool force, bool& forced);
  [[nodiscard]] std::vector<FencedVolume> fenced_volumes() const;
  void share_suspension(const VolumeState& before, const VolumeState& next);
  void reconsider_suspension();
  void begin_owed_generations();
  Task<bool> fence_peer();
  Task<void> fence_lost_peer();
  bool take_fence_answer(int code, Fencing policy, std::uint64_t links);
  void fence_after_loss();
  Task<void> run_handler(Volume& volume, const char* handler);
  Task<void> run_connection_handler(const char* handler);
  [[nodiscard]] const PeerConfig* peer_config() const noexcept;
  Task<void> drop_disk(Volume& volume);
  void disk_hangs(Volume& volume);
  Task<void> give_back_disk(Volume& volume);
  Task<Status> settle_promotion(Volume& volume, bool forced);
  Task<StateCode> demote_volume(Volume& volume);
  void declare_both_up_to_date(Volume& volume);
  Task<Status> store_generation(Volume& volume);
  Task<AdminResult> finish_attach(Volume& target);
  Task<AdminResult> refuse_attach(Volume& target, std::int32_t code, const char* why);
  Task<AdminResult> detach_volume(Volume& target, bool force);
  Task<Status> determine_size(Volume& target);
  void tell_peer_of_resize(Volume& volume, const ResizeRequest& request, bool grew);
  Task<void> end_connection(bool told);
  [[nodiscard]] StateCode judge_all(StateDelta delta) const;
  static void retire_resync(Volume& volume);
  void follow_verify(Volume& volume, const VolumeState& before);
  Task<StateCode> disconnect_gracefully();

  io::World& world_;
  Memory memory_;
  std::string name_;
  ResourceOptions options_;
  UndoStore* undo_store_ = nullptr;
  GenerationJournal* generation_journal_ = nullptr;
  StateObserver* observer_ = nullptr;
  LinkReport link_;
  Handlers handlers_;  // frames of the connection wait in it
  ResyncOrder own_order_;
  ResyncOrder& order_;
  Role role_ = Role::secondary;
  ConnectionState connection_state_ = ConnectionState::stand_alone;
  std::list<std::unique_ptr<Volume>>
      volumes_;  // by number; flows that go over it outlast an insertion
  std::unique_ptr<Connection> connection_;
  std::uint64_t connections_made_ = 0;
  std::vector<FollowUp> pending_;
  std::uint64_t links_made_ = 0;  // how often the connection was established
  bool io_given_up_ = false;
  io::Semaphore fencing_turn_{1};
  bool following_up_ = false;
  io::Event follow_ups_done_;
  io::Semaphore admin_{1};
  io::Gate tasks_;  // last: its frames refer to everything above
};

}  // namespace replicator
