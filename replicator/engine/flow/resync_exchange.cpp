// From the bitmap exchange to the start of a resync, the blocks in between, and its end on either
// side.
//   E7  out-of-sync notices follow the state that begins the exchange, and precede the sync
//       identifier on the same socket
//   G3, G7  identifiers are on media before the packet that tells the peer of them
//   S5  the target is Consistent again only when the end of the resync is on media
// Normative: docs/protocol.md#resync.
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "base/sabotage.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/resync.hpp"

namespace replicator {

namespace {

using C = ConnectionState;
using D = DiskState;

constexpr std::uint64_t sync_uuid_step = 1ULL << 48U;
constexpr std::size_t bitmap_backlog = 256U * 1024U;  // unsent bytes after which we wait

// While a handler ran or the meta data was written, a disk may have gone, and be back: then the
// resync that was to begin is no more.
bool begins_still(const VolumeState& before, const VolumeState& now) {
  if (now.disk < D::inconsistent || now.peer_disk < D::inconsistent) return false;
  return before.connection == C::connected || now.connection == before.connection;
}

}  // namespace

Task<void> Connection::send_bitmap(Volume& volume) {
  PeerLink& link = *link_;
  const BlockCount size = volume.backing_->bitmap().size();
  BitmapSender sender(size.value(), link.agreed_version, options_.use_rle);
  std::array<std::byte, bitmap_packet_bytes_max> chunk{};
  while (!sender.done() && !link.failed() && volume.backing_) {
    // While we waited the disk may have been replaced, or resized by what the peer sent.
    const Bitmap& bitmap = volume.backing_->bitmap();
    if (bitmap.size() != size) {
      fail(ConnectionState::protocol_error, "bitmap resized during the exchange");
      break;
    }
    const BitmapChunk next = sender.next(bitmap.words(), chunk);
    link.send_bytes(Socket::data, next.packet, static_cast<std::uint16_t>(volume.number()),
                    ConstBytes(chunk).first(next.bytes));
    if (link.data.queued_bytes() > bitmap_backlog) {
      io::Event::Wait wait(link.data.idle_event);
      co_await wait;
    }
  }
}

// A write that the peer refused is marked here when its answer comes: everything under way is
// settled before the bitmap goes, or the two would differ for good (E2, L1).
Task<void> Connection::offer_bitmap(Volume& volume) {
  const std::uint32_t exchange = ++volume.peer_.exchanges;
  close_epoch();
  const std::uint64_t ticket = log_.ticket();
  while (established_ && !log_.stable(ticket)) {
    io::Event::Wait wait(log_.epoch_acked);
    co_await wait;
  }
  if (!established_ || volume.peer_.exchanges != exchange) co_return;
  if (volume.state_.connection == C::wf_bitmap_s) co_await send_bitmap(volume);
}

// The whole bitmap of the peer is merged into ours.
Task<Status> Connection::bitmap_received(Volume& volume) {
  volume.backing_->bitmap().recount();
  if (volume.state_.connection == C::wf_bitmap_t) {
    // Our merged bitmap goes back before we wait for the sync identifier.
    co_await send_bitmap(volume);
    if (link_->failed()) co_return Status(Fault::connection_lost, "bitmap exchange");
    if (volume.state_.connection != C::wf_bitmap_t) co_return Status();  // the disk went
    StateDelta delta;
    delta.connection(C::wf_sync_uuid);
    const StateCode code = resource_.change(volume, delta, true);
    if (static_cast<int>(code) < 1) co_return Status(Fault::protocol_error, "bitmap exchange");
    co_return Status();
  }
  co_return co_await start_as_source(volume);
}

Task<Status> Connection::start_as_source(Volume& volume) {
  const VolumeState before = volume.state_;
  const bool allowed = co_await may_resync(volume, true);
  if (link_->failed()) co_return Status(Fault::connection_lost, "resync start");
  if (!allowed) co_return stand_alone("before-resync-source forbids the resync");
  if (!volume.has_disk() || !begins_still(before, volume.state_)) co_return Status();
  // Gone ahead, a node began a generation, which the target is to have at the end (G3).
  const std::uint64_t reached = volume.generation_changes_;
  if (before.connection == C::ahead && volume.generation_stable_ < reached) {
    const Status stable = co_await volume.backing_->write_superblock();
    if (!stable.ok()) co_return stable;
    if (link_->failed()) co_return Status(Fault::connection_lost, "resync start");
    if (!volume.has_disk() || !begins_still(before, volume.state_)) co_return Status();
    if (volume.generation_stable_ < reached) volume.generation_stable_ = reached;
    send_uuids(volume);
  }
  GenerationSet& own = volume.backing_->superblock().generations;
  const std::uint64_t fresh = own.bitmap != 0 && own.bitmap != uuid_just_created
                                  ? own.bitmap + sync_uuid_step
                                  : resource_.world().entropy.next64();
  own.rotate_bitmap(fresh);
  resource_.note_generation(volume, GenerationCause::source_began);
  // On media before the peer hears of it; until then writes are still announced as out of sync
  // (E7).
  const Status written = co_await volume.backing_->write_superblock();
  if (!written.ok()) co_return written;
  if (link_->failed()) co_return Status(Fault::connection_lost, "resync start");
  if (!volume.has_disk() || !begins_still(before, volume.state_)) co_return Status();
  StateDelta delta;
  delta.connection(C::sync_source).peer_disk(D::inconsistent);
  delta.sync_paused_by_dependency(!resource_.may_sync(volume));
  const StateCode code = resource_.change(volume, delta, true);
  if (static_cast<int>(code) < 1) co_return Status(Fault::protocol_error, "resync start");
  send_sync_uuid(volume, fresh);
  // It takes that for its own from now on: a handshake in the middle of the resync, when a disk
  // comes back, must not judge by what it had before (G1).
  if (volume.peer_.uuids) {
    volume.peer_.uuids->current = fresh;
    volume.peer_.uuids->bitmap = 0;
  }
  log::info("{}/{} Began resync as SyncSource (will sync {} KB [{} bits set]).", resource_.name(),
            volume.number(), volume.out_of_sync_blocks() * 4, volume.out_of_sync_blocks());
  resource_.start_resync(volume, true);
  co_return Status();
}

Task<void> Connection::begin_full_sync(Volume& volume, bool target) {
  if (!volume.has_disk()) co_return;
  const Status marked = co_await volume.backing_->set_all_with_full_sync_flag();
  if (!marked.ok()) {
    resource_.local_disk_failed(volume);
    co_return;
  }
  if (target && volume.has_disk()) {
    // Given up here and now, the link lost or not: the generations say nothing of it until the
    // resync begins, and on another connection they would be taken for equal (E9).
    StateDelta delta;
    delta.disk(D::inconsistent);
    if (volume.state_.connection == C::starting_sync_t) delta.connection(C::wf_sync_uuid);
    resource_.change(volume, delta, true);
  } else if (established_ && volume.state_.connection == C::starting_sync_s) {
    const Status started = co_await start_as_source(volume);
    if (!started.ok()) fail(ConnectionState::protocol_error, started.where());
  }
}

Task<Status> Connection::receive_sync_uuid(ConstBytes payload, Volume& volume) {
  const Result<SyncUuid> word = decode_sync_uuid(payload);
  if (!word) co_return word.error();
  // After an invalidate our own preparation may still be writing the bitmap.
  while (volume.state_.connection == C::starting_sync_t && !link_->failed()) {
    io::Event::Wait wait(resource_.changed);
    co_await wait;
  }
  co_await volume.prepare_undo();
  if (link_->failed()) co_return Status(Fault::connection_lost, "resync start");
  const bool expected = volume.backing_ && (volume.state_.connection == C::wf_sync_uuid ||
                                            volume.state_.connection == C::behind);
  if (!expected) co_return Status(Fault::protocol_error, "sync identifier in the wrong state");
  const VolumeState before = volume.state_;
  const bool allowed = co_await may_resync(volume, false);
  if (link_->failed()) co_return Status(Fault::connection_lost, "resync start");
  if (!allowed) co_return stand_alone("before-resync-target forbids the resync");
  if (!volume.has_disk() || !begins_still(before, volume.state_)) co_return Status();
  GenerationSet& own = volume.backing_->superblock().generations;
  own.set_current(word->uuid, volume.state_.role == Role::primary);
  own.bitmap = 0;
  resource_.note_generation(volume, GenerationCause::target_began);
  StateDelta delta;
  delta.connection(C::sync_target).disk(D::inconsistent);
  delta.sync_paused_by_dependency(!resource_.may_sync(volume));
  const StateCode code = resource_.change(volume, delta, true);
  if (static_cast<int>(code) < 1) co_return Status(Fault::protocol_error, "resync start");
  const Status written = co_await volume.backing_->write_superblock();
  if (!written.ok()) co_return written;
  if (link_->failed()) co_return Status(Fault::connection_lost, "resync start");
  if (!volume.has_disk()) co_return Status();
  log::info("{}/{} Began resync as SyncTarget (will sync {} KB [{} bits set]).", resource_.name(),
            volume.number(), volume.out_of_sync_blocks() * 4, volume.out_of_sync_blocks());
  resource_.start_resync(volume, false);
  co_return Status();
}

void Connection::request_resync(Volume& volume, ByteRange range, bool thin) {
  BlockRequest request;
  request.sector = to_sector(range.begin);
  request.block_id = syncer_block_id;
  request.bytes = static_cast<std::uint32_t>(range.length.value());
  link_->send(Socket::data, thin ? Packet::rs_thin_req : Packet::rs_data_request,
              static_cast<std::uint16_t>(volume.number()), request);
}

// Source: one block range for the target. The extent is ours while we read (E4): every application
// write to it is stable on both sides by then, and new ones wait.
Task<void> Connection::serve_resync(Volume& volume, ResyncQuestion question) {
  ++serving_;
  const Status status = co_await read_for_resync(volume, question);
  if (!status.ok()) {
    if (volume.resync_) volume.resync_->read_failed(question.range);
    send_block_ack(volume, Packet::neg_rs_dreply, question.request.sector, question.request.bytes,
                   question.request.block_id);
  }
  --serving_;
  served_.notify_all();
}

Task<Status> Connection::read_for_resync(Volume& volume, const ResyncQuestion& question) {
  const ByteRange range = question.range;
  if (!volume.has_disk() || volume.state_.disk != D::up_to_date) {
    co_return Status(Fault::no_good_data, "resync read");
  }
  const bool compares = question.kind == Packet::csum_rs_request;
  if (compares && volume.resync_) {
    const bool settled = co_await volume.resync_->settle_cache();
    if (!settled) co_return Status(Fault::io_error, "flush before a checksum");
    if (!volume.has_disk()) co_return Status(Fault::no_good_data, "resync read");
  }
  io::BufferPool::Buffer buffer = co_await resource_.reply_buffers().take(question.request.bytes);
  if (!volume.has_disk()) co_return Status(Fault::no_good_data, "resync read");
  const std::uint32_t resync = volume.peer_.resyncs;
  ResyncLock lock;
  while (!volume.backing_->try_lock_resync(range, lock)) {
    close_epoch();  // what is in doubt there becomes stable sooner
    io::Op op;
    resource_.world().clock.sleep(op, Duration::milliseconds(5));
    co_await op;
    if (link_->failed() || !volume.has_disk()) {
      co_return Status(Fault::connection_lost, "resync read");
    }
  }
  io::Op op;
  ++volume.local_pending_;
  volume.backing_->read(op, range.begin, buffer.bytes());
  const std::int32_t moved = co_await op;
  --volume.local_pending_;
  if (moved < 0) {
    volume.data_io_failed("resync read", moved, range);
    co_return Status(Fault::io_error, "resync read", -moved);
  }
  // The target's disk went, and may be back: a later resync must not take this for its own (E3).
  if (!volume.resync_ || volume.peer_.resyncs != resync) co_return Status();
  answer_resync(volume, question, std::move(buffer));
  co_return Status();
}

void Connection::answer_resync(Volume& volume, const ResyncQuestion& question,
                               io::BufferPool::Buffer data) {
  const BlockRequest& request = question.request;
  if (question.kind == Packet::csum_rs_request && digests_.checksums &&
      digests_.checksums.matches(data.bytes(), question.digest.view())) {
    // On media on both sides: neither has written there since its cache was flushed, or the write's
    // epoch is acknowledged (E3).
    volume.clear_out_of_sync(question.range);
    volume.resync_->equal_checksum(question.range);
    send_block_ack(volume, Packet::rs_is_in_sync, request.sector, request.bytes, request.block_id);
    return;
  }
  if (question.kind == Packet::csum_rs_request) volume.resync_->checksums_used();
  if (question.kind == Packet::rs_thin_req && all_zero(data.bytes())) {
    BlockDescriptor descriptor;
    descriptor.sector = request.sector;
    descriptor.bytes = request.bytes;
    if (link_->failed()) return;
    link_->send(Socket::data, Packet::rs_deallocated, static_cast<std::uint16_t>(volume.number()),
                descriptor);
    return;
  }
  send_data_reply(volume, Packet::rs_data_reply, request.sector, request.block_id, std::move(data));
  if (sabotage(Sabotage::clear_bit_without_proof)) volume.clear_out_of_sync(question.range);
}

bool Connection::expects_resync_data(const Volume& volume, ByteRange range) noexcept {
  return volume.resync_ && volume.resync_->side() == Resync::Side::target &&
         volume.resync_->expects(range);
}

Task<Status> Connection::receive_resync_data(const PacketHeader& header, Volume& volume) {
  PeerLink& link = *link_;
  const Status filled = co_await link.data_reader.fill(data_header_bytes, Duration::forever());
  if (!filled.ok()) co_return filled;
  const Result<DataHeader> decoded = decode_data_header(link.data_reader.take(data_header_bytes));
  if (!decoded) co_return decoded.error();
  ReceivedDigest digest;
  std::uint32_t bytes = 0;
  const Status digested = co_await receive_digest(header, digest, bytes);
  if (!digested.ok()) co_return digested;
  const Result<ByteRange> range = checked_range(decoded->sector, bytes, volume.size());
  if (!range) co_return range.error();
  volume.net_received_ += bytes;
  // What was under way when our disk went; it may be back.
  const bool late = !volume.resync_ && (!volume.has_disk() || volume.peer_.resyncs != 0);
  if (late) co_return co_await link.data_reader.skip(bytes);
  if (!expects_resync_data(volume, *range)) {
    co_return Status(Fault::protocol_error, "resync data that nobody asked for");
  }
  io::BufferPool::Buffer buffer = co_await resource_.incoming_buffers().take(bytes);
  const Status read = co_await link.data_reader.read_into(buffer.bytes());
  if (!read.ok()) co_return read;
  const Status intact = check_digest(volume, decoded->sector, buffer.bytes(), digest);
  if (!intact.ok()) co_return intact;
  // Meanwhile the resync may have ended, or the peer may have answered once more on the meta
  // socket.
  if (!volume.resync_) co_return Status();
  if (!expects_resync_data(volume, *range)) {
    co_return Status(Fault::protocol_error, "resync request answered twice");
  }
  link_tasks_.start(volume.resync_->write(*range, std::move(buffer), false));
  co_return Status();
}

Status Volume::resync_answer(Packet command, ByteRange range) {
  if (!resync_) return Status();  // it ended meanwhile
  const bool known = resync_->side() == Resync::Side::source
                         ? resync_->acknowledged(command, range)
                         : resync_->answered_without_data(command, range);
  return known ? Status() : Status(Fault::protocol_error, "resync answer that nobody waits for");
}

// The source has only zeroes there.
Status Connection::receive_deallocated(ConstBytes payload, Volume& volume) {
  const Result<BlockDescriptor> descriptor = decode_block_descriptor(payload);
  if (!descriptor) return descriptor.error();
  const Result<ByteRange> range =
      checked_range(descriptor->sector, descriptor->bytes, volume.size());
  if (!range) return range.error();
  const bool late = !volume.resync_ && (!volume.has_disk() || volume.peer_.resyncs != 0);
  if (late) return Status();
  if (!expects_resync_data(volume, *range) || !volume.resync_->asked_thin(*range)) {
    return Status(Fault::protocol_error, "P_RS_DEALLOCATED that nobody asked for");
  }
  io::BufferPool::Buffer none;
  link_tasks_.start(volume.resync_->write(*range, std::move(none), true));
  return Status();
}

// The target's end (docs/protocol.md#resync-end). With failed blocks it stays Inconsistent.
Task<void> Resource::finish_resync_as_target(Volume& volume, bool complete) {
  if (!volume.has_disk() || !connection_ || !connection_->established()) co_return;
  if (volume.state_.connection != C::sync_target && volume.state_.connection != C::paused_sync_t) {
    co_return;
  }
  StateDelta delta;
  delta.connection(C::connected);
  GenerationSet& own = volume.backing_->superblock().generations;
  if (complete && !volume.peer_.uuids) {
    connection_->fail(C::protocol_error, "resync from a peer that never sent its generations");
    co_return;
  }
  if (complete) {
    // The peer's set as it was before the resync began, then its current generation.
    const Uuids& peer = *volume.peer_.uuids;
    const std::uint64_t sync_uuid = own.current;
    own.bitmap = peer.bitmap;
    own.history[0] = peer.history[0];
    own.history[1] = peer.history[1];
    own.rotate_bitmap(sync_uuid);
    own.set_current(peer.current, volume.state_.role == Role::primary);
    own.clear_bitmap();
    volume.exposed_uuid_ = own.current;
    note_generation(volume, GenerationCause::target_done);
    peer_has_our_generations(volume);
    delta.disk(D::up_to_date);
  }
  log::info("{}/{} Resync done ({})", name_, volume.number(),
            complete ? "complete" : "with failed blocks");
  if (volume.resync_) volume.resync_->tell_checksums();
  change(volume, delta, true);
  retire_resync(volume);
  start_handler(volume, "after-resync-target");
  co_await settled();
  if (connection_ && connection_->established()) connection_->send_state(volume);
  if (complete) co_await volume.finish_undo();
}

void Resource::peer_has_our_generations(Volume& volume) noexcept {
  if (!volume.peer_.uuids) return;
  const GenerationSet& own = volume.backing_->superblock().generations;
  Uuids& peer = *volume.peer_.uuids;
  peer.current = own.current;
  peer.bitmap = own.bitmap;
  peer.history[0] = own.history[0];
  peer.history[1] = own.history[1];
}

Task<void> Resource::finish_resync_as_source(Volume& volume) {
  const std::uint64_t failed = volume.resync_ ? volume.resync_->failed_blocks() : 0;
  if (volume.out_of_sync_blocks() > failed) {
    log::info("{}/{} the peer finished the resync, and {} bits are set here", name_,
              volume.number(), volume.out_of_sync_blocks());
    if (volume.resync_) volume.resync_->end_when_clean();
    co_return;
  }
  if (failed == 0 && volume.backing_) {
    volume.backing_->superblock().generations.clear_bitmap();
    note_generation(volume, GenerationCause::source_done);
    peer_has_our_generations(volume);
  }
  StateDelta delta;
  delta.connection(C::connected).peer_disk(failed == 0 ? D::up_to_date : D::inconsistent);
  log::info("{}/{} Resync done ({})", name_, volume.number(),
            failed == 0 ? "complete" : "with failed blocks");
  if (volume.resync_) volume.resync_->tell_checksums();
  change(volume, delta, true);
  retire_resync(volume);
  unfence_peer();
  co_await settled();
}

}  // namespace replicator
