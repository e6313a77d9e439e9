// From two sockets to an agreed protocol: features, authentication, parameters.
//   P2  nothing before authentication changes state; both steps have deadlines
//   P3  the challenge is fresh and ours; a reflected one ends the connection for good
// Normative: docs/protocol.md#handshake.
#include <algorithm>
#include <array>
#include <string>

#include "base/log.hpp"
#include "engine/decide/version_rules.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"
#include "protocol/challenge.hpp"
#include "protocol/validate.hpp"
#include "tls/stream.hpp"

namespace replicator {

Task<std::optional<Connection::End>> Connection::shake_hands() {
  const std::optional<End> features = co_await exchange_features();
  if (features) co_return features;
  if (options_.cram_hmac_alg.empty()) co_return std::optional<End>();
  co_return co_await authenticate();
}

Task<Status> Connection::read_handshake_packet(PacketHeader& header, ConstBytes& payload) {
  PeerLink& link = *link_;
  io::Clock& clock = resource_.world().clock;
  const Instant deadline =
      std::min(handshake_deadline_, clock.now() + Duration::tenths(handshake_packet_tenths()));
  const std::size_t head = header_bytes(link.agreed_version);
  const Status first = co_await link.data_reader.fill_until(head, deadline, clock);
  const bool tls_instead =
      !options_.tls && link.data_reader.has(2) && tls::looks_like_tls(link.data_reader.peek(2));
  if (tls_instead) co_return Status(Fault::incompatible, "TLS");
  if (!first.ok()) co_return first;
  const Result<PacketHeader> decoded =
      decode_header(link.data_reader.take(head), link.agreed_version);
  if (!decoded) co_return decoded.error();
  header = *decoded;
  if (header.length > handshake_payload_limit) {
    co_return Status(Fault::protocol_error, "handshake packet too long");
  }
  const Status rest = co_await link.data_reader.fill_until(header.length, deadline, clock);
  if (!rest.ok()) co_return rest;
  payload = link.data_reader.take(header.length);
  co_return Status();
}

Task<std::optional<Connection::End>> Connection::exchange_features() {
  PeerLink& link = *link_;
  link.agreed_version = protocol_version_before_features;
  ConnectionFeatures mine;
  mine.version_min = protocol_version_min;
  mine.version_max = options_.protocol_version_max;
  mine.flags = features_for(mine.version_max);
  link.send(Socket::data, Packet::connection_features, 0, mine);
  PacketHeader header;
  ConstBytes payload;
  const Status read = co_await read_handshake_packet(header, payload);
  const std::optional<End> of_tls = explain_tls_instead(read);
  if (of_tls) {
    // Our first packet tells the peer what is wrong: it has to leave before we do.
    while (!link.failed() && !link.data.idle()) {
      io::Event::Wait wait(link.data.idle_event);
      co_await wait;
    }
    co_return of_tls;
  }
  if (!read.ok() && read.fault() != Fault::protocol_error) co_return End::retry;
  if (!read.ok() || header.command != Packet::connection_features) {
    note_trouble(LinkTrouble::not_drbd);
    log::error("{} connection: expected ConnectionFeatures from the peer", resource_.name());
    co_return End::stand_alone;
  }
  const Result<ConnectionFeatures> peer = decode_connection_features(payload);
  if (!peer) {
    note_trouble(LinkTrouble::not_drbd);
    log::error("{} connection: peer's ConnectionFeatures are malformed", resource_.name());
    co_return End::stand_alone;
  }
  const std::optional<Agreement> agreed = agree(mine, *peer);
  if (!agreed) {
    note_trouble(LinkTrouble::dialect);
    log::error("{} connection: incompatible DRBD dialects: I support {}-{}, peer supports {}-{}",
               resource_.name(), mine.version_min, mine.version_max, peer->version_min,
               peer->version_max == 0 ? peer->version_min : peer->version_max);
    co_return End::stand_alone;
  }
  link.agreed_version = agreed->version;
  link.features = agreed->features;
  log::info(
      "{} connection: Handshake successful: Agreed network protocol version {}, features {:#x}",
      resource_.name(), link.agreed_version, link.features);
  if (!volumes_fit_version()) co_return End::stand_alone;
  if (options_.tentative && !knows_dry_run(link.agreed_version)) {
    log::error("{} connection: --dry-run is not supported by peer", resource_.name());
    co_return End::stand_alone;
  }
  co_return std::optional<End>();
}

// A header of an old version names no volume: it can only mean volume 0.
bool Connection::volumes_fit_version() {
  if (knows_volumes(link_->agreed_version)) return true;
  for (const std::unique_ptr<Volume>& volume : resource_.volumes()) {
    if (volume->number() == 0) continue;
    log::error(
        "{} connection: protocol version {} knows only volume 0, and this resource has volume {}: "
        "upgrade the peer, or raise protocol-version-max",
        resource_.name(), link_->agreed_version, volume->number());
    return false;
  }
  return true;
}

Task<std::optional<Connection::End>> Connection::authenticate() {
  PeerLink& link = *link_;
  Challenge challenge(options_.cram_hmac_alg, options_.shared_secret);
  std::array<std::byte, challenge_bytes> mine{};
  resource_.world().entropy.fill(mine);
  link.send_bytes(Socket::data, Packet::auth_challenge, 0, mine);
  PacketHeader header;
  ConstBytes payload;
  const Status asked = co_await read_handshake_packet(header, payload);
  if (!asked.ok() && asked.fault() != Fault::protocol_error) co_return End::retry;
  if (!asked.ok() || header.command != Packet::auth_challenge) {
    note_trouble(LinkTrouble::secret_only_here);
    log::error(
        "{} connection: expected AuthChallenge packet, received {}; is cram-hmac-alg set on "
        "the peer?",
        resource_.name(), name(header.command));
    co_return End::stand_alone;
  }
  std::array<std::byte, 64> answer{};
  const Result<std::size_t> answered = challenge.respond(mine, payload, answer);
  if (!answered) {
    log::error("{} connection: {}: authentication refused", resource_.name(),
               answered.error().where());
    co_return End::stand_alone;
  }
  link.send_bytes(Socket::data, Packet::auth_response, 0, ConstBytes(answer).first(*answered));
  const Status replied = co_await read_handshake_packet(header, payload);
  if (!replied.ok() || header.command != Packet::auth_response) {
    note_trouble(LinkTrouble::secret_refused);
    co_return End::retry;
  }
  const Status verified = challenge.verify(mine, payload);
  if (!verified.ok()) {
    note_trouble(LinkTrouble::secret_differs);
    log::error("{} connection: Authentication of peer failed: the shared secrets differ",
               resource_.name());
    co_return End::stand_alone;
  }
  log::info("{} connection: Peer authenticated using {}", resource_.name(), options_.cram_hmac_alg);
  co_return std::optional<End>();
}

// What both sides send, without waiting, once the protocol is agreed.
void Connection::send_parameters() {
  send_protocol();
  for (const std::unique_ptr<Volume>& volume : resource_.volumes()) {
    volume->peer_ = PeerVolume();
    volume->peer_.we_discard = options_.discard_my_data;
    send_sync_parameters(*volume);
    send_sizes(*volume, false);
    if (volume->state_.disk >= DiskState::negotiating) send_uuids(*volume);
    volume->peer_.state_sent = true;
    // The first P_STATE still says WFConnection, as the kernel's does.
    VolumeState first = volume->state_;
    first.connection = ConnectionState::wf_connection;
    send_state(*volume, first);
  }
}

void Connection::send_protocol() {
  PeerLink& link = *link_;
  PeerLink::Head head;
  const std::size_t at = header_bytes(link.agreed_version);
  const std::size_t size = encode(protocol_options(), link.agreed_version, Bytes(head).subspan(at));
  link.finish_head(head, Packet::protocol, 0, size);
  link.data.push(ConstBytes(head.data(), at + size));
}

ProtocolOptions Connection::protocol_options() const {
  ProtocolOptions mine;
  mine.protocol = static_cast<std::uint32_t>(options_.protocol);
  mine.after_sb_0pri = static_cast<std::uint32_t>(options_.after_sb_0pri);
  mine.after_sb_1pri = static_cast<std::uint32_t>(options_.after_sb_1pri);
  mine.after_sb_2pri = static_cast<std::uint32_t>(options_.after_sb_2pri);
  mine.connection_flags = (options_.discard_my_data ? connection_flag_discard_my_data : 0U) |
                          (options_.tentative ? connection_flag_dry_run : 0U);
  mine.two_primaries = options_.allow_two_primaries ? 1 : 0;
  mine.integrity_alg = options_.data_integrity_alg;
  return mine;
}

void Connection::send_sync_parameters(Volume& volume) {
  const DiskOptions& disk = volume.disk_options_;
  SyncParam mine;
  mine.resync_rate = disk.resync_rate;
  mine.verify_alg = options_.verify_alg;
  mine.csums_alg = options_.csums_alg;
  mine.c_plan_ahead = disk.c_plan_ahead_tenths;
  mine.c_delay_target = disk.c_delay_target_tenths;
  mine.c_fill_target = disk.c_fill_target_sectors;
  mine.c_max_rate = disk.c_max_rate;
  PeerLink& link = *link_;
  PeerLink::Head head;
  const std::size_t at = header_bytes(link.agreed_version);
  const std::size_t size = encode(mine, link.agreed_version, Bytes(head).subspan(at));
  const Packet command = link.agreed_version >= 89 ? Packet::sync_param89 : Packet::sync_param;
  link.finish_head(head, command, static_cast<std::uint16_t>(volume.number()), size);
  link.data.push(ConstBytes(head.data(), at + size));
}

void Connection::announce_protocol() {
  if (established_) link_->send(Socket::data, Packet::protocol_update, 0, protocol_options());
}

void Connection::announce_options() {
  if (!established_) return;
  for (const std::unique_ptr<Volume>& volume : resource_.volumes())
    send_sync_parameters(*volume);
}

void Connection::send_sizes(Volume& volume, bool ask_for_answer, std::uint16_t dds_flags) {
  PeerLink& link = *link_;
  Sizes mine;
  mine.disk_sectors = Resource::offered_sectors(volume);
  mine.dds_flags = dds_flags;
  volume.peer_.disk_sectors_sent = mine.disk_sectors;
  mine.user_sectors = volume.disk_options_.size_sectors;
  mine.current_sectors = ask_for_answer ? 0 : to_sectors(volume.size_).value();
  mine.max_bio_bytes = data_bytes_offered(link.agreed_version);
  const std::uint32_t block = volume.limits().block_bytes;
  QueueLimits limits;
  limits.physical_block_size = block;
  limits.logical_block_size = block;
  limits.io_min = block;
  limits.discard_enabled = 1;
  if ((link.features & feature_wsame) != 0) mine.queue_limits = limits;
  link.send(Socket::data, Packet::sizes, static_cast<std::uint16_t>(volume.number()), mine);
}

void Connection::send_uuids(Volume& volume, std::uint64_t flags) {
  if (!volume.backing_) return;
  const GenerationSet& own = volume.backing_->superblock().generations;
  Uuids mine;
  mine.current = own.current;
  mine.bitmap = own.bitmap;
  mine.history[0] = own.history[0];
  mine.history[1] = own.history[1];
  mine.dirty_bits = volume.out_of_sync_blocks();
  volume.dirty_bits_sent_ = mine.dirty_bits;
  const bool negotiates_bad_disk = volume.state_.disk == DiskState::negotiating &&
                                   volume.attach_state_.disk == DiskState::inconsistent;
  mine.flags = flags | (volume.peer_.we_discard ? uuid_flag_discard_my_data : 0U) |
               (volume.crashed_primary_ ? uuid_flag_crashed_primary : 0U) |
               (negotiates_bad_disk ? uuid_flag_inconsistent : 0U);
  link_->send(Socket::data, Packet::uuids, static_cast<std::uint16_t>(volume.number()), mine);
}

void Connection::send_state(Volume& volume, const VolumeState& state) {
  StateWord word;
  word.state = pack(state);
  link_->send(Socket::data, Packet::state, static_cast<std::uint16_t>(volume.number()), word);
}

void Connection::send_state(Volume& volume) { send_state(volume, volume.state_); }

void Connection::send_sync_uuid(Volume& volume, std::uint64_t uuid) {
  SyncUuid word;
  word.uuid = uuid;
  link_->send(Socket::data, Packet::sync_uuid, static_cast<std::uint16_t>(volume.number()), word);
}

}  // namespace replicator
