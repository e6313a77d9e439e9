// Writes of the peer that meet writes of our own application.
//   E1, E4  where both write at once, both nodes end with what the deciding node wrote, or with the
//           other write sent again behind it
//   E5      a write that lost is in no epoch
// Normative: docs/protocol.md#two-primaries.
#include <array>

#include "base/log.hpp"
#include "engine/decide/write_conflict.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"

namespace replicator {

namespace {

// Other nodes acknowledge an epoch sooner.
constexpr Duration conflict_patience = Duration::milliseconds(100);

}  // namespace

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
      const std::uint64_t winner = undecided->sent->block_id;
      decide_conflict(volume, undecided->range(), header, range);
      PeerEpochs::withdraw(epoch);
      peer_write_ended(volume, epoch);
      link_tasks_.start(wait_for_loser(volume, winner, epoch));
      co_return false;
    }
    if (volume.local_write_in(range) == nullptr) co_return true;
    io::Event::Wait wait(volume.local_write_ended_);
    co_await wait;
  }
  peer_write_ended(volume, epoch);
  co_return false;
}

// A kernel counts its write in the epoch until it has written ours. Its answer to ours says so.
Task<void> Connection::wait_for_loser(Volume& volume, std::uint64_t winner,
                                      PeerEpochs::Epoch& epoch) {
  while (established_ && log_.awaits_answer(winner)) {
    io::Event::Wait wait(volume.local_write_ended_);
    co_await wait;
  }
  PeerEpochs::decided(epoch);
  if (established_) acknowledge_epochs();
}

// A kernel that decided against one of our writes never acknowledges the epoch that it was in. What
// it answers behind the barrier shows that the rest of it is stable, so that is asked for: a read.
Task<void> Connection::prove_epochs() {
  while (established_) {
    const std::uint64_t epoch = log_.unacknowledgeable();
    io::Op op;
    resource_.world().clock.sleep(op, conflict_patience);
    co_await op;
    if (!established_ || epoch == 0 || log_.unacknowledgeable() != epoch || proving_) continue;
    life_.start(prove_epoch(epoch));
  }
}

// Not one of the link's tasks, which end before reads are given up.
Task<void> Connection::prove_epoch(std::uint64_t epoch) {
  const MirroredWrite* const one = log_.one_of(epoch);
  if (one == nullptr || one->volume->state_.peer_disk != DiskState::up_to_date) co_return;
  proving_ = true;
  const std::uint64_t generation = log_.generation();
  const ByteRange range(one->range.begin, ByteCount(sector_bytes));
  std::array<std::byte, sector_bytes> nobody_looks;
  const Bytes into(nobody_looks);
  const Status status = co_await read_from_peer(*one->volume, range, into);
  proving_ = false;
  const bool answered = status.ok() || status.fault() == Fault::io_error;
  if (answered && established_ && generation == log_.generation()) log_.prove(epoch);
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
