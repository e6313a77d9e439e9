// The connection to the one peer of a resource, from `connect` until StandAlone: establishes
// sockets, shakes hands, receives, and comes back after failures. All volumes share it. Per peer,
// not per resource.
//   D5, E6  mirror() and announce_out_of_sync() are the only ways a write reaches the peer
//   E4      peer writes and resync writes are applied in order of arrival where they overlap
//   E5      a barrier is acknowledged after its epoch is complete and flushed
//   P2      before authentication only features and challenges are read, with deadlines
//   P5      each packet is accepted only in the states where the protocol allows it
// Normative: docs/protocol.md.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/config.hpp"
#include "engine/decide/handshake.hpp"
#include "engine/decide/state_change.hpp"
#include "engine/flow/digests.hpp"
#include "engine/flow/establish.hpp"
#include "engine/flow/peer_epochs.hpp"
#include "engine/flow/peer_link.hpp"
#include "engine/flow/transfer_log.hpp"
#include "engine/flow/volume.hpp"
#include "engine/link_report.hpp"
#include "io/buffer_pool.hpp"
#include "io/io.hpp"
#include "io/sync.hpp"
#include "protocol/bitmap_code.hpp"
#include "protocol/packets.hpp"

namespace replicator {

class Resource;

// ask_peer(): no answer, the connection went away.
inline constexpr std::int32_t connection_was_lost = INT32_MIN;

class Connection {
 public:
  Connection(Resource& resource, PeerConfig peer, NetOptions options, Digests digests,
             std::string peer_name);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // Takes the local address before start(), so that a command can say when another program has it.
  Status listen();
  void start();
  // Ends the life cycle: no reconnect, sockets closed, everything answered. The graceful part
  // (asking the peer) is Resource's.
  // `told`: the peer has agreed to part, and is given the time to end the connection itself.
  Task<void> stop(bool told);

  [[nodiscard]] const PeerConfig& peer() const noexcept { return peer_; }
  [[nodiscard]] const std::string& peer_name() const noexcept { return peer_name_; }
  [[nodiscard]] NetOptions& options() noexcept { return options_; }
  [[nodiscard]] const NetOptions& options() const noexcept { return options_; }
  [[nodiscard]] Digests& digests() noexcept { return digests_; }
  // A resync of this volume towards us begins with what we have (csums-alg).
  [[nodiscard]] bool asks_with_checksums(const Volume& volume) const noexcept;
  [[nodiscard]] bool thin_resync() const noexcept;
  [[nodiscard]] TransferLog& log() noexcept { return log_; }
  [[nodiscard]] PeerLink* link() noexcept { return link_.get(); }
  // Handshake done, not failed.
  [[nodiscard]] bool established() const noexcept { return established_; }
  [[nodiscard]] int agreed_version() const noexcept { return link_ ? link_->agreed_version : 0; }
  [[nodiscard]] bool resolve_conflicts() const noexcept {
    return link_ && link_->sockets.resolve_conflicts;
  }

  // Volume side of mirroring. The log is not full; the state routes writes to the peer.
  MirroredWrite& mirror(Volume& volume, const Volume::Change& change, ActivityHold hold);
  void announce_out_of_sync(Volume& volume, ByteRange range);
  Task<Status> read_from_peer(Volume& volume, ByteRange range, Bytes into);
  // Before a write is decided. True: the state has changed (on-congestion).
  bool relieve_congestion(Volume& volume);
  // Sends the barrier of the current epoch if it holds writes.
  void close_epoch();
  // True: all epochs up to the ticket are stable on the peer. False: the connection was lost first.
  Task<bool> wait_stable(std::uint64_t ticket);
  // Does it fit one packet of the agreed version; zeroes and discards otherwise travel as data, and
  // data in pieces of data_bytes_to_peer().
  [[nodiscard]] bool can_send(const Volume& volume, const Volume::Change& change) const noexcept;
  [[nodiscard]] std::uint32_t data_bytes_to_peer(const Volume& volume) const noexcept;
  [[nodiscard]] std::uint64_t zeroes_bytes_to_peer() const noexcept;

  void send_state(Volume& volume);
  void send_state(Volume& volume, const VolumeState& state);
  void send_uuids(Volume& volume, std::uint64_t flags = 0);
  void send_sizes(Volume& volume, bool ask_for_answer, std::uint16_t dds_flags = 0);
  // Options were changed here while connected: the peer follows in what both must agree upon.
  void announce_options();
  // From here on our data packets carry another digest; the peer is told before the first of them.
  void announce_protocol();
  void send_sync_uuid(Volume& volume, std::uint64_t uuid);
  // Cluster-wide state change; volume null = connection level. The peer's code, or
  // StateCode::… of a lost connection.
  Task<std::int32_t> ask_peer(Volume* volume, std::uint32_t mask, std::uint32_t value);
  // Waits for a ping round trip; false when the link fails first.
  Task<bool> ping_peer();
  // The bitmap of a volume to the peer, and (target) waiting for the peer's.
  Task<void> send_bitmap(Volume& volume);
  // The source's: begins the exchange.
  Task<void> offer_bitmap(Volume& volume);
  // Target: asks for a range; thin: zeroes may be answered without data.
  void request_resync(Volume& volume, ByteRange range, bool thin);
  void request_ping();
  [[nodiscard]] bool ended() const noexcept { return !running_; }
  // What the attempts to reach the peer came to, in `report`.
  void add_attempts(LinkReport& report) const noexcept;
  [[nodiscard]] std::uint32_t epochs() const noexcept { return log_.epochs_in_flight(); }

  // A disk failed that writes of the open epoch may have gone to: its cache is lost, whatever a
  // later flush of the others says.
  void disk_lost() noexcept { epoch_lost_ = epoch_lost_ || peer_epochs_.any_unacknowledged(); }
  // Ends the link because of `reason`; state changes at once, the rest follows in the life cycle.
  void fail(ConnectionState reason, const char* why);

  // For resync: block acks on the meta socket.
  void send_block_ack(Volume& volume, Packet command, Sector sector, std::uint32_t bytes,
                      std::uint64_t block_id);

 private:
  // What follows a link: another try in a while, or at once, or none.
  enum class End : std::uint8_t { retry, reconnect, stand_alone };

  // Life cycle (connection.cpp).
  Task<void> live();
  Task<End> one_link(SocketPair sockets);
  Task<void> clean_up_link();
  // Nothing is routed to the link any more, which itself goes on.
  void leave(ConnectionState reason, const char* why);
  // Ends the link so that the peer reads everything that was sent (farewell.cpp).
  void begin_farewell(const char* why);
  Task<void> farewell(const char* why);
  void note_no_address(const Status& status);
  // For the report: what ended, or will end, this link. The first word counts.
  void note_trouble(LinkTrouble trouble, std::string detail = std::string());
  void note_end(ConnectionState reason, const char* why, bool was_connected);
  Task<void> send_loop(Socket socket);
  Task<void> epoch_timer();
  Task<void> catch_up(Volume& volume);
  // What the peer owes (watch_peer.cpp): 0 for nothing, else a number that changes with each step
  // forward.
  Task<void> watch_peer();
  [[nodiscard]] std::uint64_t owed_read() const noexcept;
  [[nodiscard]] std::uint64_t owed_step() const noexcept;
  [[nodiscard]] std::uint64_t owed_resync() const noexcept;
  [[nodiscard]] Duration send_patience() const noexcept;
  // The peer may still be looking whether its sockets stay alive.
  [[nodiscard]] std::int64_t handshake_packet_tenths() const noexcept {
    return 4 * std::int64_t{options_.ping_timeout_tenths} + options_.socket_check_timeout_tenths;
  }

  // TLS around both sockets (secure.cpp); a reason to end when that fails.
  Task<std::optional<End>> secure(SocketPair& sockets);
  Task<std::optional<End>> secure(std::unique_ptr<io::Stream>& socket, bool accepted);
  Task<std::optional<End>> refusal_on_data(io::Stream& data);
  [[nodiscard]] End explain_no_tls(const Status& status, const std::string& problem);
  [[nodiscard]] std::optional<End> explain_tls_instead(const Status& status);

  // Handshake (handshake.cpp): End::retry or stand_alone when it fails.
  Task<std::optional<End>> shake_hands();
  Task<Status> read_handshake_packet(PacketHeader& header, ConstBytes& payload);
  [[nodiscard]] ProtocolOptions protocol_options() const;
  Task<std::optional<End>> exchange_features();
  Task<std::optional<End>> authenticate();
  void send_parameters();
  void send_protocol();
  bool volumes_fit_version();
  void send_sync_parameters(Volume& volume);
  // The peer's algorithms, named while connected; empty or unchanged names change nothing.
  Status adopt_algorithms(const SyncParam& peer);

  // Data socket (receive_data.cpp, receive_config.cpp).
  Task<Status> receive_loop();
  Task<Status> dispatch(const PacketHeader& header, Volume* volume);
  // The digest of a data packet, and what is left for its data (data_integrity.cpp).
  Task<Status> receive_digest(const PacketHeader& header, ReceivedDigest& digest,
                              std::uint32_t& data_bytes);
  [[nodiscard]] Status check_digest(Volume& volume, Sector sector, ConstBytes data,
                                    const ReceivedDigest& digest) const;
  std::size_t add_digest(ConstBytes data, Bytes out) const noexcept;
  Status adopt_peer_integrity(const std::string& name);
  Task<Status> receive_write(const PacketHeader& header, Volume& volume);
  Task<Status> receive_range(const PacketHeader& header, Volume& volume);  // trim, zeroes
  Task<Status> receive_barrier(const PacketHeader& header);
  Task<Status> receive_data_reply(const PacketHeader& header, Volume& volume);
  Task<Status> receive_resync_data(const PacketHeader& header, Volume& volume);
  Status receive_deallocated(ConstBytes payload, Volume& volume);
  Task<Status> receive_request(const PacketHeader& header, Volume& volume);
  Task<Status> receive_verify_request(const PacketHeader& header, Volume& volume);
  Task<Status> receive_verify_reply(const PacketHeader& header, Volume& volume);
  Status receive_verify_result(const BlockAck& ack, ByteRange range, Volume& volume);
  void verify_ended_by_peer(Volume& volume);
  Task<Status> receive_bitmap(const PacketHeader& header, Volume& volume);
  Status receive_out_of_sync(ConstBytes payload, Volume& volume);
  Status receive_protocol(ConstBytes payload);
  Status receive_protocol_update(ConstBytes payload);
  Status receive_sync_param(ConstBytes payload, Volume& volume);
  Task<Status> receive_sizes(ConstBytes payload, Volume& volume);
  Task<Status> answer_sizes(Volume& volume, Sizes peer, bool grew);
  Task<Status> resync_after_grow(Volume& volume);
  Status adopt_peer_size(const Sizes& peer, Volume& volume);
  Task<Status> receive_uuids(ConstBytes payload, Volume& volume);
  Task<Status> receive_state(ConstBytes payload, Volume& volume);
  Status receive_state_request(ConstBytes payload, Volume* volume, bool whole_connection);
  static void note_forced_promotion(Volume* volume, StateDelta delta);
  [[nodiscard]] HandshakeSide my_side(const Volume& volume) const;
  static HandshakeSide peer_side(const Volume& volume, const VolumeState& peer,
                                 DiskState peer_disk);
  [[nodiscard]] HandshakeTerms terms() const;
  // Of a disk that is being attached.
  [[nodiscard]] static bool holds_data_in_use(const Volume& volume);
  [[nodiscard]] bool handshake_needed(const Volume& volume, const VolumeState& peer) const;
  Task<Result<ConnectionState>> decide_resync(Volume& volume, const VolumeState& peer,
                                              DiskState peer_disk);
  // The decision with the administrator's handlers called and the role given up where a policy
  // wants that (split_brain.cpp); nothing when it is refused, or the link went meanwhile.
  Task<std::optional<SyncDecision>> settle_decision(Volume& volume, HandshakeSide mine,
                                                    HandshakeSide theirs);
  void log_solution(const Volume& volume, const SyncDecision& decision) const;
  Task<int> call_handler(Volume& volume, const char* handler);
  // The peer is back at the generation that it was lost in, and frozen writes may be here alone:
  // now the owed generation begins, and they are copied.
  Task<std::optional<ConnectionState>> resync_marked_blocks(Volume& volume);
  Task<StateCode> send_marked_blocks(Volume& volume);
  Task<void> copy_new_storage(Volume& volume);
  // The handler before a resync; false when it forbids it.
  Task<bool> may_resync(Volume& volume, bool source);
  void log_handshake(const Volume& volume, const HandshakeSide& mine, const HandshakeSide& theirs,
                     const SyncDecision& decision) const;
  Task<Status> apply_peer_state(Volume& volume, const VolumeState& peer, DiskState peer_disk,
                                ConnectionState next);
  Task<Status> receive_sync_uuid(ConstBytes payload, Volume& volume);

  // Peer requests (peer_write.cpp).
  Task<void> peer_write(Volume& volume, Packet kind, DataHeader header, ByteRange range,
                        io::BufferPool::Buffer data, PeerEpochs::Epoch& epoch);
  Task<void> serve_read(Volume& volume, BlockRequest request, ByteRange range);
  Task<Status> read_for_peer(Volume& volume, BlockRequest request, ByteRange range);
  // How a target asks for a block: for its data, for its data unless it is zeroes, or for its data
  // unless it has this digest.
  struct ResyncQuestion {
    BlockRequest request;
    ByteRange range;
    Packet kind = Packet::rs_data_request;
    ReceivedDigest digest;
  };
  Task<void> serve_resync(Volume& volume, ResyncQuestion question);
  Task<Status> read_for_resync(Volume& volume, const ResyncQuestion& question);
  void answer_resync(Volume& volume, const ResyncQuestion& question, io::BufferPool::Buffer data);
  [[nodiscard]] static bool may_write(const Volume& volume) noexcept;
  [[nodiscard]] bool has_room_for_write(std::uint32_t bytes) const noexcept;
  Task<void> room_for_write(std::uint32_t bytes);
  Task<void> room_for_answers();
  Task<Status> bitmap_received(Volume& volume);
  [[nodiscard]] static bool expects_resync_data(const Volume& volume, ByteRange range) noexcept;
  Task<Status> cover_only_copy(Volume& volume, ByteRange range, ActivityHold& hold);
  Task<Status> start_as_source(Volume& volume);
  // StartingSyncS / StartingSyncT: all bits on both sides, no bitmap exchange.
  Task<void> begin_full_sync(Volume& volume, bool target);
  void send_data_reply(Volume& volume, Packet command, Sector sector, std::uint64_t block_id,
                       io::BufferPool::Buffer data);
  void refuse_write(Volume& volume, const DataHeader& header, std::uint32_t bytes);
  Task<Status> wait_for_sequence(Volume& volume, std::uint32_t sequence);
  static void note_sequence(Volume& volume, std::uint32_t sequence) noexcept;
  void decide_conflict(Volume& volume, ByteRange mine, const DataHeader& header, ByteRange theirs);
  Task<void> wait_for_loser(Volume& volume, std::uint64_t winner, PeerEpochs::Epoch& epoch);
  Task<void> prove_epochs();
  Task<void> prove_epoch(std::uint64_t epoch);
  Task<bool> resolve_conflict(Volume& volume, DataHeader header, ByteRange range,
                              PeerEpochs::Epoch& epoch);
  void peer_write_done(Volume& volume, const DataHeader& header, ByteRange range,
                       PeerEpochs::Epoch& epoch, bool ok);
  void peer_write_ended(Volume& volume, PeerEpochs::Epoch& epoch);
  void acknowledge_epochs();

  // Meta socket (receive_meta.cpp).
  Task<void> meta_loop();
  Task<bool> wait_for_meta_packet(std::size_t head);
  Status dispatch_meta(const PacketHeader& header, ConstBytes payload);
  Task<void> answer_ping();
  Status receive_block_ack(Packet command, ConstBytes payload, Volume& volume);

  Status stand_alone(const char* why);
  std::uint32_t next_sequence(Volume& volume) noexcept { return ++volume.peer_.sequence; }

  struct PendingRead {
    Volume* volume = nullptr;
    ByteRange range;
    Bytes into;
    std::uint64_t block_id = 0;
    bool arriving = false;  // its data is being received into the caller's memory
    bool done = false;
    Status status;
    io::Event answered;
  };
  PendingRead* find_read(std::uint64_t block_id) noexcept;
  void finish_read(PendingRead& read, Status status) noexcept;
  friend class Resource;
  friend class Resync;
  friend class OnlineVerify;

  Resource& resource_;
  PeerConfig peer_;
  NetOptions options_;
  Digests digests_;
  std::string peer_name_;
  TransferLog log_;
  std::unique_ptr<Establisher> establisher_;
  int listen_error_ = 0;  // already told
  SocketPair* securing_ = nullptr;
  Instant handshake_deadline_;
  std::unique_ptr<PeerLink> link_;
  std::vector<PendingRead*> pending_reads_;  // by slot; null = free
  io::Event read_slot_free_;
  bool established_ = false;
  bool stopping_ = false;
  bool go_stand_alone_ = false;
  bool leaving_ = false;
  bool trouble_noted_ = false;  // of this link
  bool running_ = false;
  io::Event ended_;
  io::Event epoch_opened_;
  io::Op* retry_sleep_ = nullptr;
  io::Op* watch_sleep_ = nullptr;
  io::Op* farewell_sleep_ = nullptr;
  bool peer_dry_run_ = false;
  std::uint32_t in_handler_ = 0;  // steps that wait for a program of ours, not for the peer
  std::uint64_t read_sequence_ = 0;
  static constexpr std::uint32_t serving_limit = 64;
  std::uint32_t serving_ = 0;  // reads for the peer
  io::Event served_;

  PeerEpochs peer_epochs_;
  io::Event epoch_drained_;
  io::Event peer_write_ended_;
  std::uint64_t incoming_bytes_ = 0;  // data of peer writes under way
  bool epoch_lost_ = false;
  bool proving_ = false;

  // Incoming bitmap of one volume at a time.
  // Drops a transfer that was begun; what was merged stays, and is counted.
  void forget_bitmap_transfer();
  std::unique_ptr<BitmapReceiver> bitmap_receiver_;
  Volume* bitmap_volume_ = nullptr;

  io::Gate link_tasks_;  // last: its frames refer to everything above
  io::Gate life_;
};

}  // namespace replicator
