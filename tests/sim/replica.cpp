#include "tests/sim/replica.hpp"

#include <fmt/format.h>

#include "engine/flow/resource.hpp"

namespace replicator::sim {

const char* name(Verb verb) noexcept {
  switch (verb) {
    case Verb::attach: return "attach";
    case Verb::detach: return "detach";
    case Verb::detach_force: return "detach --force";
    case Verb::connect: return "connect";
    case Verb::connect_discarding: return "connect --discard-my-data";
    case Verb::disconnect: return "disconnect";
    case Verb::primary: return "primary";
    case Verb::primary_force: return "primary --force";
    case Verb::secondary: return "secondary";
    case Verb::verify: return "verify";
    case Verb::down: return "down";
    case Verb::pause_sync: return "pause-sync";
    case Verb::resume_sync: return "resume-sync";
    case Verb::invalidate: return "invalidate";
    case Verb::invalidate_remote: return "invalidate-remote";
    case Verb::resize: return "resize";
    case Verb::outdate: return "outdate";
  }
  return "?";
}

std::string disk_path(std::size_t volume) {
  return volume == 0 ? "/dev/disk" : fmt::format("/dev/disk{}", volume);
}

Replica::Replica(Node& node, const ReplicaOptions& options, PeerConfig peer)
    : node_(node),
      options_(options),
      peer_(std::move(peer)),
      journal_(node.world()),
      incoming_(options.incoming_bytes, false),
      replies_(options.reply_bytes, false),
      resource_(std::make_unique<Resource>(node.io(), Memory{incoming_, replies_}, "r0",
                                           options.resource)) {
  resource_->set_undo_store(options.undo);
  resource_->set_generation_journal(&journal_);
  for (std::uint32_t number = 0; number < options.volumes; ++number) {
    static_cast<void>(resource_->new_volume(number, number));
    volumes_.push_back(resource_->volume(number));
  }
  attached_.assign(volumes_.size(), Attached::done);
}

Replica::~Replica() = default;

void Replica::command(Verb verb, std::size_t volume) {
  ensure(!busy_);
  busy_ = true;
  given_ = verb;
  if (verb != Verb::attach) attached_.assign(volumes_.size(), Attached::unknown);
  const World::As as(node_.world(), node_.id());
  if (node_.world().recording()) node_.world().record(fmt::format("command: {}", name(verb)));
  commands_.start(run_command(verb, static_cast<std::uint32_t>(volume)));
}

Task<AdminResult> Replica::attach(std::uint32_t volume) {
  BackingConfig backing;
  backing.disk_path = disk_path(volume);
  backing.meta_disk_path = backing.disk_path;
  replicator::DiskOptions disk = options_.disk;
  if (options_.resync_in_turn) disk.resync_after_minor = static_cast<std::int32_t>(volume) - 1;
  const AdminResult result = co_await resource_->attach(volume, std::move(backing), disk);
  attached_[volume] = result.ok() ? Attached::done : Attached::refused;
  co_return result;
}

Task<AdminResult> Replica::outdate_all() {
  AdminResult worst;
  for (std::uint32_t volume = 0; volume < volumes_.size(); ++volume) {
    const AdminResult result = co_await resource_->outdate(volume);
    if (!result.ok()) worst = result;
  }
  co_return worst;
}

void Replica::force_disk_off(std::size_t volume) {
  const World::As as(node_.world(), node_.id());
  if (node_.world().recording()) node_.world().record("command: detach --force, beside another");
  resource_->force_disk_off(static_cast<std::uint32_t>(volume));
}

Task<void> Replica::run_command(Verb verb, std::uint32_t volume) {
  AdminResult result;
  switch (verb) {
    case Verb::attach: result = co_await attach(volume); break;
    case Verb::detach: result = co_await resource_->detach(volume, false); break;
    case Verb::detach_force: result = co_await resource_->detach(volume, true); break;
    case Verb::connect:
    case Verb::connect_discarding: {
      NetOptions net = options_.net;
      net.discard_my_data = verb == Verb::connect_discarding;
      std::string peer_name = "peer";
      result = co_await resource_->connect(peer_, std::move(net), std::move(peer_name));
      break;
    }
    case Verb::disconnect: result = co_await resource_->disconnect(false); break;
    case Verb::primary: result = co_await resource_->set_role(Role::primary, false); break;
    case Verb::primary_force: result = co_await resource_->set_role(Role::primary, true); break;
    case Verb::secondary: result = co_await resource_->set_role(Role::secondary, false); break;
    case Verb::verify: {
      const std::optional<std::uint64_t> start = 0;
      const std::optional<std::uint64_t> stop;
      result = co_await resource_->verify(volume, start, stop);
      break;
    }
    case Verb::outdate: result = co_await outdate_all(); break;
    case Verb::down: result = co_await resource_->down(); break;
    case Verb::pause_sync: result = co_await resource_->pause_sync(volume, true); break;
    case Verb::resume_sync: result = co_await resource_->pause_sync(volume, false); break;
    case Verb::invalidate: result = co_await resource_->invalidate(volume, false); break;
    case Verb::invalidate_remote: result = co_await resource_->invalidate(volume, true); break;
    case Verb::resize: {
      ResizeRequest request;
      result = co_await resource_->resize(volume, request);
      break;
    }
  }
  last_code_ = result.code;
  last_ok_ = result.ok();
  busy_ = false;
  if (node_.world().recording()) {
    node_.world().record(fmt::format("command: {} -> {}{}{}", name(verb), result.code,
                                     result.info.empty() ? "" : " ",
                                     result.info.empty() ? std::string() : result.info.front()));
  }
}

VolumeState Replica::state(std::size_t volume) const noexcept { return volumes_[volume]->state(); }
Role Replica::role() const noexcept { return volumes_.front()->state().role; }
std::uint64_t Replica::out_of_sync_blocks(std::size_t volume) const noexcept {
  return volumes_[volume]->out_of_sync_blocks();
}
const Bitmap* Replica::bitmap(std::size_t volume) const noexcept {
  const BackingDevice* const backing = volumes_[volume]->backing();
  return backing != nullptr ? &backing->bitmap() : nullptr;
}
io::BlockDevice& Replica::device(std::size_t volume) noexcept { return *volumes_[volume]; }
ByteCount Replica::size(std::size_t volume) const noexcept { return volumes_[volume]->size(); }

}  // namespace replicator::sim
