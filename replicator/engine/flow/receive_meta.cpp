// The meta socket: acks, pings and replies; and the keep-alive that finds a silent peer.
//   P5  an ack that matches nothing is a protocol error, never ignored
#include <utility>

#include "base/log.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/resync.hpp"
#include "protocol/validate.hpp"

namespace replicator {

Task<void> Connection::meta_loop() {
  PeerLink& link = *link_;
  const std::size_t head = header_bytes(link.agreed_version);
  while (!link.failed()) {
    const bool there = co_await wait_for_meta_packet(head);
    if (!there) break;
    const Result<PacketHeader> header =
        decode_header(link.meta_reader.take(head), link.agreed_version);
    Status status = header ? check_length(header->command, Socket::meta, header->length,
                                          link.agreed_version, link.features)
                           : header.error();
    if (status.ok() && !link.meta_reader.has(header->length)) {
      const Status filled = co_await link.meta_reader.fill(header->length, send_patience());
      status = filled;
    }
    if (status.ok()) status = dispatch_meta(*header, link.meta_reader.take(header->length));
    if (status.ok()) continue;
    const bool broken = status.fault() == Fault::protocol_error ||
                        status.fault() == Fault::malformed || status.fault() == Fault::out_of_range;
    fail(broken ? ConnectionState::protocol_error : ConnectionState::network_failure,
         status.where());
  }
}

// Waits for the next header, pinging a peer that is silent on both sockets; false when the link
// failed.
Task<bool> Connection::wait_for_meta_packet(std::size_t head) {
  PeerLink& link = *link_;
  while (!link.meta_reader.has(head)) {
    const std::uint64_t before =
        link.data_reader.received_bytes() + link.meta_reader.received_bytes();
    const Duration patience = link.ping_outstanding
                                  ? Duration::tenths(options_.ping_timeout_tenths)
                                  : Duration::seconds(options_.ping_interval_seconds);
    const Status filled = co_await link.meta_reader.fill(head, patience);
    if (filled.ok()) break;
    if (filled.fault() != Fault::timed_out) {
      fail(filled.fault() == Fault::closed ? ConnectionState::broken_pipe
                                           : ConnectionState::network_failure,
           "meta socket");
      co_return false;
    }
    const std::uint64_t after =
        link.data_reader.received_bytes() + link.meta_reader.received_bytes();
    if (after != before) continue;  // the data socket is alive
    if (link.ping_outstanding) {
      fail(ConnectionState::network_failure, "PingAck did not arrive in time");
      co_return false;
    }
    request_ping();
  }
  co_return !link.failed();
}

void Connection::request_ping() {
  if (!link_ || link_->failed()) return;
  link_->ping_outstanding = true;
  link_->send_bare(Socket::meta, Packet::ping, 0);
}

Task<bool> Connection::ping_peer() {
  if (!established_) co_return false;
  const std::uint64_t acks = link_->ping_acks;
  request_ping();
  while (established_ && link_->ping_acks == acks) {
    io::Event::Wait wait(link_->ping_acked);
    co_await wait;
  }
  co_return established_;
}

Status Connection::dispatch_meta(const PacketHeader& header, ConstBytes payload) {
  PeerLink& link = *link_;
  switch (header.command) {
    case Packet::ping:
      if (link.meta.queued_bytes() > answers_backlog) {
        return Status(Fault::protocol_error, "pings of a peer that does not read the answers");
      }
      link_tasks_.start(answer_ping());
      return Status();
    case Packet::ping_ack:
      link.ping_outstanding = false;
      ++link.ping_acks;
      link.ping_acked.notify_all();
      return Status();
    case Packet::delay_probe: return Status();
    case Packet::barrier_ack: {
      const Result<BarrierAck> ack = decode_barrier_ack(payload);
      if (!ack) return ack.error();
      if (!log_.barrier_ack(ack->number, ack->set_size)) {
        return Status(Fault::protocol_error, "barrier ack that matches no epoch");
      }
      resource_.resync_may_be_done();
      return Status();
    }
    case Packet::state_chg_reply:
    case Packet::conn_st_chg_reply: {
      const Result<StateChangeReply> reply = decode_state_change_reply(payload);
      if (!reply) return reply.error();
      if (!link.reply_waited_for || link.reply_arrived) {
        return Status(Fault::protocol_error, "state change reply that nobody waits for");
      }
      link.reply_code = reply->code;
      link.reply_arrived = true;
      link.reply_event.notify_all();
      return Status();
    }
    default: break;
  }
  Volume* volume = resource_.volume(header.volume);
  if (volume == nullptr) return Status(Fault::protocol_error, "ack for an unknown volume");
  return receive_block_ack(header.command, payload, *volume);
}

Task<void> Connection::answer_ping() {
  co_await resource_.note_finished_targets();
  if (!link_->failed()) link_->send_bare(Socket::meta, Packet::ping_ack, 0);
}

Status Connection::receive_block_ack(Packet command, ConstBytes payload, Volume& volume) {
  const Result<BlockAck> ack = decode_block_ack(payload);
  if (!ack) return ack.error();
  const Result<ByteRange> range = checked_range(ack->sector, ack->bytes, volume.size());
  if (!range) return range.error();
  note_sequence(volume, ack->seq_num);
  const bool of_resync = ack->block_id == syncer_block_id;
  PeerAnswer answer = PeerAnswer::written;
  switch (command) {
    case Packet::ov_result: return receive_verify_result(*ack, *range, volume);
    case Packet::neg_rs_dreply:
      if (volume.verify_) return volume.verify_not_answered(*range);
      return volume.resync_answer(command, *range);
    case Packet::rs_is_in_sync:
    case Packet::rs_cancel: return volume.resync_answer(command, *range);
    case Packet::rs_write_ack:
      if (of_resync) return volume.resync_answer(command, *range);
      answer = PeerAnswer::written_in_sync;
      break;
    case Packet::neg_ack:
      if (of_resync) return volume.resync_answer(command, *range);
      answer = PeerAnswer::refused;
      break;
    case Packet::write_ack: break;
    // A write that met a concurrent one of the peer's own, which won.
    case Packet::superseded: answer = PeerAnswer::superseded; break;
    case Packet::retry_write: answer = PeerAnswer::retry; break;
    // Received is not written: only protocol B asks for it, and takes it for an answer (D1).
    case Packet::recv_ack:
      if (options_.protocol != WireProtocol::b) {
        return Status(Fault::protocol_error, "receive ack without protocol B");
      }
      answer = PeerAnswer::received;
      break;
    case Packet::neg_dreply: {
      PendingRead* read = find_read(ack->block_id);
      if (read == nullptr || read->volume != &volume || read->done || read->arriving) {
        return Status(Fault::protocol_error, "negative reply to a read that nobody asked for");
      }
      finish_read(*read, Status(Fault::io_error, "read at the peer"));
      return Status();
    }
    default: return Status(Fault::protocol_error, "unexpected packet on the meta socket");
  }
  const MirroredWrite* write = log_.answer(ack->block_id, volume, *range, answer);
  if (write == nullptr) {
    return Status(Fault::protocol_error, "ack for a write that is not in flight");
  }
  volume.write_times_.peer.add(resource_.world().clock.now() - write->sent);
  // The peer's disk was away when the write came, and is back: the bitmap may have been sent before
  // this mark, and the resync that runs would not bring it (E1). The next one will.
  const bool too_late = answer == PeerAnswer::refused && write->disks_lost != volume.disks_lost() &&
                        volume.state().connection > ConnectionState::connected;
  if (too_late) fail(ConnectionState::network_failure, "a write was refused during a resync");
  return Status();
}

}  // namespace replicator
