// The size of a volume: what both disks offer, what was agreed before, and what was asked for.
//   E1, G6  a new area is resynced: by the resize itself, or by the handshake that finds it marked
//   P4      the size that requests are checked against changes after the meta data, and a peer
//   hears
//           of it before the first request that needs it
// Normative: docs/operations.md#resize, docs/metadata.md#write-orders.
#include <utility>

#include "base/log.hpp"
#include "engine/admin_codes.hpp"
#include "engine/flow/resource.hpp"
#include "metadata/layout.hpp"

namespace replicator {

namespace {

using C = ConnectionState;
using D = DiskState;

}  // namespace

std::uint64_t Resource::offered_sectors(Volume& volume) noexcept {
  return volume.backing_ ? to_sectors(volume.backing_->offered_bytes()).value() : 0;
}

// The device's size at attach.
Task<Status> Resource::determine_size(Volume& target) {
  const Superblock& superblock = target.backing_->superblock();
  const std::uint64_t own = offered_sectors(target);
  const std::uint64_t peer =
      target.peer_.sizes ? target.peer_.sizes->disk_sectors : std::uint64_t{0};
  const std::uint64_t user = target.disk_options_.size_sectors;
  const std::uint64_t last = superblock.la_size_sectors;
  const std::uint64_t offered = effective_size_sectors(own, peer, last, user);
  // In use through the peer, the device grows when both know of it: a link that goes meanwhile must
  // not leave the peer with less than what is in use here (P4). The disk itself may be ahead, by a
  // growth that it was given up in the middle of.
  const std::uint64_t used = to_sectors(target.size_).value();
  const bool in_use = used != 0 && target.state_.connection >= C::connected;
  const std::uint64_t next = in_use ? size_in_use_sectors(offered, last, used) : offered;
  if (user > own) {
    co_return Status(Fault::too_small, "the configured size exceeds the disk");
  }
  if (in_use && next < used) {
    co_return Status(Fault::too_small, "the disk is smaller than the device in use");
  }
  if (last != 0 && next < last && (superblock.flags & md_flag_consistent) != 0 && user != next) {
    log::warning("{}/{} refusing to truncate a consistent device ({} < {})", name_, target.number(),
                 next, last);
    co_return Status(Fault::out_of_range, "the device would shrink");
  }
  const Status sized = co_await change_size(target, next, false);
  if (!sized.ok()) co_return sized;
  expose_size(target, in_use ? used : next);
  co_return Status();
}

Task<Status> Resource::change_size(Volume& volume, std::uint64_t sectors, bool new_in_sync) {
  const std::uint64_t last = volume.backing_->superblock().la_size_sectors;
  if (sectors == 0) co_return Status(Fault::too_small, "the device");
  if (sectors == last && !volume.backing_->displaced()) co_return Status();
  const ByteCount size = to_bytes(SectorCount(sectors));
  if (sectors >= to_sectors(volume.size_).value()) {
    co_return co_await volume.backing_->resize(size, new_in_sync);
  }
  // Nothing may be under way behind the new end, here or at the peer.
  const ByteRange lost(ByteOffset(size.value()), ByteCount(volume.size_.value() - size.value()));
  io::RangeLock::Turn application(volume.application_writes_, lost);
  co_await application;
  io::RangeLock::Turn incoming(volume.incoming_writes_, lost);
  co_await incoming;
  if (volume.state_.role == Role::primary) {
    const Status flushed = co_await volume.flush_both();
    if (!flushed.ok()) co_return flushed;
  }
  const Status resized = co_await volume.backing_->resize(size, new_in_sync);
  if (resized.ok()) expose_size(volume, sectors);
  co_return resized;
}

void Resource::expose_size(Volume& volume, std::uint64_t sectors) {
  const ByteCount size = to_bytes(SectorCount(sectors));
  if (volume.size_ == size) return;
  volume.size_ = size;
  log::info("{}/{} size = {} KB", name_, volume.number(), sectors / 2);
  changed.notify_all();
  if (size_changed) size_changed(volume);
}

Task<AdminResult> Resource::resize(std::uint32_t number, ResizeRequest request) {
  io::Semaphore::Take turn(admin_, 1);
  co_await turn;
  Volume* target = volume(number);
  if (target == nullptr) co_return AdminResult(admin_minor_invalid, "unknown minor");
  if (!target->has_disk()) co_return AdminResult(admin_no_disk);
  const VolumeState& state = target->state_;
  if (state.connection > C::connected) co_return AdminResult(admin_resize_resync);
  if (state.role == Role::secondary && state.peer_role == Role::secondary) {
    co_return AdminResult(admin_no_primary);
  }
  const bool connected = state.connection == C::connected;
  if (request.assume_clean && connected && connection_->agreed_version() < 93) {
    co_return AdminResult(admin_need_version_93);
  }
  const std::uint64_t own = offered_sectors(*target);
  const std::uint64_t last = target->backing_->superblock().la_size_sectors;
  std::uint64_t peer = target->peer_.sizes ? target->peer_.sizes->disk_sectors : std::uint64_t{0};
  if (!connected && request.assume_peer_has_space) {
    log::warning("{}/{} Resize while not connected was forced by the user!", name_, number);
    peer = own;
  }
  if (request.size_sectors > own) {
    co_return AdminResult(admin_disk_too_small,
                          "the disk offers " + std::to_string(own / 2) + " KB");
  }
  const std::uint64_t next = effective_size_sectors(own, peer, last, request.size_sectors);
  if (next < last && request.size_sectors != next) {
    co_return AdminResult(admin_implicit_shrink,
                          "Implicit shrink not allowed. Use --size=" + std::to_string(next) +
                              "s for explicit shrink.");
  }
  target->disk_options_.size_sectors = request.size_sectors;
  const Status sized = co_await change_size(*target, next, request.assume_clean);
  if (!sized.ok()) {
    if (sized.fault() == Fault::io_error) local_disk_failed(*target);
    co_return AdminResult(admin_meta_io, sized.where());
  }
  tell_peer_of_resize(*target, request, next > last);
  expose_size(*target, next);
  co_await settled();
  co_return AdminResult();
}

// The peer may have more space than it had when it told us: then it grows at once, and we with its
// answer.
void Resource::tell_peer_of_resize(Volume& volume, const ResizeRequest& request, bool grew) {
  if (volume.state_.connection != C::connected) return;
  volume.peer_.resize_pending = grew;
  connection_->send_uuids(volume);
  std::uint16_t flags = 0;
  if (request.assume_peer_has_space) flags |= dds_flag_forced;
  if (request.assume_clean) flags |= dds_flag_no_resync;
  connection_->send_sizes(volume, true, flags);
}

// Both have the new size. The Primary's content of the new area counts; nobody's bitmap travels,
// since both marked the same blocks. The source relies on a target that can't take over any more;
// an answer to a request for nothing proves that it has heard of the size and yielded (S3).
Task<Status> Connection::resync_after_grow(Volume& volume) {
  const VolumeState& s = volume.state_;
  const bool source = s.role != s.peer_role ? s.role == Role::primary : resolve_conflicts();
  log::info("{}/{} Resync of new storage after online grow", resource_.name(), volume.number());
  if (source) {
    const std::int32_t reply = co_await ask_peer(&volume, 0, 0);
    if (reply == connection_was_lost) co_return Status(Fault::connection_lost, "resync start");
    if (s.connection != C::connected || s.disk != D::up_to_date) co_return Status();
    co_return co_await start_as_source(volume);
  }
  volume.peer_.only_new_storage = true;
  StateDelta delta;
  delta.connection(C::wf_sync_uuid);
  const StateCode code = resource_.change(volume, delta, true);
  co_return static_cast<int>(code) < 1 ? Status(Fault::protocol_error, "resync of new storage")
                                       : Status();
}

Task<Status> Connection::receive_sizes(ConstBytes payload, Volume& volume) {
  const Result<Sizes> decoded = decode_sizes(payload);
  if (!decoded) co_return decoded.error();
  const Sizes peer = *decoded;
  volume.peer_.sizes = peer;
  if (!volume.backing_) co_return adopt_peer_size(peer, volume);
  const bool first = volume.state_.connection == C::wf_report_params;
  const std::uint64_t mine = volume.disk_options_.size_sectors;
  const bool smaller = peer.user_sectors == 0 || (mine != 0 && mine < peer.user_sectors);
  const std::uint64_t user = first && smaller ? mine : peer.user_sectors;
  const std::uint64_t own = Resource::offered_sectors(volume);
  const std::uint64_t now = to_sectors(volume.size_).value();
  const std::uint64_t next = effective_size_sectors(
      own, peer.disk_sectors, volume.backing_->superblock().la_size_sectors, user);
  const bool connecting = volume.state_.connection < C::connected ||
                          volume.state_.peer_disk == D::diskless || peer.disk_sectors == 0;
  if (next < now && volume.state_.disk >= D::outdated && connecting) {
    co_return stand_alone("the peer's disk size is too small");
  }
  if (user != mine) {
    log::info("{}/{} Peer sets u_size to {} sectors (old: {})", resource_.name(), volume.number(),
              user, mine);
    volume.disk_options_.size_sectors = user;
  }
  const bool clean = (peer.dds_flags & dds_flag_no_resync) != 0;
  const Status sized = co_await resource_.change_size(volume, next, clean);
  if (sized.fault() == Fault::io_error) resource_.local_disk_failed(volume);
  if (!sized.ok()) co_return sized;
  if (!established_) co_return Status(Fault::connection_lost, "link");
  resource_.expose_size(volume, next);
  if (volume.state_.connection <= C::wf_report_params || !volume.has_disk()) co_return Status();
  co_return co_await answer_sizes(volume, peer, next > now);
}

Task<Status> Connection::answer_sizes(Volume& volume, Sizes peer, bool grew) {
  const bool disk_changed = Resource::offered_sectors(volume) != volume.peer_.disk_sectors_sent;
  if (peer.current_sectors != to_sectors(volume.size_).value() || disk_changed) {
    send_sizes(volume, false, peer.dds_flags);
  }
  const VolumeState& s = volume.state_;
  const bool pending = std::exchange(volume.peer_.resize_pending, false);
  const bool able =
      s.connection == C::connected || s.connection == C::verify_s || s.connection == C::verify_t;
  if (!pending && !(grew && able)) co_return Status();
  if ((peer.dds_flags & dds_flag_no_resync) != 0) {
    log::info("{}/{} Resync of new storage suppressed with --assume-clean", resource_.name(),
              volume.number());
    co_return Status();
  }
  if (s.connection == C::verify_s || s.connection == C::verify_t)
    volume.peer_.grew_in_verify = true;
  if (s.connection != C::connected || s.peer_disk < D::inconsistent || s.disk < D::inconsistent) {
    co_return Status();
  }
  co_return co_await resync_after_grow(volume);
}

// The verify is over. What it found is copied with the new storage.
Task<void> Connection::copy_new_storage(Volume& volume) {
  const VolumeState& s = volume.state_;
  const bool source = s.role != s.peer_role ? s.role == Role::primary : resolve_conflicts();
  if (!source || volume.out_of_sync_blocks() == 0) co_return;
  log::info("{}/{} Resync of new storage after online grow", resource_.name(), volume.number());
  const StateCode begun = co_await send_marked_blocks(volume);
  if (static_cast<int>(begun) < 1) {
    log::warning("{}/{} new storage is not copied: {}", resource_.name(), volume.number(),
                 text(begun));
  }
}

// Diskless: the peer's word is the device's size.
Status Connection::adopt_peer_size(const Sizes& peer, Volume& volume) {
  const std::uint64_t next = peer.current_sectors != 0 ? peer.current_sectors
                             : peer.user_sectors != 0  ? peer.user_sectors
                                                       : peer.disk_sectors;
  const std::uint64_t now = to_sectors(volume.size_).value();
  if (next == 0 || next == now || (now != 0 && peer.disk_sectors == 0)) return Status();
  if (next < now && volume.state_.role == Role::primary) {
    return stand_alone("the peer's device is smaller than the one in use");
  }
  resource_.expose_size(volume, next);
  return Status();
}

}  // namespace replicator
