// Administrative commands: each takes its turn on the resource, asks the decisions, carries them
// out and answers with DRBD's code (control/codes.hpp numbers; the engine uses them as plain
// integers).
#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "engine/admin_codes.hpp"
#include "engine/decide/option_conflicts.hpp"
#include "engine/decide/version_rules.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/resync.hpp"

namespace replicator {

namespace {

std::int32_t attach_code(const Status& status) {
  switch (status.fault()) {
    case Fault::busy: return admin_disk_claimed;
    case Fault::not_found:
    case Fault::not_permitted: return admin_open_disk;
    case Fault::too_small: return admin_disk_too_small;
    case Fault::no_metadata:
    case Fault::metadata_mismatch:
    case Fault::malformed: return admin_meta_invalid;
    case Fault::unclean_metadata: return admin_meta_unclean;
    case Fault::unsupported: return admin_disk_not_block_device;
    case Fault::out_of_range: return admin_implicit_shrink;
    default: return admin_meta_io;
  }
}

std::string attach_problem(const Status& status, const BackingConfig& backing) {
  std::string line = backing.disk_path + ": " + text(status.fault());
  if (*status.where() != '\0') line.append(" (").append(status.where()).append(")");
  if (status.error_number() != 0) line += ", errno " + std::to_string(status.error_number());
  return line;
}

}  // namespace

AdminResult Resource::new_volume(std::uint32_t number, std::uint32_t minor) {
  if (volume(number) != nullptr) return AdminResult(admin_minor_or_volume_exists);
  const auto place = std::find_if(volumes_.begin(), volumes_.end(),
                                  [&](const auto& other) { return other->number() > number; });
  volumes_.insert(place, std::make_unique<Volume>(*this, number, minor));
  announce();
  return AdminResult();
}

bool Resource::can_delete(std::uint32_t number) noexcept {
  const Volume* found = volume(number);
  return found != nullptr && found->backing_ == nullptr && connection_ == nullptr &&
         !found->is_open() && found->state_.role == Role::secondary && !following_up_;
}

AdminResult Resource::delete_volume(std::uint32_t number) {
  const Volume* found = volume(number);
  if (found == nullptr) return AdminResult(admin_minor_invalid, "unknown volume");
  if (!can_delete(number)) return AdminResult(admin_minor_configured);
  std::erase_if(volumes_, [&](const auto& volume) { return volume.get() == found; });
  order_.reconsider();
  announce();
  return AdminResult();
}

Task<AdminResult> Resource::attach(std::uint32_t number, BackingConfig backing,
                                   DiskOptions options) {
  io::Semaphore::Take turn(admin_, 1);
  co_await turn;
  Volume* target = volume(number);
  if (target == nullptr) co_return AdminResult(admin_minor_invalid, "unknown minor");
  if (target->backing_ != nullptr) co_return AdminResult(admin_disk_configured);
  const std::int32_t conflict = fencing_conflict(options);
  if (conflict != 0) co_return AdminResult(conflict);
  const std::int32_t order = order_.check(*target, options.resync_after_minor);
  if (order != 0) co_return AdminResult(order);
  StateDelta attaching;
  attaching.disk(DiskState::attaching);
  const StateCode begun = change(*target, attaching, false);
  if (static_cast<int>(begun) < 1) co_return AdminResult(static_cast<std::int32_t>(begun));
  BackingDevice** const opening = &target->opening_;
  Result<std::unique_ptr<BackingDevice>> opened =
      co_await BackingDevice::open(world_, backing, options, opening);
  if (!opened) {
    const Status status = opened.error();
    StateDelta diskless;
    diskless.disk(DiskState::diskless);
    change(*target, diskless, true);
    co_return AdminResult(attach_code(status), attach_problem(status, backing));
  }
  target->backing_ = std::move(*opened);
  target->backing_->starved = [this] {
    if (connection_) connection_->close_epoch();
  };
  target->backing_->hangs = [this, target] { disk_hangs(*target); };
  target->backing_config_ = std::move(backing);
  target->disk_options_ = std::move(options);
  co_return co_await finish_attach(*target);
}

// The disk is open and its meta data is read: what is it worth (docs/metadata.md#attach)?
Task<AdminResult> Resource::finish_attach(Volume& target) {
  target.generations_read();
  const Superblock& superblock = target.backing_->superblock();
  target.crashed_primary_ = target.backing_->crashed_primary();
  target.attach_state_ = state_from_superblock(superblock.flags, target.disk_options_.fencing);
  const bool current = target.exposed_uuid_ == 0 ||
                       (same_generation(target.exposed_uuid_, superblock.generations.current) &&
                        !target.peer_has_newer_) ||
                       target.state_.role != Role::primary ||
                       target.state_.peer_disk == DiskState::up_to_date;
  // The peer holds what this disk lacks, and has begun no generation for it, as the disk was being
  // attached when they met: the handshake would take both for equal (G1).
  const bool passed_by =
      target.state_.role == Role::primary && target.peer_has_newer_ && target.peer_.uuids &&
      same_generation(target.peer_.uuids->current, superblock.generations.current);
  if (!current || passed_by) {
    co_return co_await refuse_attach(target, admin_data_not_current,
                                     "the disk holds another generation than the data in use");
  }
  if (target.is_open() && target.backing_->logical_block_bytes() > target.block_bytes_at_open_) {
    co_return co_await refuse_attach(target, admin_open_disk,
                                     "the device in use has smaller blocks than the disk");
  }
  const Status sized = co_await determine_size(target);
  if (!sized.ok()) co_return co_await refuse_attach(target, attach_code(sized), sized.where());
  const bool connected = connection_ && connection_->established();
  note_generation(target, GenerationCause::attached);
  StateDelta attached;
  if (connected) {
    attached.disk(DiskState::negotiating);
  } else {
    attached.disk(target.attach_state_.disk);
    if (target.attach_state_.peer_disk == DiskState::outdated) {
      attached.peer_disk(DiskState::outdated);
    }
  }
  const StateCode code = change(target, attached, true);
  if (static_cast<int>(code) < 1) {
    co_return co_await refuse_attach(target, static_cast<std::int32_t>(code), "");
  }
  log_write_ordering();
  co_await settled();
  co_return AdminResult();
}

Task<AdminResult> Resource::refuse_attach(Volume& target, std::int32_t code, const char* why) {
  co_await give_back_disk(target);
  StateDelta diskless;
  diskless.disk(DiskState::diskless);
  change(target, diskless, true);
  AdminResult result(code);
  if (*why != '\0') result.info.emplace_back(why);
  co_return result;
}

Task<AdminResult> Resource::detach(std::uint32_t number, bool force) {
  // What has the turn may be waiting for this very disk.
  if (force) force_disk_off(number);
  io::Semaphore::Take turn(admin_, 1);
  co_await turn;
  Volume* target = volume(number);
  if (target == nullptr) co_return AdminResult(admin_minor_invalid, "unknown minor");
  co_return co_await detach_volume(*target, force);
}

Task<AdminResult> Resource::detach_volume(Volume& target, bool force) {
  if (target.backing_ == nullptr) co_return AdminResult();
  StateDelta failed;
  failed.disk(DiskState::failed);
  if (force) {
    change(target, failed, true);
  } else {
    // Everything answered so far is on media before the disk goes (D3).
    if (target.state_.role == Role::primary) {
      const Status flushed = co_await target.flush_both();
      if (!flushed.ok()) co_return AdminResult(admin_meta_io, "flush failed");
    }
    target.detach_asked_ = true;
    const StateCode code = co_await change_cluster_wide(target, failed);
    target.detach_asked_ = false;
    changed.notify_all();
    if (static_cast<int>(code) < 1) co_return AdminResult(static_cast<std::int32_t>(code));
  }
  while (target.backing_ != nullptr) {
    io::Event::Wait wait(changed);
    co_await wait;
  }
  co_return AdminResult();
}

void Resource::log_write_ordering() const {
  log::info("{} Method to ensure write ordering: {}", name_, replicator::name(write_ordering()));
}

bool Resource::fences_with_stonith() const noexcept {
  return std::any_of(volumes_.begin(), volumes_.end(), [](const auto& volume) {
    return volume->has_disk() && volume->disk_options_.fencing == Fencing::resource_and_stonith;
  });
}

std::int32_t Resource::fencing_conflict(const DiskOptions& options) const noexcept {
  if (!connection_) return 0;
  return stonith_conflict(connection_->options().protocol,
                          options.fencing == Fencing::resource_and_stonith);
}

AdminResult Resource::refuse_options(const NetOptions& options) const {
  if (options.tls && !options.tls_context) {
    return AdminResult(admin_invalid_request, "tls without keys");
  }
  return AdminResult(net_option_conflict(options, fences_with_stonith()));
}

Task<AdminResult> Resource::connect(PeerConfig peer, NetOptions options, std::string peer_name) {
  io::Semaphore::Take turn(admin_, 1);
  co_await turn;
  if (connection_ && !connection_->ended()) co_return AdminResult(admin_net_configured);
  // One that went StandAlone by itself: writes may still be on their way to the disk and then to
  // its log.
  if (connection_) co_await end_connection(false);
  if (options.discard_my_data && role_ == Role::primary) {
    co_return AdminResult(admin_discard_impossible);
  }
  AdminResult refused = refuse_options(options);
  if (!refused.ok()) co_return refused;
  Digests digests;
  const std::int32_t unknown_digest = make_digests(options, digests);
  if (unknown_digest != 0) co_return AdminResult(unknown_digest);
  ++connections_made_;
  connection_ = std::make_unique<Connection>(*this, std::move(peer), std::move(options),
                                             std::move(digests), std::move(peer_name));
  const Status listening = connection_->listen();
  if (listening.fault() == Fault::busy) {
    std::string line = io::text(connection_->peer().local) +
                       ": another program listens there; end it or configure another port";
    connection_.reset();
    co_return AdminResult(admin_local_address_in_use, std::move(line));
  }
  // ns: and nr: count from the last `connect`, as the kernel's do.
  for (const std::unique_ptr<Volume>& each : volumes_)
    each->net_sent_ = each->net_received_ = 0;
  note_link(LinkTrouble::none, std::string());
  announce();
  connection_->start();
  co_return AdminResult();
}

Task<AdminResult> Resource::disconnect(bool force) {
  io::Semaphore::Take turn(admin_, 1);
  co_await turn;
  if (!connection_) co_return AdminResult();
  // One that has given up keeps its reason.
  if (!connection_->ended()) note_link(LinkTrouble::disconnected_here, std::string());
  const bool told = !force && connection_->established();
  if (told) {
    const StateCode code = co_await disconnect_gracefully();
    if (static_cast<int>(code) < 1) co_return AdminResult(static_cast<std::int32_t>(code));
  }
  co_await end_connection(told);
  co_return AdminResult();
}

Task<void> Resource::end_connection(bool told) {
  co_await connection_->stop(told);
  co_await settled();
  connection_.reset();
  announce();
}

// Asks the peer; escalates as DRBD does: plain, with the peer outdated (-7), with ourselves
// outdated (-10).
Task<StateCode> Resource::disconnect_gracefully() {
  // What was answered is stable on both sides before they part.
  for (const std::unique_ptr<Volume>& each : volumes_) {
    if (each->state_.role != Role::primary) continue;
    const Status flushed = co_await each->flush_both();
    static_cast<void>(flushed);  // what the peer lacks is marked when the connection ends
  }
  StateDelta delta;
  delta.connection(ConnectionState::disconnecting);
  StateCode code = judge_all(delta);
  if (code == StateCode::primary_nop) {
    delta.peer_disk(DiskState::outdated);
    code = judge_all(delta);
  }
  if (static_cast<int>(code) < 1) co_return code;
  std::int32_t reply = co_await connection_->ask_peer(nullptr, delta.mask, delta.value);
  if (reply < 1 && connection_->established()) {
    StateDelta outdating;
    outdating.connection(ConnectionState::disconnecting).disk(DiskState::outdated);
    const StateCode possible = judge_all(outdating);
    if (static_cast<int>(possible) < 1) co_return StateCode::refused_by_peer;
    delta = outdating;
    reply = co_await connection_->ask_peer(nullptr, delta.mask, delta.value);
    if (reply < 1 && connection_->established()) co_return StateCode::refused_by_peer;
  }
  // In one step with the disks: an Outdated disk that is still Connected would count as current. A
  // peer that went away without an answer has promised nothing.
  if (reply >= 1) change_all(delta, true);
  co_return StateCode::success;
}

AdminResult Resource::set_disk_options(std::uint32_t number, const DiskOptions& options) {
  Volume* target = volume(number);
  if (target == nullptr) return AdminResult(admin_minor_invalid, "unknown minor");
  if (target->backing_ == nullptr) return AdminResult(admin_no_disk);
  const std::int32_t conflict = fencing_conflict(options);
  if (conflict != 0) return AdminResult(conflict);
  const std::int32_t order = order_.check(*target, options.resync_after_minor);
  if (order != 0) return AdminResult(order);
  if (options.al_extents != target->disk_options_.al_extents) {
    // The log in use keeps its slots: what they cover must not change under writes (D4).
    log::info("{}/{} al-extents takes effect at the next attach", name_, number);
  }
  if (options.al_updates != target->disk_options_.al_updates) {
    log::info("{}/{} al-updates takes effect at the next attach", name_, number);
  }
  const WriteOrdering before = write_ordering();
  target->disk_options_ = options;
  target->backing_->set_options(options);
  order_.reconsider();
  if (write_ordering() != before) log_write_ordering();
  return AdminResult();
}

bool Resource::any_volume_in(ConnectionState first, ConnectionState last) const noexcept {
  return std::any_of(volumes_.begin(), volumes_.end(), [=](const auto& volume) {
    return volume->state_.connection >= first && volume->state_.connection <= last;
  });
}

AdminResult Resource::set_net_options(const NetOptions& options) {
  if (!connection_) return AdminResult(admin_invalid_request, "unknown connection");
  NetOptions& current = connection_->options();
  const bool changes_protocol = options.protocol != current.protocol ||
                                options.allow_two_primaries != current.allow_two_primaries ||
                                options.cram_hmac_alg != current.cram_hmac_alg ||
                                options.shared_secret != current.shared_secret ||
                                options.tls != current.tls;
  // Nothing could tell an older peer.
  const bool needs_100 = options.protocol != current.protocol ||
                         options.allow_two_primaries != current.allow_two_primaries ||
                         options.data_integrity_alg != current.data_integrity_alg;
  if (needs_100 && connection_->established() && !knows_volumes(connection_->agreed_version())) {
    return AdminResult(admin_need_apv_100);
  }
  const bool both_primary =
      role_ == Role::primary && std::any_of(volumes_.begin(), volumes_.end(), [](const auto& each) {
        return each->state_.peer_role == Role::primary;
      });
  if (both_primary && !options.allow_two_primaries) {
    return AdminResult(admin_need_allow_two_primaries);
  }
  if (changes_protocol && connection_->established()) {
    return AdminResult(admin_invalid_request,
                       "this option can not be changed while connected; disconnect first");
  }
  AdminResult refused = refuse_options(options);
  if (!refused.ok()) return refused;
  const bool verifying = options.verify_alg != current.verify_alg &&
                         any_volume_in(ConnectionState::verify_s, ConnectionState::verify_t);
  if (verifying) return AdminResult(admin_verify_running);
  const bool resyncing =
      options.csums_alg != current.csums_alg &&
      (any_volume_in(ConnectionState::sync_source, ConnectionState::sync_target) ||
       any_volume_in(ConnectionState::paused_sync_s, ConnectionState::paused_sync_t));
  if (resyncing) return AdminResult(admin_csums_resync_running);
  const bool other_integrity = options.data_integrity_alg != current.data_integrity_alg;
  if (other_integrity && connection_->established() && connection_->agreed_version() < 100) {
    return AdminResult(admin_need_version_100);
  }
  Digests digests;
  const std::int32_t unknown_digest = make_digests(options, digests);
  if (unknown_digest != 0) return AdminResult(unknown_digest);
  current = options;
  if (other_integrity) connection_->announce_protocol();
  connection_->digests() = std::move(digests);
  connection_->announce_options();
  return AdminResult();
}

Task<AdminResult> Resource::outdate(std::uint32_t number) {
  io::Semaphore::Take turn(admin_, 1);
  co_await turn;
  Volume* target = volume(number);
  if (target == nullptr) co_return AdminResult(admin_minor_invalid, "unknown minor");
  // Connected, an outdated disk would count as current at once.
  if (target->state_.connection >= ConnectionState::connected) {
    co_return AdminResult(static_cast<std::int32_t>(StateCode::connected_outdates));
  }
  StateDelta delta;
  delta.disk(DiskState::outdated);
  const StateCode code = change(*target, delta, false);
  co_await settled();
  co_return AdminResult(std::min(static_cast<std::int32_t>(code), 0));
}

Task<AdminResult> Resource::down() {
  limit_patience_with_disks();
  io::Semaphore::Take turn(admin_, 1);
  co_await turn;
  limit_patience_with_disks();  // an attach may have had the turn
  if (role_ == Role::primary) {
    AdminResult demoted = co_await demote();
    if (!demoted.ok()) {
      lift_limit_of_patience();
      demoted.info.emplace_back("failed to demote");
      co_return demoted;
    }
  }
  if (connection_) {
    const bool told = connection_->established();
    if (told) {
      const StateCode asked = co_await disconnect_gracefully();
      static_cast<void>(asked);  // going down anyway
    }
    co_await end_connection(told);
  }
  for (const std::unique_ptr<Volume>& each : volumes_) {
    const AdminResult detached = co_await detach_volume(*each, true);
    if (!detached.ok()) co_return detached;
  }
  co_await settled();
  co_return AdminResult();
}

}  // namespace replicator
