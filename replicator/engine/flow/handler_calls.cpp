// Where a resource calls the administrator's handlers: which object they are told of, and what is
// on media before they may end this node.
#include <utility>

#include "base/log.hpp"
#include "engine/flow/resource.hpp"

namespace replicator {

const PeerConfig* Resource::peer_config() const noexcept {
  return connection_ ? &connection_->peer() : nullptr;
}

Task<int> Resource::call_handler(Volume& volume, const char* handler) {
  std::string who = name_ + "/" + std::to_string(volume.number());
  std::string object = "minor-" + std::to_string(volume.minor());
  if (volume.has_disk()) {
    const Status written = co_await volume.backing_->write_superblock();
    if (!written.ok()) local_disk_failed(volume);
  }
  const PeerConfig* peer = peer_config();
  co_return co_await handlers_.call(std::move(who), handler, std::move(object), peer);
}

Task<int> Resource::call_connection_handler(const char* handler) {
  for (const std::unique_ptr<Volume>& each : volumes_) {
    if (!each->has_disk()) continue;
    const Status written = co_await each->backing_->write_superblock();
    if (!written.ok()) local_disk_failed(*each);
  }
  const PeerConfig* peer = peer_config();
  co_return co_await handlers_.call_at_once(name_, handler, name_, peer);
}

Task<void> Resource::run_handler(Volume& volume, const char* handler) {
  const int code = co_await call_handler(volume, handler);
  static_cast<void>(code);
}

Task<void> Resource::run_connection_handler(const char* handler) {
  const int code = co_await call_connection_handler(handler);
  static_cast<void>(code);
}

void Resource::start_handler(Volume& volume, const char* handler) {
  tasks_.start(run_handler(volume, handler));
}

void Resource::unfence_peer() {
  Fencing policy = Fencing::dont_care;
  for (const std::unique_ptr<Volume>& each : volumes_) {
    const VolumeState& state = each->state_;
    if (state.disk != DiskState::up_to_date || state.peer_disk != DiskState::up_to_date) return;
    if (each->disk_options_.fencing > policy) policy = each->disk_options_.fencing;
  }
  if (policy != Fencing::dont_care) tasks_.start(run_connection_handler("unfence-peer"));
}

}  // namespace replicator
