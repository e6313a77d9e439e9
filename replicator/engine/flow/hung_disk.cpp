// A disk that does not answer, as the resource sees it.
//   L2, L4  what waits for it goes on without it: after `disk-timeout`, when it is forced off, or
//           when everything goes down
//   E5      no barrier of the peer is acknowledged for a disk that was given up
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/volume.hpp"

namespace replicator {

namespace {

// For a disk that is forced off: it may be well, and then it ends in order.
constexpr Duration patience_forced = Duration::seconds(2);
// For one that is to end in order, if it can.
constexpr Duration patience_down = Duration::seconds(20);

}  // namespace

// Called before the disk's operations are given up: whoever they belong to finds it Failed.
void Resource::disk_hangs(Volume& volume) {
  if (connection_) connection_->disk_lost();
  local_disk_failed(volume);
}

void Resource::force_disk_off(std::uint32_t number) {
  Volume* const target = volume(number);
  if (target == nullptr) return;
  if (target->opening_ != nullptr) target->opening_->limit_patience(patience_forced);
  if (target->backing_ == nullptr) return;
  target->backing_->limit_patience(patience_forced);
  if (target->state_.disk <= DiskState::failed) return;
  StateDelta failed;
  failed.disk(DiskState::failed);
  change(*target, failed, true);
}

void Resource::limit_patience_with_disks() {
  for (const std::unique_ptr<Volume>& each : volumes_) {
    if (each->opening_ != nullptr) each->opening_->limit_patience(patience_down);
    if (each->backing_ != nullptr) each->backing_->limit_patience(patience_down);
  }
}

void Resource::lift_limit_of_patience() {
  for (const std::unique_ptr<Volume>& each : volumes_) {
    if (each->backing_ != nullptr) each->backing_->lift_limit();
  }
}

}  // namespace replicator
