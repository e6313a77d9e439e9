// The data socket: reads header after header and hands each packet to its handler. A packet is
// validated once, here (type, length, state); handlers get typed values.
//   P2, P5  unknown types, wrong lengths and packets in the wrong state end the connection
#include <utility>

#include "base/log.hpp"
#include "engine/decide/version_rules.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/resync.hpp"
#include "protocol/validate.hpp"

namespace replicator {

namespace {

constexpr std::size_t follow_ups_max = 32;

// For these an unknown volume is skipped with a warning; for all others it is a protocol error.
bool tolerates_unknown_volume(Packet command) {
  return command == Packet::sync_param || command == Packet::sync_param89 ||
         command == Packet::sizes || command == Packet::uuids || command == Packet::state;
}

bool of_whole_connection(Packet command) {
  return command == Packet::protocol || command == Packet::protocol_update ||
         command == Packet::barrier || command == Packet::conn_st_chg_req ||
         command == Packet::unplug_remote || command == Packet::delay_probe;
}

bool asks_for_nothing(ConstBytes payload) {
  const Result<StateChangeRequest> request = decode_state_change_request(payload);
  return request && request->mask == 0;
}

}  // namespace

Task<Status> Connection::receive_loop() {
  PeerLink& link = *link_;
  const std::size_t head = header_bytes(link.agreed_version);
  for (;;) {
    if (!link.data_reader.has(head)) {
      const Status filled = co_await link.data_reader.fill(head, Duration::forever());
      if (!filled.ok()) co_return filled;
    }
    if (link.meta.queued_bytes() > answers_backlog) co_await room_for_answers();
    const Result<PacketHeader> header =
        decode_header(link.data_reader.take(head), link.agreed_version);
    if (!header) co_return header.error();
    const Status length = check_length(header->command, Socket::data, header->length,
                                       link.agreed_version, link.features);
    if (!length.ok()) co_return length;
    Volume* volume = resource_.volume(header->volume);
    if (volume == nullptr && !of_whole_connection(header->command)) {
      if (!tolerates_unknown_volume(header->command)) {
        co_return Status(Fault::protocol_error, "packet for an unknown volume");
      }
      log::warning("{} connection: ignored {} for unknown volume {}", resource_.name(),
                   name(header->command), header->volume);
      const Status skipped = co_await link.data_reader.skip(header->length);
      if (!skipped.ok()) co_return skipped;
      continue;
    }
    const Status status = co_await dispatch(*header, volume);
    if (!status.ok()) co_return status;
    if (resource_.follow_ups_waiting() > follow_ups_max) co_await resource_.settled();
    if (link.failed()) co_return Status(Fault::connection_lost, "link");
  }
}

// P6: a peer that does not read our answers gets no further ones, nor does what its packets set
// going pile up.
Task<void> Connection::room_for_answers() {
  PeerLink& link = *link_;
  while (!link.failed() && link.meta.queued_bytes() > answers_backlog) {
    io::Event::Wait wait(link.meta.idle_event);
    co_await wait;
  }
}

Task<Status> Connection::dispatch(const PacketHeader& header, Volume* volume) {
  switch (header.command) {
    case Packet::data: co_return co_await receive_write(header, *volume);
    case Packet::trim:
    case Packet::zeroes: co_return co_await receive_range(header, *volume);
    case Packet::barrier: co_return co_await receive_barrier(header);
    case Packet::data_reply: co_return co_await receive_data_reply(header, *volume);
    case Packet::rs_data_reply: co_return co_await receive_resync_data(header, *volume);
    case Packet::data_request:
    case Packet::rs_data_request:
    case Packet::rs_thin_req:
    case Packet::csum_rs_request: co_return co_await receive_request(header, *volume);
    case Packet::ov_request: co_return co_await receive_verify_request(header, *volume);
    case Packet::ov_reply: co_return co_await receive_verify_reply(header, *volume);
    case Packet::bitmap:
    case Packet::compressed_bitmap: co_return co_await receive_bitmap(header, *volume);
    default: break;
  }
  PeerLink& link = *link_;
  const Status filled = co_await link.data_reader.fill(header.length, Duration::forever());
  if (!filled.ok()) co_return filled;
  const ConstBytes payload = link.data_reader.take(header.length);
  switch (header.command) {
    case Packet::unplug_remote:
    case Packet::delay_probe: co_return Status();
    case Packet::protocol: co_return receive_protocol(payload);
    case Packet::protocol_update: co_return receive_protocol_update(payload);
    case Packet::sync_param:
    case Packet::sync_param89: co_return receive_sync_param(payload, *volume);
    case Packet::sizes: co_return co_await receive_sizes(payload, *volume);
    case Packet::uuids: co_return co_await receive_uuids(payload, *volume);
    case Packet::state: co_return co_await receive_state(payload, *volume);
    case Packet::sync_uuid: co_return co_await receive_sync_uuid(payload, *volume);
    case Packet::out_of_sync: co_return receive_out_of_sync(payload, *volume);
    case Packet::state_chg_req:
      // A request for nothing asks whether what was said before has arrived: on media, then (D3).
      if (asks_for_nothing(payload)) co_await resource_.settled();
      if (link.failed()) co_return Status(Fault::connection_lost, "link");
      co_return receive_state_request(payload, volume, false);
    case Packet::conn_st_chg_req: co_return receive_state_request(payload, nullptr, true);
    case Packet::rs_deallocated: co_return receive_deallocated(payload, *volume);
    default: break;
  }
  log::warning("{} connection: {} is not served", resource_.name(), name(header.command));
  co_return Status(Fault::protocol_error, "unexpected packet on the data socket");
}

// A read request of the peer: by its application or by its resync.
Task<Status> Connection::receive_request(const PacketHeader& header, Volume& volume) {
  PeerLink& link = *link_;
  const Status filled = co_await link.data_reader.fill(header.length, Duration::forever());
  if (!filled.ok()) co_return filled;
  const ConstBytes payload = link.data_reader.take(header.length);
  const ReceivedDigest digest(payload.subspan(block_request_bytes));
  const Result<BlockRequest> request = decode_block_request(payload.first(block_request_bytes));
  if (!request) co_return request.error();
  const Result<ByteRange> range = checked_range(request->sector, request->bytes, volume.size());
  if (!range) co_return range.error();
  if (!may_ask_for(link.agreed_version, request->bytes)) {
    co_return Status(Fault::protocol_error, "request for more than a packet of the version holds");
  }
  // P6: a bounded number of reads; the peer waits meanwhile.
  while (serving_ >= serving_limit) {
    io::Event::Wait wait(served_);
    co_await wait;
  }
  if (header.command == Packet::data_request) {
    link_tasks_.start(serve_read(volume, *request, *range));
    co_return Status();
  }
  ResyncQuestion question;
  question.request = *request;
  question.range = *range;
  question.kind = header.command;
  question.digest = digest;
  link_tasks_.start(serve_resync(volume, question));
  co_return Status();
}

Task<Status> Connection::receive_bitmap(const PacketHeader& header, Volume& volume) {
  PeerLink& link = *link_;
  const Status filled = co_await link.data_reader.fill(header.length, Duration::forever());
  if (!filled.ok()) co_return filled;
  const ConstBytes payload = link.data_reader.take(header.length);
  const ConnectionState state = volume.state_.connection;
  const bool expected =
      state == ConnectionState::wf_bitmap_s || state == ConnectionState::wf_bitmap_t;
  if (!expected || volume.backing_ == nullptr) {
    co_return Status(Fault::protocol_error, "bitmap in the wrong state");
  }
  if (bitmap_volume_ != nullptr && bitmap_volume_ != &volume) {
    co_return Status(Fault::protocol_error, "bitmaps of two volumes mixed");
  }
  if (bitmap_receiver_ == nullptr) {
    bitmap_volume_ = &volume;
    bitmap_receiver_ = std::make_unique<BitmapReceiver>(volume.backing_->bitmap().size().value(),
                                                        link.agreed_version);
  }
  const Status fed =
      bitmap_receiver_->feed(volume.backing_->bitmap().words(), header.command, payload);
  if (!fed.ok() || !bitmap_receiver_->complete()) co_return fed;
  bitmap_receiver_.reset();
  bitmap_volume_ = nullptr;
  co_return co_await bitmap_received(volume);
}

void Connection::forget_bitmap_transfer() {
  if (bitmap_receiver_ && bitmap_volume_->backing_) bitmap_volume_->backing_->bitmap().recount();
  bitmap_receiver_.reset();
  bitmap_volume_ = nullptr;
}

Status Connection::receive_out_of_sync(ConstBytes payload, Volume& volume) {
  const Result<BlockDescriptor> descriptor = decode_block_descriptor(payload);
  if (!descriptor) return descriptor.error();
  const Result<ByteRange> range =
      checked_range(descriptor->sector, descriptor->bytes, volume.size());
  if (!range) return range.error();
  switch (volume.state_.connection) {
    case ConnectionState::wf_sync_uuid:
    case ConnectionState::wf_bitmap_t:
    case ConnectionState::behind: break;
    default: return Status(Fault::protocol_error, "out-of-sync notice in the wrong state");
  }
  peer_epochs_.outdo(volume, *range);
  volume.mark_out_of_sync(*range);
  return Status();
}

}  // namespace replicator
