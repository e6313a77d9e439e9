#include "engine/flow/connection.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.hpp"
#include "engine/decide/version_rules.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/resync.hpp"

namespace replicator {

namespace {

constexpr std::uint32_t transfer_log_entries = 4096;
constexpr std::size_t pending_read_slots = 256;
// An epoch with nothing new for this long is closed, so that its extents can cool down.
constexpr Duration epoch_idle = Duration::milliseconds(50);
// And one that is busy after this many times that: the peer is asked, and must answer, in time.
constexpr std::uint32_t epoch_turns_max = 20;
constexpr std::int64_t handshake_packets_max = 4;
constexpr Duration retry_pause = Duration::seconds(1);

std::uint32_t zero_flags(const PeerLink& link, bool may_unmap) {
  if ((link.features & feature_wzeroes) == 0) return dp_discard;  // P_TRIM: zeroed by such a peer
  return dp_zeroes | (may_unmap ? dp_discard : 0U);
}

}  // namespace

Connection::Connection(Resource& resource, PeerConfig peer, NetOptions options, Digests digests,
                       std::string peer_name)
    : resource_(resource),
      peer_(std::move(peer)),
      options_(std::move(options)),
      digests_(std::move(digests)),
      peer_name_(std::move(peer_name)),
      log_(transfer_log_entries),
      pending_reads_(pending_read_slots, nullptr) {}

Connection::~Connection() = default;

void Connection::start() {
  running_ = true;
  life_.start(live());
}

Task<void> Connection::stop(bool told) {
  stopping_ = true;
  if (establisher_) establisher_->stop();
  if (retry_sleep_ != nullptr) resource_.world().clock.wake(*retry_sleep_);
  if (securing_ != nullptr) {
    securing_->data->shutdown();
    securing_->meta->shutdown();
  }
  if (told && established_) {
    begin_farewell("disconnect");
  } else if (link_) {
    fail(ConnectionState::disconnecting, "disconnect");
  }
  while (running_) {
    io::Event::Wait wait(ended_);
    co_await wait;
  }
  // Writes whose local part is still on its way use the log until they are done.
  while (log_.entries_in_use() != 0) {
    io::Event::Wait wait(log_.room);
    co_await wait;
  }
}

Duration Connection::send_patience() const noexcept {
  if (options_.ko_count == 0) return Duration::forever();
  return Duration::tenths(std::int64_t{options_.timeout_tenths} * options_.ko_count);
}

Status Connection::listen() {
  establisher_ = std::make_unique<Establisher>(resource_.world(), peer_, options_);
  return establisher_->listen();
}

// An address may come and go with its interface: whoever waits for the peer waits for the address
// too.
void Connection::note_no_address(const Status& status) {
  resource_.note_link(LinkTrouble::no_local_address, std::strerror(status.error_number()));
  if (listen_error_ == status.error_number()) return;
  listen_error_ = status.error_number();
  log::warning("{} connection: cannot listen on {}: {}; trying again", resource_.name(),
               io::text(peer_.local), std::strerror(listen_error_));
}

Task<void> Connection::live() {
  while (!stopping_ && !go_stand_alone_) {
    resource_.connection_changed(ConnectionState::unconnected);
    resource_.connection_changed(ConnectionState::wf_connection);
    if (!establisher_) {
      establisher_ = std::make_unique<Establisher>(resource_.world(), peer_, options_);
    }
    Result<SocketPair> sockets = co_await establisher_->run();
    establisher_.reset();
    if (sockets) {
      listen_error_ = 0;
      const End end = co_await one_link(std::move(*sockets));
      if (end == End::stand_alone) break;
      if (end == End::reconnect) continue;
    } else if (sockets.error().fault() == Fault::canceled) {
      break;
    } else {
      note_no_address(sockets.error());
    }
    if (stopping_) break;
    io::Op pause;
    retry_sleep_ = &pause;
    resource_.world().clock.sleep(pause, retry_pause);
    co_await pause;
    retry_sleep_ = nullptr;
  }
  resource_.connection_changed(ConnectionState::disconnecting);
  resource_.connection_changed(ConnectionState::stand_alone);
  running_ = false;
  ended_.notify_all();
}

Task<void> Connection::send_loop(Socket socket) {
  const std::int32_t result = co_await link_->queue(socket).run(send_patience());
  if (result >= 0) {
    if (socket == Socket::data) link_->sockets.data->shutdown();
    co_return;
  }
  if (result == -ETIMEDOUT) {
    log::warning("{} connection: the peer took nothing for ko-count ({}) * timeout ({} * 0.1s)",
                 resource_.name(), options_.ko_count, options_.timeout_tenths);
  }
  fail(result == -ETIMEDOUT ? ConnectionState::timeout : ConnectionState::broken_pipe,
       socket == Socket::data ? "data send" : "meta send");
}

// One pair of sockets, from features to the end of everything that used them.
Task<Connection::End> Connection::one_link(SocketPair sockets) {
  // A packet may take as long as the kernel lets it, but not each of its bytes (P2).
  handshake_deadline_ = resource_.world().clock.now() +
                        Duration::tenths(handshake_packets_max * handshake_packet_tenths());
  if (options_.tls) {
    const std::optional<End> insecure = co_await secure(sockets);
    if (insecure) co_return *insecure;
  }
  link_ = std::make_unique<PeerLink>(std::move(sockets), options_);
  go_stand_alone_ = false;
  leaving_ = false;
  trouble_noted_ = false;
  bool reached = false;
  link_tasks_.start(send_loop(Socket::data));
  link_tasks_.start(send_loop(Socket::meta));
  const std::optional<End> failed = co_await shake_hands();
  // The peer hears of no generation that is not on media (G3).
  if (!failed) co_await resource_.generations_settled();
  if (!failed && !link_->failed()) {
    established_ = true;
    reached = true;
    resource_.connection_changed(ConnectionState::wf_report_params);
    send_parameters();
    link_tasks_.start(meta_loop());
    link_tasks_.start(epoch_timer());
    if (options_.allow_two_primaries) link_tasks_.start(prove_epochs());
    link_tasks_.start(watch_peer());
    const Status status = co_await receive_loop();
    if (go_stand_alone_ || leaving_) co_await farewell(status.where());
    const bool broken = status.fault() == Fault::protocol_error ||
                        status.fault() == Fault::malformed || status.fault() == Fault::out_of_range;
    fail(broken ? ConnectionState::protocol_error : ConnectionState::network_failure,
         status.where());
  } else {
    if (failed && *failed == End::stand_alone) go_stand_alone_ = true;
    fail(ConnectionState::network_failure, "handshake");
  }
  co_await clean_up_link();
  if (go_stand_alone_) co_return End::stand_alone;
  co_return reached ? End::reconnect : End::retry;
}

void Connection::leave(ConnectionState reason, const char* why) {
  if (leaving_) return;
  leaving_ = true;
  const bool was_established = established_;
  note_end(reason, why, was_established);
  established_ = false;
  log::info("{} connection: {} ({})", resource_.name(), name(reason), why);
  // The state first: from now on no write is routed to this link (E6).
  if (was_established) resource_.connection_changed(reason);
  epoch_opened_.notify_all();
  epoch_drained_.notify_all();
  for (const std::unique_ptr<Volume>& volume : resource_.volumes())
    volume->local_write_ended_.notify_all();
  if (watch_sleep_ != nullptr) resource_.world().clock.wake(*watch_sleep_);
}

void Connection::fail(ConnectionState reason, const char* why) {
  if (!link_ || link_->failed()) return;
  leave(reason, why);
  link_->fail(reason);
  if (farewell_sleep_ != nullptr) resource_.world().clock.wake(*farewell_sleep_);
}

// A disagreement that retrying will not change.
Status Connection::stand_alone(const char* why) {
  log::error("{} connection: {}, going StandAlone", resource_.name(), why);
  note_trouble(LinkTrouble::disagreement, why);
  go_stand_alone_ = true;
  return Status(Fault::incompatible, why);
}

Task<void> Connection::clean_up_link() {
  resource_.stop_resyncs();
  log_.epoch_acked.notify_all();  // an offered bitmap waits for answers that will not come
  // Peer requests in flight finish their disk I/O; senders release what they reference.
  co_await link_tasks_.close();
  for (PendingRead*& slot : pending_reads_) {
    if (slot == nullptr) continue;
    slot->status = Status(Fault::connection_lost, "read from peer");
    slot->done = true;
    slot->answered.notify_all();
    slot = nullptr;
  }
  read_slot_free_.notify_all();
  // D5, E2: every write in doubt is marked before its extents may cool down.
  log_.lose_all();
  epoch_lost_ = false;
  ensure(peer_epochs_.active() == 0);
  peer_epochs_.reset();
  forget_bitmap_transfer();
  co_await resource_.after_connection_loss();
  link_.reset();
}

Task<void> Connection::epoch_timer() {
  std::uint32_t turns = 0;
  while (established_) {
    if (log_.open_writes() == 0) {
      io::Event::Wait wait(epoch_opened_);
      co_await wait;
      turns = 0;
      continue;
    }
    const std::uint64_t ticket = log_.ticket();
    const std::uint32_t writes = log_.open_writes();
    io::Op op;
    resource_.world().clock.sleep(op, epoch_idle);
    co_await op;
    turns = log_.ticket() == ticket ? turns + 1 : 0;
    if (turns != 0 && (log_.open_writes() == writes || turns >= epoch_turns_max)) close_epoch();
  }
}

MirroredWrite& Connection::mirror(Volume& volume, const Volume::Change& change, ActivityHold hold) {
  PeerLink& link = *link_;
  if (log_.open_writes() == 0) epoch_opened_.notify_all();
  const bool syncing = is_syncing(volume.state_.connection);
  const bool vouched_for = volume.has_disk() && volume.state_.disk == DiskState::up_to_date;
  const WriteTerms terms =
      write_terms(options_.protocol, link.agreed_version, vouched_for, change.stable, syncing);
  MirroredWrite& entry = log_.add(volume, change.range, std::move(hold), terms);
  entry.sent = resource_.world().clock.now();
  ++volume.peer_pending_;
  DataHeader header;
  header.sector = to_sector(change.range.begin);
  header.block_id = entry.block_id;
  header.seq_num = next_sequence(volume);
  header.flags = 0;
  if (terms.write_ack) header.flags |= dp_send_write_ack;
  if (terms.receive_ack) header.flags |= dp_send_receive_ack;
  if (syncing) header.flags |= dp_may_set_in_sync;
  if (change.stable) header.flags |= dp_fua;
  if (change.kind == Volume::Kind::zeroes) header.flags |= zero_flags(link, change.may_unmap);
  header.flags = flags_to_peer(link.agreed_version, header.flags);
  PeerLink::Head head;
  const std::size_t at = header_bytes(link.agreed_version);
  if (change.kind == Volume::Kind::write) {
    std::size_t fixed = encode(header, Bytes(head).subspan(at));
    fixed += add_digest(change.data, Bytes(head).subspan(at + fixed));
    link.finish_head(head, Packet::data, static_cast<std::uint16_t>(volume.number()),
                     fixed + change.data.size());
    link.data.push(ConstBytes(head.data(), at + fixed), change.data, entry.mark);
  } else {
    RangeHeader range;
    range.data = header;
    range.bytes = static_cast<std::uint32_t>(change.range.length.value());
    const bool zeroes = (link.features & feature_wzeroes) != 0;
    const std::size_t fixed = encode(range, Bytes(head).subspan(at));
    link.finish_head(head, zeroes ? Packet::zeroes : Packet::trim,
                     static_cast<std::uint16_t>(volume.number()), fixed);
    link.data.push(ConstBytes(head.data(), at + fixed), ConstBytes(), entry.mark);
  }
  volume.net_sent_ += change.range.length.value();
  if (log_.open_writes() >= options_.max_epoch_size) close_epoch();
  return entry;
}

bool Connection::can_send(const Volume& volume, const Volume::Change& change) const noexcept {
  if (!link_) return false;
  if (change.kind == Volume::Kind::write) return change.data.size() <= data_bytes_to_peer(volume);
  // A kernel waits for the digest of P_ZEROES that no kernel sends; as data they have one.
  if (digests_.integrity && (link_->features & feature_wzeroes) != 0) return false;
  return (link_->features & (feature_wzeroes | feature_trim)) != 0 &&
         change.range.length.value() <= zeroes_bytes_to_peer();
}

std::uint32_t Connection::data_bytes_to_peer(const Volume& volume) const noexcept {
  if (!link_) return data_bytes_max;
  return replicator::data_bytes_to_peer(link_->agreed_version,
                                        volume.peer_.sizes ? volume.peer_.sizes->max_bio_bytes : 0);
}

std::uint64_t Connection::zeroes_bytes_to_peer() const noexcept {
  return replicator::zeroes_bytes_to_peer(link_ ? link_->features : features_offered);
}

void Connection::close_epoch() {
  if (!established_ || log_.open_writes() == 0) return;
  Barrier barrier;
  barrier.number = log_.close_epoch();
  link_->send(Socket::data, Packet::barrier, 0, barrier);
}

Task<bool> Connection::wait_stable(std::uint64_t ticket) {
  const std::uint64_t generation = log_.generation();
  while (!log_.stable(ticket)) {
    io::Event::Wait wait(log_.epoch_acked);
    co_await wait;
  }
  co_return log_.generation() == generation&& established_;
}

void Connection::announce_out_of_sync(Volume& volume, ByteRange range) {
  const std::uint64_t before = volume.out_of_sync_blocks();
  volume.mark_out_of_sync(range);
  // What is marked here is marked there, but for what a write under way makes clean there first.
  const bool under_way = log_.outdo(volume, range);
  if (volume.out_of_sync_blocks() == before && !under_way) return;
  BlockDescriptor descriptor;
  descriptor.sector = to_sector(range.begin);
  descriptor.bytes = static_cast<std::uint32_t>(range.length.value());
  link_->send(Socket::data, Packet::out_of_sync, static_cast<std::uint16_t>(volume.number()),
              descriptor);
}

Connection::PendingRead* Connection::find_read(std::uint64_t block_id) noexcept {
  const std::size_t slot = block_id & 0xffffU;
  if (slot >= pending_reads_.size() || pending_reads_[slot] == nullptr) return nullptr;
  return pending_reads_[slot]->block_id == block_id ? pending_reads_[slot] : nullptr;
}

void Connection::finish_read(PendingRead& read, Status status) noexcept {
  pending_reads_[read.block_id & 0xffffU] = nullptr;
  read.status = status;
  read.done = true;
  read.answered.notify_all();
  read_slot_free_.notify_one();
}

Task<Status> Connection::read_from_peer(Volume& volume, ByteRange range, Bytes into) {
  PendingRead read;
  read.volume = &volume;
  read.range = range;
  read.into = into;
  std::size_t slot = 0;
  for (;;) {
    if (!established_) co_return Status(Fault::connection_lost, "read from peer");
    slot = 0;
    while (slot < pending_reads_.size() && pending_reads_[slot] != nullptr)
      ++slot;
    if (slot < pending_reads_.size()) break;
    io::Event::Wait wait(read_slot_free_);
    co_await wait;
  }
  pending_reads_[slot] = &read;
  read.block_id = (std::uint64_t{++read_sequence_} << 16U) | slot;
  BlockRequest request;
  request.sector = to_sector(range.begin);
  request.block_id = read.block_id;
  request.bytes = static_cast<std::uint32_t>(range.length.value());
  link_->send(Socket::data, Packet::data_request, static_cast<std::uint16_t>(volume.number()),
              request);
  while (!read.done) {
    io::Event::Wait wait(read.answered);
    co_await wait;
  }
  co_return read.status;
}

}  // namespace replicator
