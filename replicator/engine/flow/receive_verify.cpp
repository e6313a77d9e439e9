// Packets of an online verify, on either side.
//   P5  requests and replies count only while a verify runs on the right side; what was under way
//       when it was broken off is answered or dropped, and changes nothing
// Normative: docs/protocol.md#online-verify.
#include <utility>

#include "engine/flow/connection.hpp"
#include "engine/flow/online_verify.hpp"
#include "engine/flow/resource.hpp"

namespace replicator {

namespace {

bool within_one_extent(ByteRange range) {
  return range.begin.value() / resync_extent_bytes ==
         (range.end().value() - 1) / resync_extent_bytes;
}

}  // namespace

Task<Status> Connection::receive_verify_request(const PacketHeader& header, Volume& volume) {
  PeerLink& link = *link_;
  const Status filled = co_await link.data_reader.fill(header.length, Duration::forever());
  if (!filled.ok()) co_return filled;
  const Result<BlockRequest> request = decode_block_request(link.data_reader.take(header.length));
  if (!request) co_return request.error();
  const Result<ByteRange> range = checked_range(request->sector, request->bytes, volume.size());
  if (!range) co_return range.error();
  if (!within_one_extent(*range)) co_return Status(Fault::protocol_error, "verify of two extents");
  while (volume.verify_ && !volume.verify_->has_room()) {
    io::Event::Wait wait(volume.verify_->room);
    co_await wait;
  }
  const bool answering = volume.verify_ && volume.verify_->side() == OnlineVerify::Side::answering;
  if (!answering || volume.state_.disk != DiskState::up_to_date) {
    send_block_ack(volume, Packet::neg_rs_dreply, request->sector, request->bytes,
                   request->block_id);
    co_return Status();
  }
  if (volume.verify_->knows(*range)) {
    co_return Status(Fault::protocol_error, "verify of a block that is being verified");
  }
  link_tasks_.start(volume.verify_->answer(*request, *range));
  co_return Status();
}

Task<Status> Connection::receive_verify_reply(const PacketHeader& header, Volume& volume) {
  PeerLink& link = *link_;
  const Status filled = co_await link.data_reader.fill(header.length, Duration::forever());
  if (!filled.ok()) co_return filled;
  const ConstBytes payload = link.data_reader.take(header.length);
  const Result<BlockRequest> request = decode_block_request(payload);
  if (!request) co_return request.error();
  const Result<ByteRange> range = checked_range(request->sector, request->bytes, volume.size());
  if (!range) co_return range.error();
  if (!volume.verify_) co_return Status();  // broken off meanwhile
  if (!volume.verify_->expects(*range)) {
    co_return Status(Fault::protocol_error, "digest of a block that nobody asked for");
  }
  const ReceivedDigest digest(payload.subspan(block_request_bytes));
  link_tasks_.start(volume.verify_->compare(*range, digest));
  co_return Status();
}

Status Connection::receive_verify_result(const BlockAck& ack, ByteRange range, Volume& volume) {
  if (!volume.verify_) return Status();  // broken off meanwhile
  if (!volume.verify_->result(range, OnlineVerify::says_different(ack.block_id))) {
    return Status(Fault::protocol_error, "verify result that nobody waits for");
  }
  if (volume.verify_->left_blocks() == 0) link_tasks_.start(volume.verify_->finish());
  return Status();
}

// The asking side says that it is Connected again: it reached its stop sector.
void Connection::verify_ended_by_peer(Volume& volume) {
  if (volume.verify_) link_tasks_.start(volume.verify_->finish());
}

Status Volume::verify_not_answered(ByteRange range) {
  if (!verify_) return Status();
  if (!verify_->expects(range)) {
    return Status(Fault::protocol_error, "refusal of a block that nobody asked for");
  }
  verify_->not_compared(range);
  return Status();
}

}  // namespace replicator
