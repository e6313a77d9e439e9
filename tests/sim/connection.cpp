#include "tests/sim/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace replicator::sim {

namespace {
constexpr std::int64_t process_delay_ns = 20'000;  // between "could go on" and "is told"
}

// The engine's hold on one side. The connection outlives it.
class SimStream final : public io::Stream {
 public:
  SimStream(Connection& connection, Connection::Side side) noexcept
      : connection_(connection), side_(side) {}
  ~SimStream() override { connection_.close(side_); }
  using io::Stream::receive;
  using io::Stream::send;
  void receive(io::Op& op, Bytes into, Duration patience) override {
    connection_.receive(side_, op, into, patience);
  }
  void send(io::Op& op, std::span<const io::IoSlice> slices, Duration patience) override {
    connection_.send(side_, op, slices, patience);
  }
  void shutdown() noexcept override { connection_.shutdown(side_); }
  [[nodiscard]] bool alive() noexcept override { return connection_.alive(side_); }
  [[nodiscard]] io::Address local() const noexcept override {
    return connection_.ends_[side_].local;
  }
  [[nodiscard]] io::Address peer() const noexcept override { return connection_.ends_[side_].peer; }
  [[nodiscard]] std::uint32_t peer_user() const noexcept override {
    return local().family == io::AddressFamily::unix_path ? 0 : ~0U;
  }

 private:
  Connection& connection_;
  Connection::Side side_;
};

Connection::Connection(SimNetwork& network, std::uint32_t ordinal, NodeId client_node,
                       NodeId server_node, io::Address client_address, io::Address server_address)
    : network_(network),
      ordinal_(ordinal),
      prng_(network.world_.stream(fmt::format("connection {}", ordinal))) {
  End& from = ends_[client];
  End& to = ends_[server];
  from.node = client_node;
  to.node = server_node;
  from.local = client_address;
  from.peer = server_address;
  to.local = std::move(server_address);
  to.peer = std::move(client_address);
  from.open = to.open = true;
  for (const CutPlan& plan : network_.plans_) {
    if (plan.connection != ordinal_) continue;
    cut_after(plan.toward_server ? client : server, plan.after_bytes, plan.kind);
  }
}

World& Connection::world() const noexcept { return network_.world_; }

std::unique_ptr<io::Stream> Connection::open(Side side) {
  return std::make_unique<SimStream>(*this, side);
}

bool Connection::joins(NodeId a, NodeId b) const noexcept {
  return (ends_[client].node == a && ends_[server].node == b) ||
         (ends_[client].node == b && ends_[server].node == a);
}

bool Connection::live() const noexcept {
  for (const End& end : ends_) {
    if (!end.open || end.shut || end.vanished || end.error != 0) return false;
  }
  return true;
}

void Connection::schedule(Kind kind, Side side, Duration delay) {
  world().after(delay, ends_[side].node, *this,
                static_cast<std::uint64_t>(kind) * 2 + static_cast<std::uint64_t>(side));
}

void Connection::fire(std::uint64_t tag) {
  const Side side = (tag & 1U) != 0 ? server : client;
  switch (static_cast<Kind>(tag / 2)) {
    case arrival: deliver(other(side)); break;
    case pump: try_send(side); break;
    case wake_receiver: try_receive(side); break;
    case timeout: check_timers(side); break;
    case told: reset(side); break;
  }
}

void Connection::forget(io::Op& op) noexcept {
  for (End& end : ends_) {
    if (end.receiving == &op) end.receiving = nullptr;
    if (end.sending == &op) end.sending = nullptr;
  }
}

std::size_t Connection::capacity(Side sender) noexcept {
  return network_.path(ends_[sender].node, ends_[other(sender)].node).buffer_bytes;
}

// --- receiving ---

void Connection::receive(Side side, io::Op& op, Bytes into, Duration patience) {
  End& end = ends_[side];
  ensure(end.receiving == nullptr && !into.empty());
  begin(op);
  end.receiving = &op;
  end.into = into;
  end.receive_deadline = world().now() + patience;
  const Pipe& in = pipes_[other(side)];
  if (in.arrived > 0 || in.ended || end.error != 0 || end.shut) {
    schedule(wake_receiver, side, Duration::nanoseconds(process_delay_ns));
  } else if (!patience.is_forever()) {
    arm_timer(side, end.receive_deadline);
  }
}

void Connection::finish_receive(Side side, std::int32_t result) {
  io::Op* op = ends_[side].receiving;
  ends_[side].receiving = nullptr;
  world().note(static_cast<std::uint64_t>(static_cast<std::int64_t>(result)) ^ ordinal_);
  finish(*op, result);
}

void Connection::try_receive(Side side) {
  End& end = ends_[side];
  if (end.receiving == nullptr) return;
  Pipe& in = pipes_[other(side)];
  if (end.shut) return finish_receive(side, 0);
  if (in.arrived > 0) {
    std::size_t limit = std::min(in.arrived, end.into.size());
    const PathOptions& path = network_.path(ends_[other(side)].node, end.node);
    if (path.choppiness != 0 && limit > 1 && prng_.chance(10)) limit = 1 + prng_.below(limit);
    return finish_receive(side, static_cast<std::int32_t>(take_in(side, limit)));
  }
  if (end.error != 0) return finish_receive(side, -end.error);
  if (in.ended) return finish_receive(side, 0);
  if (end.receive_deadline != Instant::never()) arm_timer(side, end.receive_deadline);
}

std::size_t Connection::take_in(Side side, std::size_t limit) {
  End& end = ends_[side];
  Pipe& in = pipes_[other(side)];
  const std::size_t first = std::min(limit, in.ring.size() - in.head);
  std::memcpy(end.into.data(), in.ring.data() + in.head, first);
  if (limit > first) std::memcpy(end.into.data() + first, in.ring.data(), limit - first);
  in.head = (in.head + limit) % in.ring.size();
  in.arrived -= limit;
  in.total -= limit;
  in.unacknowledged += limit;
  // The news that there is room travels back.
  const Side sender = other(side);
  if (!network_.blocked(end.node, ends_[sender].node)) {
    in.unacknowledged = 0;
    if (ends_[sender].sending != nullptr) {
      schedule(pump, sender, network_.delay(end.node, ends_[sender].node));
    }
  }
  return limit;
}

// --- sending ---

void Connection::send(Side side, io::Op& op, std::span<const io::IoSlice> slices,
                      Duration patience) {
  End& end = ends_[side];
  ensure(end.sending == nullptr);
  begin(op);
  end.sending = &op;
  end.slices.assign(slices.begin(), slices.end());
  end.slice = 0;
  end.offset = 0;
  end.moved = 0;
  end.send_deadline = world().now() + patience;
  schedule(pump, side, Duration::nanoseconds(process_delay_ns));
}

void Connection::finish_send(Side side, std::int32_t result) {
  io::Op* op = ends_[side].sending;
  ends_[side].sending = nullptr;
  world().note(static_cast<std::uint64_t>(static_cast<std::int64_t>(result)) ^ ordinal_);
  finish(*op, result);
}

void Connection::try_send(Side side) {
  End& end = ends_[side];
  if (end.sending == nullptr) return;
  if (end.shut) return finish_send(side, -EPIPE);
  if (end.error != 0) return finish_send(side, -end.error);
  Pipe& out = pipes_[side];
  const std::size_t size = capacity(side);
  if (out.ring.size() < size) {  // first use, or the path's buffers grew; only while empty
    if (out.total == 0) {
      out.ring.resize(size);
      out.head = 0;
    }
  }
  const std::size_t limit = std::min(size, out.ring.size());
  std::size_t added = 0;
  while (end.slice < end.slices.size()) {
    const io::IoSlice& slice = end.slices[end.slice];
    if (end.offset == slice.size) {
      ++end.slice;
      end.offset = 0;
      continue;
    }
    const std::size_t used = out.total + out.unacknowledged;
    if (used >= limit) break;
    const std::size_t tail = (out.head + out.total) % out.ring.size();
    const std::size_t part =
        std::min({slice.size - end.offset, limit - used, out.ring.size() - tail});
    std::memcpy(out.ring.data() + tail, slice.data + end.offset, part);
    out.total += part;
    end.offset += part;
    added += part;
  }
  end.moved += added;
  if (added > 0) put_on_wire(side, added);
  if (end.sending == nullptr) return;  // a planned cut told us
  if (end.slice == end.slices.size()) {
    finish_send(side, static_cast<std::int32_t>(end.moved));
  } else if (end.send_deadline != Instant::never()) {
    arm_timer(side, end.send_deadline);
  }
}

void Connection::put_on_wire(Side side, std::size_t bytes) {
  Pipe& out = pipes_[side];
  const NodeId from = ends_[side].node;
  const NodeId to = ends_[other(side)].node;
  const PathOptions& path = network_.path(from, to);
  const bool cut_here = out.sent + bytes > out.cut_at;
  const std::size_t before = cut_here ? static_cast<std::size_t>(out.cut_at - out.sent) : bytes;
  out.sent += bytes;
  network_.bytes_carried_ += bytes;
  if (out.mute) return;
  std::size_t left = before;
  std::uint32_t pieces = path.choppiness == 0   ? 1
                         : path.choppiness == 1 ? 1 + static_cast<std::uint32_t>(prng_.below(4))
                                                : 1 + static_cast<std::uint32_t>(prng_.below(20));
  while (left > 0) {
    std::size_t piece = left;
    if (pieces > 1 && left > 1) {
      piece = path.choppiness == 2 && prng_.chance(50) ? 1 : 1 + prng_.below(left);
      --pieces;
    }
    std::int64_t arrives = (world().now() + network_.delay(from, to)).nanoseconds();
    arrives = std::max(arrives, out.last_arrival);
    if (path.bytes_per_second != 0) {
      arrives += static_cast<std::int64_t>(piece * 1'000'000'000ULL / path.bytes_per_second);
    }
    out.last_arrival = arrives;
    out.wire.push_back(Segment{arrives, static_cast<std::uint32_t>(piece)});
    left -= piece;
  }
  schedule_arrival(side);
  if (cut_here) {
    out.cut_at = ~0ULL;
    cut(side, out.cut_kind);
  }
}

void Connection::schedule_arrival(Side sender) {
  Pipe& out = pipes_[sender];
  if (out.arrival_scheduled || out.silent) return;
  if (out.wire.empty() && (!out.ending || out.ended || out.mute)) return;
  if (network_.blocked(ends_[sender].node, ends_[other(sender)].node)) return;
  const std::int64_t when = out.wire.empty() ? out.last_arrival : out.wire.front().arrives;
  out.arrival_scheduled = true;
  world().at(Instant(when), ends_[other(sender)].node, *this,
             static_cast<std::uint64_t>(arrival) * 2 + static_cast<std::uint64_t>(other(sender)));
}

void Connection::deliver(Side sender) {
  Pipe& out = pipes_[sender];
  End& receiver = ends_[other(sender)];
  out.arrival_scheduled = false;
  if (out.silent || network_.blocked(ends_[sender].node, receiver.node)) return;
  if (!receiver.open || receiver.vanished) {
    out.wire.clear();
    // Nobody is there. A machine that is up says so; one without power does not.
    if (network_.powered(receiver.node) && ends_[sender].open) {
      schedule(told, sender, network_.delay(receiver.node, ends_[sender].node));
    }
    return;
  }
  while (!out.wire.empty() && out.wire.front().arrives <= world().now().nanoseconds()) {
    out.arrived += out.wire.front().bytes;
    out.wire.pop_front();
  }
  if (out.wire.empty() && out.ending && !out.mute) out.ended = true;
  schedule_arrival(sender);
  try_receive(other(sender));
}

// --- ends ---

void Connection::end_stream(Side sender) noexcept {
  Pipe& out = pipes_[sender];
  if (out.ending) return;
  out.ending = true;
  out.last_arrival =
      std::max(out.last_arrival,
               (world().now() + network_.delay(ends_[sender].node, ends_[other(sender)].node))
                   .nanoseconds());
  schedule_arrival(sender);
}

void Connection::shutdown(Side side) noexcept {
  End& end = ends_[side];
  if (end.shut) return;
  end.shut = true;
  end_stream(side);
  if (end.receiving != nullptr) {
    schedule(wake_receiver, side, Duration::nanoseconds(process_delay_ns));
  }
  if (end.sending != nullptr) schedule(pump, side, Duration::nanoseconds(process_delay_ns));
}

void Connection::close(Side side) noexcept {
  End& end = ends_[side];
  if (!end.open) return;
  end.open = false;
  ensure(end.receiving == nullptr && end.sending == nullptr);
  const bool unread = pipes_[other(side)].arrived > 0;
  if (end.vanished || end.error != 0) {
    // nobody is told
  } else if (unread && !end.shut) {
    if (!pipes_[side].mute && !network_.blocked(end.node, ends_[other(side)].node)) {
      pipes_[side].mute = true;
      schedule(told, other(side), network_.delay(end.node, ends_[other(side)].node));
    }
  } else {
    end_stream(side);
  }
  release_rings();
}

void Connection::release_rings() noexcept {
  if (ends_[client].open || ends_[server].open) return;
  for (Pipe& pipe : pipes_) {
    pipe.silent = true;
    pipe.ring = {};
    pipe.wire.clear();
    pipe.total = pipe.arrived = 0;
  }
}

bool Connection::alive(Side side) const noexcept {
  const End& end = ends_[side];
  if (end.shut || end.error != 0) return false;
  const Pipe& in = pipes_[other(side)];
  return in.arrived > 0 || !in.ended;
}

void Connection::reset(Side side) {
  End& end = ends_[side];
  if (!end.open || end.vanished || end.error != 0) return;
  end.error = ECONNRESET;
  pipes_[side].mute = true;
  pipes_[other(side)].silent = true;
  if (prng_.chance(50)) {  // what had arrived can be read, or is thrown away
    Pipe& in = pipes_[other(side)];
    if (!in.ring.empty()) in.head = (in.head + in.arrived) % in.ring.size();
    in.total -= in.arrived;
    in.arrived = 0;
  }
  try_receive(side);
  if (end.sending != nullptr) finish_send(side, -ECONNRESET);
}

void Connection::cut(Side sender, CutKind kind) {
  if (world().recording()) {
    world().record(ends_[sender].node,
                   fmt::format("cut connection {} from {} after {} bytes, kind {}", ordinal_,
                               sender == client ? "client" : "server", pipes_[sender].sent,
                               static_cast<int>(kind)));
  }
  // What was on the way before the cut still arrives, so that a test can cut behind an exact byte.
  const Side receiver = other(sender);
  pipes_[sender].mute = true;
  if (kind == CutKind::one_direction) return;
  pipes_[receiver].silent = true;
  if (kind == CutKind::reset || kind == CutKind::sender_told) {
    schedule(told, sender, network_.delay(ends_[receiver].node, ends_[sender].node));
  }
  if (kind == CutKind::reset || kind == CutKind::receiver_told) {
    const Instant last(pipes_[sender].last_arrival);
    const Instant soonest =
        world().now() + network_.delay(ends_[sender].node, ends_[receiver].node);
    schedule(told, receiver, std::max(last, soonest) - world().now());
  }
}

void Connection::reveal() {
  const bool dead =
      pipes_[client].mute || pipes_[client].silent || pipes_[server].mute || pipes_[server].silent;
  if (!dead) return;
  for (const Side side : {client, server}) {
    if (!ends_[side].open || ends_[side].error != 0) continue;
    schedule(told, side,
             Duration::nanoseconds(static_cast<std::int64_t>(prng_.below(1'000'000'000))));
  }
}

void Connection::cut_after(Side sender, std::uint64_t byte, CutKind kind) noexcept {
  pipes_[sender].cut_at = byte;
  pipes_[sender].cut_kind = kind;
}

void Connection::path_unblocked(Side sender) {
  // Retransmission takes its time to notice.
  Pipe& out = pipes_[sender];
  const auto backoff = static_cast<std::int64_t>(prng_.below(1'000'000'000));
  for (Segment& segment : out.wire) {
    segment.arrives = std::max(segment.arrives, world().now().nanoseconds() + backoff);
  }
  out.last_arrival = std::max(out.last_arrival, world().now().nanoseconds() + backoff);
  schedule_arrival(sender);
  // Acknowledgements of the other direction get through again.
  Pipe& back = pipes_[other(sender)];
  back.unacknowledged = 0;
  if (ends_[other(sender)].sending != nullptr) {
    schedule(pump, other(sender), Duration::nanoseconds(backoff));
  }
}

void Connection::process_died(Side side) {
  // The kernel closes the descriptor; operations of the process are gone with it.
  End& end = ends_[side];
  end.receiving = nullptr;
  end.sending = nullptr;
  close(side);
}

void Connection::power_lost(Side side) noexcept {
  End& end = ends_[side];
  end.receiving = nullptr;
  end.sending = nullptr;
  end.vanished = true;
  end.open = false;
  pipes_[side].silent = true;
  release_rings();
}

void Connection::power_back(Side side) noexcept {
  const Side sender = other(side);
  if (!ends_[side].vanished || !ends_[sender].open || pipes_[sender].total == 0) return;
  if (pipes_[sender].mute || pipes_[sender].silent) return;
  schedule(told, sender,
           Duration::nanoseconds(static_cast<std::int64_t>(prng_.below(2'000'000'000))));
}

// --- patience ---

void Connection::arm_timer(Side side, Instant deadline) {
  End& end = ends_[side];
  if (end.timer <= deadline && end.timer > world().now()) return;
  end.timer = deadline;
  world().at(deadline, end.node, *this,
             static_cast<std::uint64_t>(timeout) * 2 + static_cast<std::uint64_t>(side));
}

void Connection::check_timers(Side side) {
  End& end = ends_[side];
  if (end.timer <= world().now()) end.timer = Instant::never();
  if (end.receiving != nullptr && end.receive_deadline != Instant::never()) {
    if (end.receive_deadline <= world().now()) finish_receive(side, -ETIMEDOUT);
    else arm_timer(side, end.receive_deadline);
  }
  if (end.sending != nullptr && end.send_deadline != Instant::never()) {
    if (end.send_deadline <= world().now()) finish_send(side, -ETIMEDOUT);
    else arm_timer(side, end.send_deadline);
  }
}

}  // namespace replicator::sim
