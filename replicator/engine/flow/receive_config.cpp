// What the peer says of itself: options, sizes, generations, state; and the decisions that follow.
//   G1, G4  the direction of a resync is decided by decide/handshake from the exchanged values
//   alone S1      the peer's state change requests are judged by the same rules as our own
// Normative: docs/handshake.md.
#include <algorithm>

#include "base/log.hpp"
#include "engine/decide/peer_disk.hpp"
#include "engine/decide/version_rules.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/resync.hpp"

namespace replicator {

namespace {

using C = ConnectionState;
using D = DiskState;

// The peer's policy in our own words: its local is our remote.
std::uint32_t mirrored_policy(std::uint32_t policy) {
  if (policy == static_cast<std::uint32_t>(AfterSplitBrain::discard_local)) {
    return static_cast<std::uint32_t>(AfterSplitBrain::discard_remote);
  }
  if (policy == static_cast<std::uint32_t>(AfterSplitBrain::discard_remote)) {
    return static_cast<std::uint32_t>(AfterSplitBrain::discard_local);
  }
  return policy;
}

// What keeps two nodes with these options apart; null when nothing does.
const char* incompatibility(const ProtocolOptions& peer, const ProtocolOptions& mine) {
  if (peer.protocol != mine.protocol) return "incompatible communication protocols";
  if (mirrored_policy(peer.after_sb_0pri) != mine.after_sb_0pri) {
    return "incompatible after-sb-0pri settings";
  }
  if (mirrored_policy(peer.after_sb_1pri) != mine.after_sb_1pri) {
    return "incompatible after-sb-1pri settings";
  }
  if (mirrored_policy(peer.after_sb_2pri) != mine.after_sb_2pri) {
    return "incompatible after-sb-2pri settings";
  }
  if ((peer.connection_flags & mine.connection_flags & connection_flag_discard_my_data) != 0) {
    return "incompatible discard-my-data settings";
  }
  if (peer.two_primaries != mine.two_primaries) {
    return "incompatible allow-two-primaries settings";
  }
  if (peer.integrity_alg != mine.integrity_alg) return "incompatible data-integrity-alg";
  return nullptr;
}

bool in_range(C state, C first, C last) { return state >= first && state <= last; }

}  // namespace

Status Connection::receive_protocol(ConstBytes payload) {
  const Result<ProtocolOptions> peer = decode_protocol_options(payload);
  if (!peer) return peer.error();
  const char* problem = incompatibility(*peer, protocol_options());
  if (problem != nullptr) return stand_alone(problem);
  peer_dry_run_ = (peer->connection_flags & connection_flag_dry_run) != 0;
  return adopt_peer_integrity(peer->integrity_alg);
}

// An administrator changed options of the peer. What both nodes share is not changed while
// connected: the next handshake judges it.
Status Connection::receive_protocol_update(ConstBytes payload) {
  const Result<ProtocolOptions> peer = decode_protocol_options(payload);
  if (!peer) return peer.error();
  // Which digest comes with data is each sender's own to say.
  ProtocolOptions mine = protocol_options();
  mine.integrity_alg = peer->integrity_alg;
  const char* problem = incompatibility(*peer, mine);
  if (problem != nullptr) return Status(Fault::protocol_error, problem);
  return adopt_peer_integrity(peer->integrity_alg);
}

Status Connection::receive_sync_param(ConstBytes payload, Volume& volume) {
  const Result<SyncParam> peer = decode_sync_param(payload, link_->agreed_version);
  if (!peer) return peer.error();
  if (volume.state_.connection == C::wf_report_params) {
    // What an older version does not name cannot differ.
    if (link_->agreed_version >= 88 && peer->verify_alg != options_.verify_alg)
      return stand_alone("incompatible verify-alg settings");
    if (link_->agreed_version >= 89 && peer->csums_alg != options_.csums_alg)
      return stand_alone("incompatible csums-alg settings");
  } else {
    const Status adopted = adopt_algorithms(*peer);
    if (!adopted.ok()) return adopted;
  }
  DiskOptions& own = volume.disk_options_;
  own.resync_rate = peer->resync_rate;
  if (link_->agreed_version < 95) return Status();
  own.c_plan_ahead_tenths = std::min(peer->c_plan_ahead, 300U);
  own.c_delay_target_tenths = peer->c_delay_target;
  own.c_fill_target_sectors = peer->c_fill_target;
  own.c_max_rate = peer->c_max_rate;
  return Status();
}

Status Connection::adopt_algorithms(const SyncParam& peer) {
  const auto adopt = [this](const char* what, const std::string& theirs, std::string& ours,
                            BlockDigest& digest) {
    if (theirs.empty() || theirs == ours) return Status();
    Result<BlockDigest> made = BlockDigest::make(theirs);
    if (!made) return stand_alone(what);
    log::info("{} connection: using {}: \"{}\"", resource_.name(), what, theirs);
    ours = theirs;
    digest = std::move(*made);
    return Status();
  };
  const Status verify = adopt("verify-alg", peer.verify_alg, options_.verify_alg, digests_.verify);
  if (!verify.ok()) return verify;
  return adopt("csums-alg", peer.csums_alg, options_.csums_alg, digests_.checksums);
}

Task<Status> Connection::receive_uuids(ConstBytes payload, Volume& volume) {
  const Result<Uuids> peer = decode_uuids(payload);
  if (!peer) co_return peer.error();
  const bool diskless_primary =
      volume.state_.role == Role::primary && volume.state_.disk < D::inconsistent;
  // The generation that the peer began for our writes may not have been told us.
  const bool successor =
      volume.peer_has_newer_ && same_generation(volume.exposed_uuid_, peer->bitmap);
  if (diskless_primary && volume.exposed_uuid_ != 0 && !successor &&
      (volume.state_.connection < C::connected || volume.state_.peer_disk == D::diskless) &&
      !same_generation(volume.exposed_uuid_, peer->current)) {
    co_return stand_alone("can only connect to data with the generation in use");
  }
  volume.peer_.uuids = *peer;
  resource_.peer_told_generations(volume, *peer);
  volume.peer_.uuids_during_change = true;
  // Half a resync is nothing that a Primary without a disk could have begun to use.
  const bool half_synced = diskless_primary && volume.state_.connection >= C::connected &&
                           volume.state_.peer_disk == D::inconsistent;
  if (volume.state_.disk < D::inconsistent && !half_synced) volume.exposed_uuid_ = peer->current;
  if ((peer->flags & uuid_flag_skip_initial_sync) != 0 && volume.has_disk() &&
      link_->agreed_version >= 90) {
    co_return co_await resource_.peer_skips_initial_sync(volume, peer->current);
  }
  co_return Status();
}

HandshakeSide Connection::my_side(const Volume& volume) const {
  HandshakeSide mine;
  if (volume.backing_) mine.generations = volume.backing_->superblock().generations;
  mine.crashed_primary = volume.crashed_primary_;
  mine.discard_my_data = volume.peer_.we_discard;
  mine.role = volume.state_.role;
  mine.disk = volume.state_.disk == D::negotiating ? volume.attach_state_.disk : volume.state_.disk;
  mine.negotiating = volume.state_.disk == D::negotiating;
  mine.dirty_bits = volume.dirty_bits_sent_;
  return mine;
}

HandshakeSide Connection::peer_side(const Volume& volume, const VolumeState& peer,
                                    DiskState peer_disk) {
  const Uuids& uuids = *volume.peer_.uuids;
  HandshakeSide theirs;
  theirs.generations.current = uuids.current;
  theirs.generations.bitmap = uuids.bitmap;
  theirs.generations.history[0] = uuids.history[0];
  theirs.generations.history[1] = uuids.history[1];
  theirs.crashed_primary = (uuids.flags & uuid_flag_crashed_primary) != 0;
  theirs.discard_my_data = (uuids.flags & uuid_flag_discard_my_data) != 0;
  theirs.role = peer.role;
  theirs.disk = peer_disk;
  theirs.dirty_bits = uuids.dirty_bits;
  return theirs;
}

HandshakeTerms Connection::terms() const {
  HandshakeTerms terms;
  terms.agreed_version = link_->agreed_version;
  terms.features = link_->features;
  terms.resolve_conflicts = link_->sockets.resolve_conflicts;
  terms.accepted_data = link_->sockets.data_accepted;
  terms.always_asbp = options_.always_asbp;
  terms.dry_run = options_.tentative || peer_dry_run_;
  terms.after_sb_0pri = options_.after_sb_0pri;
  terms.after_sb_1pri = options_.after_sb_1pri;
  terms.after_sb_2pri = options_.after_sb_2pri;
  terms.rr_conflict = options_.rr_conflict;
  return terms;
}

// The generation handshake; the new connection state. Fault::incompatible: it was refused; anything
// else: the own disk did not take what was decided, and is given up.
Task<Result<ConnectionState>> Connection::decide_resync(Volume& volume, const VolumeState& peer,
                                                        DiskState peer_disk) {
  const HandshakeSide mine = my_side(volume);
  const HandshakeSide theirs = peer_side(volume, peer, peer_disk);
  const std::optional<SyncDecision> settled = co_await settle_decision(volume, mine, theirs);
  if (!settled) co_return failure(Fault::incompatible, "handshake");
  const SyncDecision& decision = *settled;
  if (decision.comparison.corrects_mine && volume.backing_) {
    volume.backing_->superblock().generations = decision.comparison.mine;
    resource_.note_generation(volume, GenerationCause::corrected);
  }
  if (decision.comparison.corrects_theirs) {
    const GenerationSet& set = decision.comparison.theirs;
    volume.peer_.uuids->bitmap = set.bitmap;
    volume.peer_.uuids->history[0] = set.history[0];
    volume.peer_.uuids->history[1] = set.history[1];
  }
  if (decision.full && volume.backing_) {
    log::info("{}/{} Writing the whole bitmap, full sync required after drbd_sync_handshake.",
              resource_.name(), volume.number());
    const Status written = co_await volume.backing_->set_all_with_full_sync_flag();
    if (!written.ok()) {
      resource_.local_disk_failed(volume);
      co_return tl::unexpected<Status>(written);
    }
  }
  volume.note_undo(decision, mine, theirs);
  switch (decision.outcome) {
    case SyncDecision::Outcome::source: co_return C::wf_bitmap_s;
    case SyncDecision::Outcome::target: co_return C::wf_bitmap_t;
    default: break;
  }
  const bool marked = volume.out_of_sync_blocks() != 0 || theirs.dirty_bits != 0;
  if (marked && sends_marked_blocks(my_side(volume), theirs, terms())) {
    const std::optional<C> begun = co_await resync_marked_blocks(volume);
    if (!begun) co_return failure(Fault::io_error, "local meta data");
    co_return *begun;
  }
  if (volume.out_of_sync_blocks() != 0) {
    log::info("{}/{} No resync, but {} bits in bitmap!", resource_.name(), volume.number(),
              volume.out_of_sync_blocks());
  }
  co_return C::connected;
}

void Connection::log_handshake(const Volume& volume, const HandshakeSide& mine,
                               const HandshakeSide& theirs, const SyncDecision& decision) const {
  const auto print = [&](const char* who, const HandshakeSide& side) {
    log::info("{}/{} {} {:016X}:{:016X}:{:016X}:{:016X} bits:{}", resource_.name(), volume.number(),
              who, side.generations.current, side.generations.bitmap, side.generations.history[0],
              side.generations.history[1], side.dirty_bits);
  };
  log::info("{}/{} drbd_sync_handshake:", resource_.name(), volume.number());
  print("self", mine);
  print("peer", theirs);
  log::info("{}/{} uuid_compare()={} by rule {}", resource_.name(), volume.number(),
            decision.comparison.result, decision.comparison.rule);
  if (decision.by_disk_state) {
    log::info("{}/{} {}", resource_.name(), volume.number(), decision.reason);
  }
}

Task<Status> Connection::receive_state(ConstBytes payload, Volume& volume) {
  const Result<StateWord> word = decode_state_word(payload);
  if (!word) co_return word.error();
  const VolumeState peer = unpack_state(word->state);
  if (!all_states_known(peer)) {
    log::error("{}/{} the peer's state {:#x} means nothing", resource_.name(), volume.number(),
               word->state);
    co_return Status(Fault::protocol_error, "state");
  }
  const VolumeState before = volume.state_;
  volume.peer_.state = peer;
  volume.peer_.state_known = true;
  const bool was_inconsistent =
      volume.peer_.uuids && (volume.peer_.uuids->flags & uuid_flag_inconsistent) != 0;
  D peer_disk = believed_peer_disk(before, peer, was_inconsistent);
  // It was on its way when the peer asked to part: the peer ends the link when it has read that we
  // agree, and must read that (S3: it is Outdated from then on).
  if (before.connection == C::tear_down) co_return Status();
  if (before.connection <= C::tear_down) co_return Status(Fault::connection_lost, "going down");
  if (resync_ended_at_target(before, peer)) {
    co_await resource_.finish_resync_as_source(volume);
    co_return Status();
  }
  if (before.connection == C::verify_t && before.disk == D::up_to_date &&
      peer.connection == C::connected && peer_disk == D::up_to_date) {
    verify_ended_by_peer(volume);
    co_return Status();
  }
  C next = before.connection == C::wf_report_params ? C::connected : before.connection;
  bool attach_refused = false;
  if (peer.connection == C::ahead) next = C::behind;
  if (handshake_needed(volume, peer)) {
    volume.peer_.consider_resync = false;
    const bool attaching = volume.state_.disk == D::negotiating;
    const Result<C> decided = co_await decide_resync(volume, peer, peer_disk);
    if (!established_) co_return Status(Fault::connection_lost, "link");
    if (decided) {
      next = *decided;
    } else if (attaching) {
      resource_.local_disk_failed(volume);
      next = C::connected;
    } else if (decided.error().fault() != Fault::incompatible) {
      // The peer has decided, and expects what needs a disk: the two meet again without it.
      co_return decided.error();
    } else if (peer.disk == D::negotiating) {
      log::error("{}/{} Disk attach process on the peer node was aborted.", resource_.name(),
                 volume.number());
      attach_refused = true;
      peer_disk = D::diskless;
      next = C::connected;
    } else {
      co_return stand_alone("the handshake was refused");
    }
  }
  // No handshake, because the peer's disk went as well: what this one holds may be old.
  if (volume.state_.disk == D::negotiating && peer_disk < D::negotiating &&
      !holds_data_in_use(volume)) {
    log::error("{}/{} the disk holds another generation than the data in use", resource_.name(),
               volume.number());
    StateDelta refused;
    refused.disk(D::failed);
    resource_.change(volume, refused, true);
  }
  const Status applied = co_await apply_peer_state(volume, peer, peer_disk, next);
  if (applied.ok() && attach_refused && established_) {
    // Nothing changes here, so nothing else would tell the peer: it would negotiate for good (L1).
    send_uuids(volume);
    send_state(volume);
  }
  co_return applied;
}

bool Connection::holds_data_in_use(const Volume& volume) {
  if (volume.state_.role != Role::primary || volume.exposed_uuid_ == 0) return true;
  return !volume.peer_has_newer_ &&
         same_generation(volume.exposed_uuid_, volume.backing_->superblock().generations.current);
}

bool Connection::handshake_needed(const Volume& volume, const VolumeState& peer) const {
  const VolumeState& own = volume.state_;
  if (!volume.peer_.uuids || peer.disk < D::negotiating || own.disk < D::negotiating) return false;
  if (own.connection < C::connected) return true;
  if (own.connection != C::connected) return false;
  return own.disk == D::negotiating || peer.disk == D::negotiating ||
         volume.peer_.consider_resync ||
         in_range(peer.connection, C::starting_sync_s, C::wf_bitmap_t);
}

Task<Status> Connection::apply_peer_state(Volume& volume, const VolumeState& peer, D peer_disk,
                                          C next) {
  const VolumeState before = volume.state_;
  StateDelta delta;
  delta.connection(next).peer_role(peer.role).peer_disk(peer_disk).sync_paused_by_peer(
      peer.sync_paused_by_dependency || peer.sync_paused_by_user);
  if (before.disk == D::negotiating && (next == C::connected || next == C::wf_bitmap_s)) {
    delta.disk(volume.attach_state_.disk);
  }
  // Both were Inconsistent and the peer was made Primary by force: a resync may be due.
  if (before.disk == D::inconsistent && before.peer_disk == D::inconsistent &&
      before.peer_role == Role::secondary && peer.role == Role::primary &&
      before.connection == C::connected) {
    volume.peer_.consider_resync = true;
  }
  const bool newly_connected = before.connection < C::connected && next >= C::connected;
  const StateCode code = resource_.change(volume, delta, !newly_connected);
  if (static_cast<int>(code) < 1) {
    log::error("{}/{} {}", resource_.name(), volume.number(), text(code));
    co_return stand_alone("the states do not fit");
  }
  if (newly_connected) {
    volume.peer_.state_sent = false;
    volume.peer_.we_discard = false;
    const auto& all = resource_.volumes();
    options_.discard_my_data = std::any_of(all.begin(), all.end(),
                                           [](const auto& each) { return each->peer_.we_discard; });
    resource_.changed.notify_all();
  }
  if (before.connection > C::wf_report_params && next > C::connected && before.connection != next &&
      peer.connection <= C::connected && peer.disk != D::negotiating) {
    // The peer has not decided yet: let it run its own handshake.
    send_uuids(volume);
    send_state(volume);
  }
  // After a detach a transfer may have been left half done; this is a new one.
  const bool exchange = next == C::wf_bitmap_s || next == C::wf_bitmap_t;
  if (exchange && before.connection != next && bitmap_volume_ == &volume) forget_bitmap_transfer();
  if (volume.state_.connection == C::wf_bitmap_s && before.connection != C::wf_bitmap_s) {
    link_tasks_.start(offer_bitmap(volume));
  }
  co_return Status();
}

// A request of the peer: judged like one of our own, answered with its number.
Status Connection::receive_state_request(ConstBytes payload, Volume* volume,
                                         bool whole_connection) {
  const Result<StateChangeRequest> request = decode_state_change_request(payload);
  if (!request) return request.error();
  StateChangeReply reply;
  if (link_->sockets.resolve_conflicts && link_->reply_waited_for) {
    reply.code = static_cast<std::int32_t>(StateCode::concurrent_changes);
  } else {
    const StateDelta delta = from_peer_view(request->mask, request->value);
    Volume* target = whole_connection ? nullptr : volume;
    note_forced_promotion(target, delta);
    const StateCode code = resource_.peer_requests(target, delta.mask, delta.value);
    reply.code =
        static_cast<std::int32_t>(code == StateCode::nothing_to_do ? StateCode::success : code);
  }
  // Before 100 there is one kind of reply, as there is one kind of question.
  const bool reply_whole = whole_connection && knows_volumes(link_->agreed_version);
  link_->send(Socket::meta, reply_whole ? Packet::conn_st_chg_reply : Packet::state_chg_reply,
              static_cast<std::uint16_t>(volume != nullptr ? volume->number() : 0), reply);
  return Status();
}

// The peer becomes Primary while both disks are Inconsistent: its next P_STATE decides a resync.
void Connection::note_forced_promotion(Volume* volume, StateDelta delta) {
  if (volume == nullptr) return;
  const VolumeState next = delta.applied_to(volume->state_);
  if (volume->state_.disk == D::inconsistent && volume->state_.peer_disk == D::inconsistent &&
      volume->state_.peer_role == Role::secondary && next.peer_role == Role::primary) {
    volume->peer_.consider_resync = true;
  }
}

Task<std::int32_t> Connection::ask_peer(Volume* volume, std::uint32_t mask, std::uint32_t value) {
  if (!established_) co_return connection_was_lost;
  PeerLink& link = *link_;
  // One question at a time; the answers carry no name.
  while (established_ && link.reply_waited_for) {
    io::Event::Wait wait(link.reply_event);
    co_await wait;
  }
  if (!established_) co_return connection_was_lost;
  link.reply_waited_for = true;
  ++link.replies_asked;
  link.reply_arrived = false;
  StateChangeRequest request;
  request.mask = mask;
  request.value = value;
  const bool whole = volume == nullptr && knows_volumes(link.agreed_version);
  link.send(Socket::data, whole ? Packet::conn_st_chg_req : Packet::state_chg_req,
            static_cast<std::uint16_t>(volume != nullptr ? volume->number() : 0), request);
  while (established_ && !link.reply_arrived) {
    io::Event::Wait wait(link.reply_event);
    co_await wait;
  }
  const bool answered = established_ && link.reply_arrived;
  const std::int32_t code = link.reply_code;
  link.reply_waited_for = false;
  link.reply_event.notify_all();
  if (answered) co_return code;
  co_return connection_was_lost;
}

}  // namespace replicator
