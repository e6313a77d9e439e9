// Writes of the peer that meet writes of our own application.
//   E1, E4  where both write at once, both nodes end with what the deciding node wrote, or with the
//           other write sent again behind it
//   E5      a write that lost is in no epoch
// Normative: docs/protocol.md#two-primaries.
#include "base/log.hpp"
#include "engine/decide/write_conflict.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"

namespace replicator {

// The acks that the peer sent before this write are taken note of first: only then is it known
// which of our writes it had seen.
Task<Status> Connection::wait_for_sequence(Volume& volume, std::uint32_t sequence) {
  if (!options_.allow_two_primaries || !resolve_conflicts()) co_return Status();
  io::Clock& clock = resource_.world().clock;
  const Instant until = clock.now() + Duration::tenths(options_.ping_timeout_tenths);
  while (!sequence_reached(sequence - 1, volume.peer_.highest_sequence)) {
    if (link_->failed()) co_return Status(Fault::connection_lost, "link");
    if (clock.now() >= until) {
      co_return Status(Fault::connection_lost, "ASSERT FAILED waited for a packet sequence number");
    }
    io::Op op;
    clock.sleep(op, Duration::milliseconds(1));
    co_await op;
  }
  note_sequence(volume, sequence);
  co_return Status();
}

void Connection::note_sequence(Volume& volume, std::uint32_t sequence) noexcept {
  if (sequence_reached(sequence, volume.peer_.highest_sequence)) return;
  volume.peer_.highest_sequence = sequence;
}

const Volume::LocalWrite* Volume::local_write_in(ByteRange range) noexcept {
  for (LocalWrite* one = local_writes_.first(); one != nullptr; one = local_writes_.next(*one)) {
    if (one->range().overlaps(range)) return one;
  }
  return nullptr;
}

const Volume::LocalWrite* Volume::undecided_write_in(ByteRange range) noexcept {
  for (LocalWrite* one = local_writes_.first(); one != nullptr; one = local_writes_.next(*one)) {
    const bool undecided = one->sent != nullptr && one->sent->answer == PeerAnswer::pending;
    if (undecided && one->range().overlaps(range)) return one;
  }
  return nullptr;
}

// The peer's write has its turn among the peer's writes. True: it may go to the disk.
Task<bool> Connection::resolve_conflict(Volume& volume, DataHeader header, ByteRange range,
                                        PeerEpochs::Epoch& epoch) {
  // Of a write that the peer has answered it knew when it sent this one, which then comes behind;
  // without the flag it is the peer that decides about ours, which it has seen or is about to see.
  // A link that is being left decides nothing any more: its end waits for this one, and what our
  // own write waits for comes after that (L4).
  while (established_) {
    const Volume::LocalWrite* const undecided = volume.undecided_write_in(range);
    if (undecided != nullptr && resolve_conflicts()) {
      decide_conflict(volume, undecided->range(), header, range);
      PeerEpochs::withdraw(epoch);
      peer_write_ended(volume, epoch);
      co_return false;
    }
    if (volume.local_write_in(range) == nullptr) co_return true;
    io::Event::Wait wait(volume.local_write_ended_);
    co_await wait;
  }
  peer_write_ended(volume, epoch);
  co_return false;
}

void Connection::decide_conflict(Volume& volume, ByteRange mine, const DataHeader& header,
                                 ByteRange theirs) {
  const bool again = judge_conflict(mine, theirs, link_->agreed_version) == ConflictVerdict::retry;
  if (!(mine == theirs)) {
    log::warning(
        "{}/{} Concurrent writes detected: local={}s +{}, remote={}s +{}, assuming {} came first",
        resource_.name(), volume.number(), to_sector(mine.begin).value(), mine.length.value(),
        header.sector.value(), theirs.length.value(), again ? "remote" : "local");
  }
  send_block_ack(volume, again ? Packet::retry_write : Packet::superseded, header.sector,
                 static_cast<std::uint32_t>(theirs.length.value()), header.block_id);
}

}  // namespace replicator
