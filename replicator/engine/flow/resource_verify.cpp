// Online verify as a command and as a state of a volume: begins when the state is entered, is
// broken off when it is left, and remembers where it was.
#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "engine/admin_codes.hpp"
#include "engine/flow/online_verify.hpp"
#include "engine/flow/resource.hpp"

namespace replicator {

namespace {

using C = ConnectionState;

bool verifying(const VolumeState& state) {
  return state.connection == C::verify_s || state.connection == C::verify_t;
}

}  // namespace

Task<AdminResult> Resource::verify(std::uint32_t number, std::optional<std::uint64_t> start,
                                   std::optional<std::uint64_t> stop) {
  io::Semaphore::Take turn(admin_, 1);
  co_await turn;
  Volume* target = volume(number);
  if (target == nullptr) co_return AdminResult(admin_minor_invalid, "unknown minor");
  // Without a start it goes on where the last one was broken off.
  if (start) target->verify_wanted_.start = round_down(*start, sectors_per_block);
  target->verify_wanted_.stop = stop.value_or(VerifyRange::no_stop);
  StateDelta delta;
  delta.connection(C::verify_s);
  const StateCode code = co_await change_cluster_wide(*target, delta);
  if (static_cast<int>(code) < 1) co_return AdminResult(static_cast<std::int32_t>(code));
  co_return AdminResult();
}

// What the verify marked is copied from here to the peer, without a new connection.
Task<AdminResult> Resource::repair(std::uint32_t number) {
  io::Semaphore::Take turn(admin_, 1);
  co_await turn;
  Volume* target = volume(number);
  if (target == nullptr) co_return AdminResult(admin_minor_invalid, "unknown minor");
  if (!target->has_disk()) co_return AdminResult(admin_no_disk);
  const VolumeState& state = target->state_;
  if (state.connection < C::connected) {
    co_return AdminResult(static_cast<std::int32_t>(StateCode::need_connection));
  }
  const bool quiet = state.connection == C::connected && state.disk == DiskState::up_to_date &&
                     state.peer_disk == DiskState::up_to_date &&
                     (target->backing_->superblock().generations.bitmap & ~1ULL) == 0;
  if (!quiet) co_return AdminResult(static_cast<std::int32_t>(StateCode::in_transient_state));
  if (state.role != Role::primary && state.peer_role == Role::primary) {
    co_return AdminResult(admin_invalid_request,
                          "the peer is Primary, its content counts: repair from there");
  }
  if (target->out_of_sync_blocks() == 0) {
    co_return AdminResult(static_cast<std::int32_t>(StateCode::nothing_to_do));
  }
  const StateCode begun = co_await connection_->send_marked_blocks(*target);
  co_return static_cast<int>(begun) < 1 ? AdminResult(static_cast<std::int32_t>(begun))
                                        : AdminResult();
}

// After each change of a volume's state.
void Resource::follow_verify(Volume& volume, const VolumeState& before) {
  const VolumeState& now = volume.state_;
  if (volume.verify_ && now.connection != before.connection) {
    const std::uint64_t left = volume.verify_->left_blocks();
    volume.verify_wanted_.start = volume.verify_->resume_sector();
    volume.verify_->stop();
    if (left != 0) {
      log::info("{}/{} Online Verify reached sector {}", name_, volume.number(),
                volume.verify_wanted_.start);
    }
    std::erase_if(volume.retired_verifies_, [](const auto& old) { return old->idle(); });
    volume.retired_verifies_.push_back(std::move(volume.verify_));
  }
  const bool copies = verifying(before) && now.connection == C::connected && connection_ &&
                      connection_->established() && volume.peer_.grew_in_verify;
  if (copies) {
    volume.peer_.grew_in_verify = false;
    connection_->link_tasks_.start(connection_->copy_new_storage(volume));
  }
  if (verifying(now) && !verifying(before) && connection_ && connection_->established()) {
    const bool asking = now.connection == C::verify_s;
    volume.verify_ = std::make_unique<OnlineVerify>(
        volume, *connection_, asking ? OnlineVerify::Side::asking : OnlineVerify::Side::answering,
        asking ? volume.verify_wanted_ : VerifyRange());
    if (asking) {
      log::info("{}/{} Starting Online Verify from sector {}", name_, volume.number(),
                volume.verify_->start_sector());
    }
    volume.verify_->start(connection_->link_tasks_);
  }
}

void Resource::verify_finished(Volume& volume) {
  const SyncProgress progress = volume.verify_->progress();
  const std::uint64_t seconds = std::max<std::uint64_t>(progress.elapsed_ms / 1000, 1);
  log::info("{}/{} Online verify done (total {} sec; paused 0 sec; {} K/sec)", name_,
            volume.number(), seconds, volume.verify_->compared_blocks() / seconds * 4);
  const std::uint64_t differing = volume.out_of_sync_blocks();
  if (differing != 0) {
    log::error("{}/{} Online verify found {} 4k block out of sync!", name_, volume.number(),
               differing);
  }
  StateDelta delta;
  delta.connection(C::connected);
  change(volume, delta, true);
  if (differing != 0) start_handler(volume, "out-of-sync");
}

}  // namespace replicator
