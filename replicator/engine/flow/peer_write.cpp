// Requests of the peer: its writes to our disk and its reads of our data.
//   E4  overlapping writes are submitted in order of arrival
//   E5  the epoch's barrier is acknowledged only when all of its writes are complete and flushed
//   (as far
//       as the method of write ordering says, decide/write_ordering)
//   E3  bits that a mirrored write makes clean are cleared after that flush, not before
//   D1  what was acknowledged as received is written, whatever becomes of the connection
//   D7  a failed local write is reported and marked
//   E9  a read for the peer follows the writes that arrived before it
#include <utility>

#include "base/log.hpp"
#include "base/sabotage.hpp"
#include "engine/decide/version_rules.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"

namespace replicator {

namespace {

constexpr std::uint32_t peer_writes_max = 2048;  // under way at a time; then the peer waits (P6)
constexpr std::size_t closed_epochs_max = 1024;  // that wait for an older one (P6)
class Counted {
 public:
  Counted(std::uint64_t& sum, std::size_t bytes) noexcept : sum_(sum), bytes_(bytes) {
    sum_ += bytes_;
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { sum_ -= bytes_; }

 private:
  std::uint64_t& sum_;
  std::size_t bytes_;
};

constexpr std::size_t in_sync_limit = 65536;  // more stay marked, which costs a resync and no data

}  // namespace

// P5: after the handshake, and only a Primary writes.
bool Connection::may_write(const Volume& volume) noexcept {
  return volume.peer_.state_known &&
         (volume.state_.peer_role == Role::primary || volume.peer_.state.role == Role::primary);
}

// max-buffers bounds the data; a single write that is larger passes alone.
bool Connection::has_room_for_write(std::uint32_t bytes) const noexcept {
  if (peer_epochs_.active() >= peer_writes_max) return false;
  const std::uint64_t limit = std::uint64_t{options_.max_buffers} * block_bytes;
  return incoming_bytes_ == 0 || incoming_bytes_ + bytes <= limit;
}

Task<void> Connection::room_for_write(std::uint32_t bytes) {
  while (!has_room_for_write(bytes)) {
    io::Event::Wait wait(peer_write_ended_);
    co_await wait;
  }
}

Task<Status> Connection::receive_write(const PacketHeader& header, Volume& volume) {
  PeerLink& link = *link_;
  if (!link.data_reader.has(data_header_bytes)) {
    const Status filled = co_await link.data_reader.fill(data_header_bytes, Duration::forever());
    if (!filled.ok()) co_return filled;
  }
  Result<DataHeader> decoded = decode_data_header(link.data_reader.take(data_header_bytes));
  if (!decoded) co_return decoded.error();
  decoded->flags = flags_from_peer(link.agreed_version, decoded->flags, options_.protocol);
  if (!may_write(volume))
    co_return Status(Fault::protocol_error, "write of a peer that is not Primary");
  ReceivedDigest digest;
  std::uint32_t bytes = header.length - static_cast<std::uint32_t>(data_header_bytes);
  if (link.peer_integrity) {
    const Status digested = co_await receive_digest(header, digest, bytes);
    if (!digested.ok()) co_return digested;
  }
  const Result<ByteRange> range = checked_range(decoded->sector, bytes, volume.size());
  if (!range) co_return range.error();
  const Status in_order = co_await wait_for_sequence(volume, decoded->seq_num);
  if (!in_order.ok()) co_return in_order;
  volume.net_received_ += bytes;
  // The application is on the other node, and a resync makes room for it all the same.
  ++volume.application_requests_;
  if (!has_room_for_write(bytes)) co_await room_for_write(bytes);
  if (!volume.has_disk() || volume.state_.disk < DiskState::inconsistent) {
    refuse_write(volume, *decoded, bytes);
    co_return co_await link.data_reader.skip(bytes);
  }
  io::BufferPool::Buffer buffer = resource_.incoming_buffers().try_take(bytes);
  if (!buffer) {
    io::BufferPool::Buffer waited = co_await resource_.incoming_buffers().take(bytes);
    buffer = std::move(waited);
  }
  if (!link.data_reader.try_read_into(buffer.bytes())) {
    const Status read = co_await link.data_reader.read_into(buffer.bytes());
    if (!read.ok()) co_return read;
  }
  const Status intact = check_digest(volume, decoded->sector, buffer.bytes(), digest);
  if (!intact.ok()) co_return intact;
  ++volume.peer_unacknowledged_;
  link_tasks_.start(
      peer_write(volume, Packet::data, *decoded, *range, std::move(buffer), peer_epochs_.begin()));
  co_return Status();
}

Task<Status> Connection::receive_range(const PacketHeader& header, Volume& volume) {
  PeerLink& link = *link_;
  const Status filled = co_await link.data_reader.fill(range_header_bytes, Duration::forever());
  if (!filled.ok()) co_return filled;
  Result<RangeHeader> decoded = decode_range_header(link.data_reader.take(range_header_bytes));
  if (!decoded) co_return decoded.error();
  decoded->data.flags =
      flags_from_peer(link.agreed_version, decoded->data.flags, options_.protocol);
  const Result<ByteRange> range =
      checked_range(decoded->data.sector, decoded->bytes, volume.size());
  if (!range) co_return range.error();
  if (!may_write(volume))
    co_return Status(Fault::protocol_error, "write of a peer that is not Primary");
  const Status in_order = co_await wait_for_sequence(volume, decoded->data.seq_num);
  if (!in_order.ok()) co_return in_order;
  if (!has_room_for_write(0)) co_await room_for_write(0);
  if (!volume.has_disk() || volume.state_.disk < DiskState::inconsistent) {
    refuse_write(volume, decoded->data, decoded->bytes);
    co_return Status();
  }
  ++volume.peer_unacknowledged_;
  io::BufferPool::Buffer none;
  link_tasks_.start(peer_write(volume, header.command, decoded->data, *range, std::move(none),
                               peer_epochs_.begin()));
  co_return Status();
}

// No usable disk: counted in the epoch's size, as the kernel does.
void Connection::refuse_write(Volume& volume, const DataHeader& header, std::uint32_t bytes) {
  peer_epochs_.refused();
  send_block_ack(volume, Packet::neg_ack, header.sector, bytes, header.block_id);
}

// A write that the peer's own disk does not take must be found again after a crash, by the activity
// log until the bitmap has it on media (E2).
Task<Status> Connection::cover_only_copy(Volume& volume, ByteRange range, ActivityHold& hold) {
  ++volume.only_copies_;
  const Status covered = co_await volume.backing_->cover(range, hold);
  if (!covered.ok()) co_return covered;
  volume.mark_out_of_sync(range);
  // Whether the disk went meanwhile the caller looks at.
  const bool log_counts_there =
      volume.has_disk() && (volume.backing_->flags_on_media() & md_flag_primary) != 0;
  if (log_counts_there || !volume.has_disk()) co_return Status();
  resource_.compute_flags(volume);
  co_return co_await volume.backing_->write_superblock();
}

Task<void> Connection::peer_write(Volume& volume, Packet kind, DataHeader header, ByteRange range,
                                  io::BufferPool::Buffer data, PeerEpochs::Epoch& epoch) {
  const Counted counted(incoming_bytes_, data.bytes().size());
  // As the writer said before it sent this: when the link is lost nobody knows any more.
  const bool only_copy = volume.state_.peer_disk < DiskState::inconsistent;
  const std::uint32_t disks_lost = volume.disks_lost_;
  const PeerEpochs::UnderWay under_way(peer_epochs_, volume, range);
  if ((header.flags & dp_send_receive_ack) != 0) {
    send_block_ack(volume, Packet::recv_ack, header.sector,
                   static_cast<std::uint32_t>(range.length.value()), header.block_id);
  }
  io::RangeLock::Turn turn(volume.incoming_writes_, range);
  co_await turn;
  if (link_->failed() && sabotage(Sabotage::drop_received_write)) {
    peer_write_ended(volume, epoch);
    co_return;
  }
  if (volume.local_write_in(range) && !sabotage(Sabotage::ignore_conflicts)) {
    const bool wins = co_await resolve_conflict(volume, header, range, epoch);
    if (!wins) co_return;
  }
  ActivityHold hold;
  const bool alone = only_copy || volume.state_.peer_disk < DiskState::inconsistent;
  const Counted noted(volume.only_copies_underway_, alone ? 1 : 0);
  if (alone && volume.has_disk()) {
    const Status covered = co_await cover_only_copy(volume, range, hold);
    if (!covered.ok()) {
      volume.local_io_failed("activity log", -covered.error_number(), range);
      peer_write_done(volume, header, range, epoch, false);
      co_return;
    }
    header.flags &= ~dp_may_set_in_sync;
  }
  if (volume.keeps_undo(range)) co_await volume.keep_old(range);
  // The disk may have gone while we waited.
  if (!volume.has_disk()) {
    peer_write_done(volume, header, range, epoch, false);
    co_return;
  }
  io::Op op;
  ++volume.local_pending_;
  if (kind == Packet::data) {
    const bool stable = (header.flags & dp_fua) != 0;
    volume.backing_->write(op, range.begin, data.bytes(),
                           stable ? io::Durability::stable : io::Durability::cached);
  } else {
    // E8: both nodes end with zeroes, whatever a discard would leave behind here.
    volume.backing_->write_zeroes(op, range,
                                  kind == Packet::trim || (header.flags & dp_discard) != 0);
  }
  const std::int32_t moved = co_await op;
  --volume.local_pending_;
  if (moved < 0) volume.data_io_failed("peer write", moved, range);
  const bool proof = volume.disks_lost_ == disks_lost && !under_way.outdone();
  if (!proof) header.flags &= ~dp_may_set_in_sync;
  peer_write_done(volume, header, range, epoch, moved >= 0);
}

void Connection::peer_write_done(Volume& volume, const DataHeader& header, ByteRange range,
                                 PeerEpochs::Epoch& epoch, bool ok) {
  const auto bytes = static_cast<std::uint32_t>(range.length.value());
  if (!ok) {
    volume.mark_out_of_sync(range);
    send_block_ack(volume, Packet::neg_ack, header.sector, bytes, header.block_id);
  } else if ((header.flags & dp_send_write_ack) != 0) {
    const bool in_sync = (header.flags & dp_may_set_in_sync) != 0 &&
                         is_syncing(volume.state_.connection) &&
                         epoch.in_sync.size() < in_sync_limit;
    if (in_sync) {
      epoch.in_sync.push_back(PeerEpochs::InSync{&volume, range, volume.disks_lost_});
    }
    send_block_ack(volume, in_sync ? Packet::rs_write_ack : Packet::write_ack, header.sector, bytes,
                   header.block_id);
  }
  peer_write_ended(volume, epoch);
}

void Connection::peer_write_ended(Volume& volume, PeerEpochs::Epoch& epoch) {
  --volume.peer_unacknowledged_;
  if (peer_write_ended_.has_waiters()) peer_write_ended_.notify_all();
  peer_epochs_.ended(epoch);
  if (peer_epochs_.active() == 0) epoch_drained_.notify_all();
  if (peer_epochs_.closed() != 0) acknowledge_epochs();
}

Task<Status> Connection::receive_barrier(const PacketHeader& /*header*/) {
  PeerLink& link = *link_;
  const Status filled = co_await link.data_reader.fill(barrier_bytes, Duration::forever());
  if (!filled.ok()) co_return filled;
  const Result<Barrier> barrier = decode_barrier(link.data_reader.take(barrier_bytes));
  if (!barrier) co_return barrier.error();
  if (peer_epochs_.open_is_unused()) {
    co_return Status(Fault::protocol_error, "barrier of an empty epoch");
  }
  const bool ordered = resource_.write_ordering() != WriteOrdering::none;
  // Nothing of the next epoch is even read before this one is complete and flushed (E5).
  while (peer_epochs_.active() != 0 && (ordered || peer_epochs_.closed() >= closed_epochs_max)) {
    io::Event::Wait wait(epoch_drained_);
    co_await wait;
  }
  if (ordered) {
    const bool flushed = co_await resource_.flush_disks();
    if (!flushed) co_return Status(Fault::io_error, "flush for a barrier");
  }
  peer_epochs_.close(barrier->number);
  acknowledge_epochs();
  co_return Status();
}

// Those that are complete, oldest first.
void Connection::acknowledge_epochs() {
  PeerLink& link = *link_;
  while (PeerEpochs::Epoch* epoch = link.failed() ? nullptr : peer_epochs_.complete()) {
    if (epoch->size == 0) {  // all of it was withdrawn, which the writer knows
      peer_epochs_.drop_front();
      continue;
    }
    if (epoch_lost_) return fail(ConnectionState::network_failure, "a disk failed in an epoch");
    for (const PeerEpochs::InSync& item : epoch->in_sync) {
      if (item.disks_lost == item.volume->disks_lost_) item.volume->clear_out_of_sync(item.range);
    }
    BarrierAck ack;
    ack.number = epoch->number;
    ack.set_size = epoch->size;
    peer_epochs_.drop_front();
    link.send(Socket::meta, Packet::barrier_ack, 0, ack);
  }
  resource_.resync_may_be_done();
}

void Connection::send_block_ack(Volume& volume, Packet command, Sector sector, std::uint32_t bytes,
                                std::uint64_t block_id) {
  if (!link_ || link_->failed()) return;
  BlockAck ack;
  ack.sector = sector;
  ack.block_id = block_id;
  ack.bytes = bytes;
  ack.seq_num = next_sequence(volume);
  link_->send(Socket::meta, command, static_cast<std::uint16_t>(volume.number()), ack);
}

// P_DATA_REQUEST: an application read of the peer.
Task<void> Connection::serve_read(Volume& volume, BlockRequest request, ByteRange range) {
  ++serving_;
  const Status status = co_await read_for_peer(volume, request, range);
  if (!status.ok()) {
    send_block_ack(volume, Packet::neg_dreply, request.sector, request.bytes, request.block_id);
  }
  --serving_;
  served_.notify_all();
}

Task<Status> Connection::read_for_peer(Volume& volume, BlockRequest request, ByteRange range) {
  if (!volume.has_disk() || volume.state_.disk != DiskState::up_to_date) {
    co_return Status(Fault::no_good_data, "read for the peer");
  }
  // Asked for by a node that knows of smaller blocks: this disk can't, and is good all the same.
  const std::uint64_t block = volume.backing_->logical_block_bytes();
  if (range.begin.value() % block != 0 || range.length.value() % block != 0) {
    co_return Status(Fault::out_of_range, "read for the peer");
  }
  if (!sabotage(Sabotage::read_overtakes_write)) {
    // Writes before it in the stream may be answered already, in protocols A and B.
    io::RangeLock::Turn turn(volume.incoming_writes_, range);
    co_await turn;
  }
  io::BufferPool::Buffer buffer = co_await resource_.reply_buffers().take(request.bytes);
  if (!volume.has_disk() || volume.state_.disk != DiskState::up_to_date) {
    co_return Status(Fault::no_good_data, "read for the peer");
  }
  io::Op op;
  ++volume.local_pending_;
  volume.backing_->read(op, range.begin, buffer.bytes());
  const std::int32_t moved = co_await op;
  --volume.local_pending_;
  if (moved < 0) {
    volume.data_io_failed("read for the peer", moved, range);
    co_return Status(Fault::io_error, "read for the peer", -moved);
  }
  send_data_reply(volume, Packet::data_reply, request.sector, request.block_id, std::move(buffer));
  co_return Status();
}

void Connection::send_data_reply(Volume& volume, Packet command, Sector sector,
                                 std::uint64_t block_id, io::BufferPool::Buffer data) {
  PeerLink& link = *link_;
  if (link.failed()) return;
  DataHeader header;
  header.sector = sector;
  header.block_id = block_id;
  PeerLink::Head head;
  const std::size_t at = header_bytes(link.agreed_version);
  const std::size_t fixed = encode(header, Bytes(head).subspan(at));
  const std::size_t digest = add_digest(data.bytes(), Bytes(head).subspan(at + fixed));
  link.finish_head(head, command, static_cast<std::uint16_t>(volume.number()),
                   fixed + digest + data.bytes().size());
  volume.net_sent_ += data.bytes().size();
  link.data.push(ConstBytes(head.data(), at + fixed + digest), std::move(data));
}

Task<Status> Connection::receive_data_reply(const PacketHeader& header, Volume& volume) {
  PeerLink& link = *link_;
  const Status filled = co_await link.data_reader.fill(data_header_bytes, Duration::forever());
  if (!filled.ok()) co_return filled;
  const Result<DataHeader> decoded = decode_data_header(link.data_reader.take(data_header_bytes));
  if (!decoded) co_return decoded.error();
  ReceivedDigest digest;
  std::uint32_t bytes = 0;
  const Status digested = co_await receive_digest(header, digest, bytes);
  if (!digested.ok()) co_return digested;
  PendingRead* read = find_read(decoded->block_id);
  const bool expected = read != nullptr && read->volume == &volume && !read->done &&
                        to_sector(read->range.begin) == decoded->sector &&
                        read->into.size() == bytes;
  if (!expected) co_return Status(Fault::protocol_error, "data reply that nobody asked for");
  // From here on no other answer may end it: its memory is in use.
  read->arriving = true;
  const Status received = co_await link.data_reader.read_into(read->into);
  if (!received.ok()) co_return received;
  const Status intact = check_digest(volume, decoded->sector, read->into, digest);
  if (!intact.ok()) co_return intact;
  volume.net_received_ += bytes;
  finish_read(*read, Status());
  co_return Status();
}

}  // namespace replicator
