#include "tests/sim/replica.hpp"

#include <fmt/format.h>

#include "engine/flow/resource.hpp"

namespace replicator::sim {

namespace {
constexpr std::uint32_t volume_number = 0;
constexpr std::uint32_t minor_number = 0;
}  // namespace

const char* name(Verb verb) noexcept {
  switch (verb) {
    case Verb::attach: return "attach";
    case Verb::detach: return "detach";
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
  static_cast<void>(resource_->new_volume(volume_number, minor_number));
  volume_ = resource_->volume(volume_number);
}

Replica::~Replica() = default;

void Replica::command(Verb verb) {
  ensure(!busy_);
  busy_ = true;
  given_ = verb;
  const World::As as(node_.world(), node_.id());
  if (node_.world().recording()) node_.world().record(fmt::format("command: {}", name(verb)));
  commands_.start(run_command(verb));
}

Task<void> Replica::run_command(Verb verb) {
  AdminResult result;
  switch (verb) {
    case Verb::attach: {
      BackingConfig backing;
      backing.disk_path = "/dev/disk";
      backing.meta_disk_path = "/dev/disk";
      result = co_await resource_->attach(volume_number, std::move(backing), options_.disk);
      break;
    }
    case Verb::detach: result = co_await resource_->detach(volume_number, false); break;
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
      result = co_await resource_->verify(volume_number, start, stop);
      break;
    }
    case Verb::outdate: result = co_await resource_->outdate(volume_number); break;
    case Verb::down: result = co_await resource_->down(); break;
    case Verb::pause_sync: result = co_await resource_->pause_sync(volume_number, true); break;
    case Verb::resume_sync: result = co_await resource_->pause_sync(volume_number, false); break;
    case Verb::invalidate: result = co_await resource_->invalidate(volume_number, false); break;
    case Verb::invalidate_remote:
      result = co_await resource_->invalidate(volume_number, true);
      break;
    case Verb::resize: {
      ResizeRequest request;
      result = co_await resource_->resize(volume_number, request);
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

VolumeState Replica::state() const noexcept { return volume_->state(); }
Role Replica::role() const noexcept { return volume_->state().role; }
std::uint64_t Replica::out_of_sync_blocks() const noexcept { return volume_->out_of_sync_blocks(); }
const Bitmap* Replica::bitmap() const noexcept {
  return volume_->backing() != nullptr ? &volume_->backing()->bitmap() : nullptr;
}
io::BlockDevice& Replica::device() noexcept { return *volume_; }
ByteCount Replica::size() const noexcept { return volume_->size(); }

}  // namespace replicator::sim
