// Application reads and flushes.
//   E9   a read is answered only from a replica that is current for those blocks; on a sync target
//   a
//        marked block is fetched from the source
//   E10  a block that failed to read locally is served by the peer and marked
//   D3   a flush waits for the local disk and for the peer's barrier acks of everything before it
#include <algorithm>

#include "base/sabotage.hpp"
#include "engine/decide/read_balancing.hpp"
#include "engine/decide/route.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/volume.hpp"

namespace replicator {

Task<Status> Volume::read(ByteRange range, Bytes into) {
  ensure(range.length.value() == into.size());
  const Status allowed = check(range, false);
  if (!allowed.ok() || range.empty()) co_return allowed;
  ++application_requests_;
  ++application_pending_;
  const Status status = co_await read_when_possible(range, into);
  if (--application_pending_ == 0) application_idle_.notify_all();
  co_return status;
}

Task<Status> Volume::read_when_possible(ByteRange range, Bytes into) {
  for (;;) {
    const Status status = co_await read_somewhere(range, into);
    const bool again = status.fault() == Fault::no_good_data && state_.suspended();
    if (!again) co_return status;
  }
}

Task<Status> Volume::read_somewhere(ByteRange range, Bytes into) {
  const Status ready = co_await wait_for_io();
  if (!ready.ok()) co_return ready;
  // A failed path is tried once more on the other one.
  bool local_failed = false;
  bool peer_failed = false;
  for (;;) {
    const bool current = in_sync(range) || sabotage(Sabotage::read_marked_locally);
    const bool local =
        !local_failed && local_readable(state_, current && marks_known_) && has_disk();
    const bool remote = !peer_failed && peer_readable(state_);
    if (local && remote && current && balances_to_peer(range)) {
      const Status status = co_await read_in_turn_from_peer(range, into);
      if (status.ok()) co_return status;
      peer_failed = true;
      continue;
    }
    if (local) {
      const Status status = co_await read_local(range, into);
      if (status.ok() || status.fault() == Fault::memory_held) co_return status;
      local_failed = true;
      continue;
    }
    if (!remote) co_return Status(Fault::no_good_data, "read");
    const Status status = co_await read_from_peer(range, into);
    if (status.ok()) co_return status;
    peer_failed = true;
  }
}

bool Volume::balances_to_peer(ByteRange range) noexcept {
  ReadLoad load;
  load.here = local_pending_;
  load.there = peer_pending_;
  load.turn_there = read_turn_there_;
  if (disk_options_.read_balancing == ReadBalancing::round_robin) {
    read_turn_there_ = !read_turn_there_;
  }
  return reads_there(disk_options_.read_balancing, range.begin, load);
}

// A write that one replica has and the other does not yet: whoever has seen its content must go on
// seeing it. Reads from the peer by choice therefore take turns with writes.
Task<Status> Volume::read_in_turn_from_peer(ByteRange range, Bytes into) {
  io::RangeLock::Turn turn(application_writes_, range);
  co_await turn;
  // Meanwhile a write may have failed there.
  if (!in_sync(range) || !peer_readable(state_)) co_return Status(Fault::no_good_data, "read");
  co_return co_await read_from_peer(range, into);
}

Task<Status> Volume::read_local(ByteRange range, Bytes into) {
  io::Op op;
  ++local_pending_;
  backing_->read(op, range.begin, into);
  const std::int32_t moved = co_await op;
  --local_pending_;
  if (moved >= 0) co_return Status();
  mark_out_of_sync(range);
  data_io_failed("read", moved, range);
  if (io::HeldMemory::holds(into)) co_return Status(Fault::memory_held, "read");
  co_return Status(Fault::io_error, "read", -moved);
}

Task<Status> Volume::read_from_peer(ByteRange range, Bytes into) {
  Connection* connection = resource_.connection();
  if (connection == nullptr) co_return Status(Fault::no_good_data, "read");
  ++peer_pending_;
  Status status;
  // In as many requests as the answers need packets.
  for (std::uint64_t done = 0; status.ok() && done < into.size();) {
    if (connection != resource_.connection()) {
      status = Status(Fault::connection_lost, "read from peer");
      break;
    }
    const std::uint64_t count =
        std::min<std::uint64_t>(connection->data_bytes_to_peer(*this), into.size() - done);
    const ByteRange piece(ByteOffset(range.begin.value() + done), ByteCount(count));
    const Bytes part = into.subspan(done, count);
    status = co_await connection->read_from_peer(*this, piece, part);
    done += count;
  }
  --peer_pending_;
  co_return status;
}

Task<Status> Volume::flush() {
  const Status allowed = check(ByteRange(), true);
  if (!allowed.ok()) co_return allowed;
  const Status ready = co_await wait_for_io();
  if (!ready.ok()) co_return ready;
  ++application_pending_;
  const Status status = co_await flush_until_known();
  if (--application_pending_ == 0) application_idle_.notify_all();
  co_return status;
}

// S3, G3.
Task<Status> Volume::flush_until_known() {
  for (;;) {
    const Status flushed = co_await flush_both();
    const bool again = flushed.fault() == Fault::no_good_data && state_.suspended();
    const Status thaw = co_await thawed();
    if (!thaw.ok()) co_return thaw;
    if (again) continue;
    if (!flushed.ok()) co_return flushed;
    co_return co_await generation_settled();
  }
}

Task<Status> Volume::flush_both() {
  Connection* connection = resource_.connection();
  // While the disk flushes, another connection may take its place, even in memory.
  const std::uint64_t which = resource_.connections_made();
  std::uint64_t ticket = 0;
  if (connection != nullptr) {
    connection->close_epoch();
    ticket = connection->log().ticket();
  }
  bool here = false;
  const Current decided = current();
  if (has_disk()) {
    const BackingDevice::Use use(*backing_);
    io::Op op;
    backing_->flush(op);
    const std::int32_t flushed = co_await op;
    here = flushed >= 0;
    if (here && sabotage(Sabotage::answer_flush_locally)) co_return Status();
    if (!here) local_io_failed("flush", flushed, ByteRange());
  }
  bool there = false;
  if (connection != nullptr && resource_.connection() != nullptr &&
      resource_.connections_made() == which) {
    there = co_await connection->wait_stable(ticket);
  }
  here = kept_here(here, decided);
  if (!here && !kept_there(there, decided)) co_return Status(Fault::no_good_data, "flush");
  if (state_.connection == ConnectionState::ahead) co_await peer_knows_it_is_behind();
  if (there) co_return Status();
  co_return co_await generation_on_media();
}

}  // namespace replicator
