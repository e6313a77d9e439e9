#include "engine/flow/resync_order.hpp"

#include "engine/admin_codes.hpp"
#include "engine/flow/resource.hpp"

namespace replicator {

namespace {

bool holds_up(const VolumeState& s) {
  const bool syncs = s.connection >= ConnectionState::sync_source &&
                     s.connection <= ConnectionState::paused_sync_t;
  return syncs || s.sync_paused_by_dependency || s.sync_paused_by_peer || s.sync_paused_by_user;
}

}  // namespace

void ResyncOrder::add(Resource& resource) { resources_.push_back(&resource); }

void ResyncOrder::remove(Resource& resource) noexcept { std::erase(resources_, &resource); }

std::vector<OrderedVolume> ResyncOrder::volumes() const {
  std::vector<OrderedVolume> all;
  for (const Resource* resource : resources_) {
    for (const std::unique_ptr<Volume>& volume : resource->volumes()) {
      OrderedVolume one;
      one.minor = volume->minor();
      one.after = volume->disk_options().resync_after_minor;
      one.has_disk = volume->backing() != nullptr && volume->state().disk != DiskState::diskless;
      one.holds_up = holds_up(volume->state());
      all.push_back(one);
    }
  }
  return all;
}

bool ResyncOrder::may_sync(const Volume& volume) const {
  return may_sync_now(volumes(), volume.minor());
}

std::int32_t ResyncOrder::check(const Volume& volume, std::int32_t after) const {
  switch (check_resync_after(volumes(), volume.minor(), after)) {
    case OrderVerdict::fine: break;
    case OrderVerdict::no_minor: return admin_resync_after;
    case OrderVerdict::cycle: return admin_resync_after_cycle;
  }
  return 0;
}

void ResyncOrder::reconsider() {
  again_ = true;
  if (reconsidering_) return;
  reconsidering_ = true;
  while (again_) {
    again_ = false;
    if (reconsider_once()) again_ = true;
  }
  reconsidering_ = false;
}

bool ResyncOrder::reconsider_once() {
  for (Resource* resource : resources_) {
    for (const std::unique_ptr<Volume>& volume : resource->volumes()) {
      const VolumeState& s = volume->state();
      const bool idle =
          s.connection == ConnectionState::stand_alone && s.disk == DiskState::diskless;
      const bool held = !may_sync(*volume);
      if (held == s.sync_paused_by_dependency || (held && idle)) continue;
      StateDelta delta;
      delta.sync_paused_by_dependency(held);
      if (resource->change(*volume, delta, true) == StateCode::success) return true;
    }
  }
  return false;
}

}  // namespace replicator
