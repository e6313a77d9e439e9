// Frozen I/O and the peer that has to be fenced before it goes on.
//   S2  promotion of a disk that is only Consistent asks fence-peer first
//   S3  from the loss of the peer until it is fenced, or has everything again, no write is answered
//   G3  the generation that is owed for the loss begins before frozen writes are answered
//   L2  an administrator can always let frozen I/O go (resume-io)
// Normative: docs/handshake.md#fencing, docs/operations.md#suspended-io.
#include "engine/decide/fencing.hpp"

#include <algorithm>
#include <vector>

#include "base/log.hpp"
#include "engine/admin_codes.hpp"
#include "engine/flow/resource.hpp"

namespace replicator {

namespace {

using C = ConnectionState;
using D = DiskState;

StateDelta suspension(const VolumeState& state) noexcept {
  StateDelta delta;
  delta.suspended_by_user(state.suspended_by_user)
      .suspended_no_data(state.suspended_no_data)
      .suspended_fencing(state.suspended_fencing);
  return delta;
}

}  // namespace

std::vector<FencedVolume> Resource::fenced_volumes() const {
  std::vector<FencedVolume> volumes;
  for (const std::unique_ptr<Volume>& each : volumes_) {
    volumes.push_back(FencedVolume{each->disk_options_.fencing, each->state_});
  }
  return volumes;
}

// Suspension is the whole resource's: writes keep their order across volumes.
void Resource::share_suspension(const VolumeState& before, const VolumeState& next) {
  const StateDelta delta = suspension(next);
  if (suspension(before).value == delta.value) return;
  for (const std::unique_ptr<Volume>& each : volumes_)
    change(*each, delta, true);
}

// After each change of state: is the reason gone for which I/O was suspended?
void Resource::reconsider_suspension() {
  const Thaw thaw = may_thaw(fenced_volumes());
  if (thaw != Thaw::no) {
    log::info("{} I/O that was frozen for fencing goes on: {}", name_,
              thaw == Thaw::fenced ? "the peer is fenced" : "the peer is back");
    if (thaw == Thaw::fenced) begin_owed_generations();
    StateDelta delta;
    delta.suspended_fencing(false);
    change(*volumes_.front(), delta, true);
  }
  bool waiting = false;
  bool without_data = false;
  for (const std::unique_ptr<Volume>& each : volumes_) {
    waiting = waiting || each->state_.suspended_no_data;
    without_data = without_data || primary_without_data(each->state_);
  }
  if (!waiting || without_data) return;
  log::info("{} I/O that waited for good data goes on", name_);
  StateDelta delta;
  delta.suspended_no_data(false);
  change(*volumes_.front(), delta, true);
}

bool Resource::begin_owed_generation(Volume& volume) {
  if (!volume.generation_owed_) return false;
  volume.generation_owed_ = false;
  if (!volume.backing_ || volume.state_.disk != D::up_to_date) return false;
  if (volume.backing_->superblock().generations.bitmap != 0) return false;
  rotate_generation(volume, GenerationCause::frozen_io_went_on);
  return true;
}

void Resource::begin_owed_generations() {
  for (const std::unique_ptr<Volume>& each : volumes_)
    begin_owed_generation(*each);
}

// Called when the peer is gone; true when it can not be promoted any more, by what is known or by
// what the handler did.
Task<bool> Resource::fence_peer() {
  io::Semaphore::Take turn(fencing_turn_, 1);
  co_await turn;
  if (connection_state_ >= C::wf_report_params) co_return false;
  if (peer_is_fenced(fenced_volumes())) co_return true;
  const std::optional<Fencing> policy = effective_fencing(fenced_volumes());
  if (!policy) {
    log::warning("{} Not fencing peer, I'm not even Consistent myself.", name_);
    StateDelta delta;
    delta.suspended_fencing(false);
    change(*volumes_.front(), delta, true);
    co_return false;
  }
  if (*policy == Fencing::dont_care) co_return true;
  const std::uint64_t links = links_made_;
  const int code = co_await call_connection_handler("fence-peer");
  co_return take_fence_answer(code, *policy, links);
}

bool Resource::take_fence_answer(int code, Fencing policy, std::uint64_t links) {
  const bool current = std::any_of(volumes_.begin(), volumes_.end(), [](const auto& each) {
    return each->state_.disk == D::up_to_date;
  });
  const FenceVerdict verdict = judge_fence_peer(code, policy, current);
  if (verdict.broken) {
    log::error("{} fence-peer helper broken, returned {}", name_, code);
    return false;
  }
  if (verdict.peer_is_primary) log::warning("{} Peer is primary, outdating myself.", name_);
  if (verdict.unexpected) log::error("{} fence-peer() = 7 && fencing != Stonith !!!", name_);
  log::info("{} fence-peer helper returned {} ({})", name_, code, verdict.meaning);
  if (connection_state_ >= C::wf_report_params) return peer_is_fenced(fenced_volumes());
  if (links_made_ != links) {
    // The peer was here meanwhile: the answer is about an earlier one.
    log::info("{} Ignoring fence-peer exit code", name_);
  } else if (verdict.change.mask != 0) {
    const StateCode changed_to = change_all(verdict.change, false);
    if (static_cast<int>(changed_to) < 1) log::warning("{} {}", name_, text(changed_to));
  }
  return peer_is_fenced(fenced_volumes());
}

Task<void> Resource::fence_lost_peer() {
  const bool fenced = co_await fence_peer();
  static_cast<void>(fenced);  // if not, frozen I/O waits for the peer or for the administrator
}

// The connection went away and everything about it is settled.
void Resource::fence_after_loss() {
  const bool needed = std::any_of(volumes_.begin(), volumes_.end(), [](const auto& each) {
    return each->state_.role == Role::primary && each->state_.peer_disk >= D::d_unknown;
  });
  if (needed) tasks_.start(fence_lost_peer());
}

AdminResult Resource::suspend_io(std::uint32_t number) {
  Volume* target = volume(number);
  if (target == nullptr) return AdminResult(admin_minor_invalid, "unknown minor");
  StateDelta delta;
  delta.suspended_by_user(true);
  return AdminResult(static_cast<std::int32_t>(change(*target, delta, false)));
}

// Takes no turn: a command that waits for frozen I/O may hold it.
AdminResult Resource::resume_io(std::uint32_t number) {
  Volume* target = volume(number);
  if (target == nullptr) return AdminResult(admin_minor_invalid, "unknown minor");
  begin_owed_generations();
  StateDelta delta;
  delta.suspended_by_user(false).suspended_no_data(false).suspended_fencing(false);
  return AdminResult(static_cast<std::int32_t>(change(*target, delta, false)));
}

void Resource::give_up_waiting() {
  handlers_.stop();
  io_given_up_ = true;
  limit_patience_with_disks();
  changed.notify_all();
}

}  // namespace replicator
