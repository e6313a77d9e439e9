#include "tests/sim/net.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "tests/sim/connection.hpp"

namespace replicator::sim {

namespace {
constexpr std::size_t backlog_limit = 16;
constexpr std::int64_t retransmit_ns = 1'000'000'000;

bool same_place(const io::Address& listening, const io::Address& wanted) {
  if (listening.family != wanted.family) return false;
  if (listening.family == io::AddressFamily::unix_path) return listening.path == wanted.path;
  static constexpr std::array<std::uint8_t, 16> any{};
  return listening.port == wanted.port && (listening.host == wanted.host || listening.host == any);
}
}  // namespace

// Somebody listens. Survives the handle until the network goes, marked closed.
struct SimNetwork::Listening final : EventTarget, io::Backend {
  Listening(SimNetwork& n, NodeId on, io::Address where)
      : network(n), node(on), at(std::move(where)) {}
  void forget(io::Op& op) noexcept override {
    if (accepting == &op) accepting = nullptr;
  }
  void fire(std::uint64_t tag) override {  // 0: something in the backlog; 1: patience ends
    if (tag == 0) return network.serve_accept(*this);
    if (accepting != nullptr && deadline <= network.world_.now()) end_accept(-ETIMEDOUT);
  }
  void start_accept(io::Op& op, std::unique_ptr<io::Stream>& into, Duration patience) {
    ensure(accepting == nullptr);
    begin(op);
    accepting = &op;
    slot = &into;
    deadline = network.world_.now() + patience;
    if (closed) return network.world_.at(network.world_.now(), node, *this, 0);
    if (!backlog.empty()) network.world_.at(network.world_.now(), node, *this, 0);
    if (!patience.is_forever()) network.world_.at(deadline, node, *this, 1);
  }
  void end_accept(std::int32_t result) {
    io::Op* op = accepting;
    accepting = nullptr;
    finish(*op, result);
  }
  void close() noexcept {
    if (closed) return;
    closed = true;
    for (Connection* waiting : backlog)
      waiting->cut(Connection::server, CutKind::receiver_told);
    backlog.clear();
    if (accepting != nullptr) network.world_.at(network.world_.now(), node, *this, 0);
  }

  SimNetwork& network;
  NodeId node;
  io::Address at;
  std::deque<Connection*> backlog;
  io::Op* accepting = nullptr;
  std::unique_ptr<io::Stream>* slot = nullptr;
  Instant deadline;
  bool closed = false;
};

// A connection attempt, from the call to its answer.
struct SimNetwork::Attempt final : EventTarget, io::Backend {
  enum Step : std::uint64_t { arrives, answered, patience_ends, canceled };
  explicit Attempt(SimNetwork& n) : network(n) {}
  void forget(io::Op& gone) noexcept override {
    if (op == &gone) op = nullptr;
  }
  void fire(std::uint64_t tag) override {
    switch (static_cast<Step>(tag)) {
      case arrives: network.arrive_at_listener(*this); break;
      case answered: network.answer(*this); break;
      case patience_ends:
        if (op != nullptr) end(-ETIMEDOUT);
        break;
      case canceled:
        if (op != nullptr) end(-ECANCELED);
        break;
    }
  }
  void start(io::Op& starting) {
    begin(starting);
    op = &starting;
    starting.backend_pointer = this;
  }
  void end(std::int32_t result) {
    io::Op* done = op;
    op = nullptr;
    network.world_.note(static_cast<std::uint64_t>(static_cast<std::int64_t>(result)));
    if (network.world_.recording()) {
      network.world_.record(node, fmt::format("connect to {} -> {}", io::text(to), result));
    }
    finish(*done, result);
  }

  SimNetwork& network;
  io::Op* op = nullptr;
  NodeId node = outside;
  io::Address from;
  io::Address to;
  std::unique_ptr<io::Stream>* slot = nullptr;
  Connection* made = nullptr;
  std::int32_t outcome = 0;
};

class SimNetwork::ListenerHandle final : public io::Listener {
 public:
  explicit ListenerHandle(Listening& listening) noexcept : listening_(listening) {}
  ~ListenerHandle() override { listening_.close(); }
  void accept(io::Op& op, std::unique_ptr<io::Stream>& accepted, Duration patience) override {
    listening_.start_accept(op, accepted, patience);
  }
  void close() noexcept override { listening_.close(); }

 private:
  Listening& listening_;
};

class SimNetwork::Interface final : public io::Network {
 public:
  Interface(SimNetwork& network, NodeId node) noexcept : network_(network), node_(node) {}
  Result<std::unique_ptr<io::Listener>> listen(const io::Address& at,
                                               io::SocketOptions /*options*/) override {
    return network_.listen(node_, at);
  }
  void connect(io::Op& op, const io::Address& from, const io::Address& to,
               io::SocketOptions /*options*/, std::unique_ptr<io::Stream>& connected,
               Duration patience) override {
    network_.connect(op, node_, from, to, connected, patience);
  }
  void cancel(io::Op& op) noexcept override {
    if (!op.in_flight()) return;
    auto* attempt = static_cast<Attempt*>(op.backend_pointer);
    network_.world_.at(network_.world_.now(), node_, *attempt, Attempt::canceled);
  }

 private:
  SimNetwork& network_;
  NodeId node_;
};

SimNetwork::SimNetwork(World& world) : world_(world), prng_(world.stream("network")) {}
SimNetwork::~SimNetwork() = default;

void SimNetwork::add_host(NodeId node, const io::Address& address) {
  hosts_.push_back(Host{node, address});
  if (power_off_.size() <= node) power_off_.resize(node + 1, false);
}

std::unique_ptr<io::Network> SimNetwork::interface_of(NodeId node) {
  return std::make_unique<Interface>(*this, node);
}

NodeId SimNetwork::node_of(const io::Address& address) const noexcept {
  for (const Host& host : hosts_) {
    if (host.address.family == address.family && host.address.host == address.host) {
      return host.node;
    }
  }
  return outside;
}

bool SimNetwork::powered(NodeId node) const noexcept {
  return node >= power_off_.size() || !power_off_[node];
}

Duration SimNetwork::delay(NodeId from, NodeId to) {
  const PathOptions& options = path(from, to);
  return Duration::nanoseconds(static_cast<std::int64_t>(
      prng_.between(static_cast<std::uint64_t>(options.fastest.nanoseconds()),
                    static_cast<std::uint64_t>(options.slowest.nanoseconds()))));
}

// --- listening ---

SimNetwork::Listening* SimNetwork::find_listener(NodeId node, const io::Address& at) noexcept {
  for (const std::unique_ptr<Listening>& listening : listeners_) {
    if (!listening->closed && listening->node == node && same_place(listening->at, at)) {
      return listening.get();
    }
  }
  return nullptr;
}

Result<std::unique_ptr<io::Listener>> SimNetwork::listen(NodeId node, const io::Address& at) {
  static constexpr std::array<std::uint8_t, 16> any{};
  if (at.family != io::AddressFamily::unix_path && at.host != any && node_of(at) != node) {
    return failure(Fault::io_error, "bind", EADDRNOTAVAIL);
  }
  if (find_listener(node, at) != nullptr) return failure(Fault::busy, "bind", EADDRINUSE);
  listeners_.push_back(std::make_unique<Listening>(*this, node, at));
  return std::unique_ptr<io::Listener>(std::make_unique<ListenerHandle>(*listeners_.back()));
}

void SimNetwork::serve_accept(Listening& listening) {
  if (listening.accepting == nullptr) return;
  if (listening.closed) return listening.end_accept(-ECANCELED);
  if (listening.backlog.empty()) return;
  Connection* next = listening.backlog.front();
  listening.backlog.pop_front();
  *listening.slot = next->open(Connection::server);
  listening.end_accept(0);
}

// --- connecting ---

void SimNetwork::connect(io::Op& op, NodeId node, const io::Address& from, const io::Address& to,
                         std::unique_ptr<io::Stream>& connected, Duration patience) {
  attempts_.push_back(std::make_unique<Attempt>(*this));
  Attempt& attempt = *attempts_.back();
  attempt.start(op);
  attempt.node = node;
  attempt.from = from;
  attempt.from.port = next_port_++;
  attempt.to = to;
  attempt.slot = &connected;
  if (!patience.is_forever()) {
    world_.after(patience, node, attempt, Attempt::patience_ends);
  }
  const bool is_unix = to.family == io::AddressFamily::unix_path;
  const bool bad_source =
      !is_unix && from.family != io::AddressFamily::none && node_of(from) != node;
  const NodeId target = is_unix ? node : node_of(to);
  if (bad_source) {
    attempt.outcome = -EADDRNOTAVAIL;
    world_.at(world_.now(), node, attempt, Attempt::answered);
  } else if (is_unix || target != outside) {
    world_.after(delay(node, target), target, attempt, Attempt::arrives);
  }  // else nobody has that address: silence
}

// The request reaches the host it was sent to; or not, and is sent again.
void SimNetwork::arrive_at_listener(Attempt& attempt) {
  if (attempt.op == nullptr || attempt.made != nullptr) return;
  const NodeId target =
      attempt.to.family == io::AddressFamily::unix_path ? attempt.node : node_of(attempt.to);
  Listening* listening = find_listener(target, attempt.to);
  const bool unreachable = blocked(attempt.node, target) || blocked(target, attempt.node) ||
                           !powered(target) ||
                           (listening != nullptr && listening->backlog.size() >= backlog_limit);
  if (unreachable) {
    world_.after(Duration::nanoseconds(retransmit_ns), target, attempt, Attempt::arrives);
    return;
  }
  if (listening == nullptr) {
    attempt.outcome = -ECONNREFUSED;
  } else {
    attempt.made = &establish(attempt);
    listening->backlog.push_back(attempt.made);
    serve_accept(*listening);
  }
  world_.after(delay(target, attempt.node), attempt.node, attempt, Attempt::answered);
}

Connection& SimNetwork::establish(Attempt& attempt) {
  const NodeId target =
      attempt.to.family == io::AddressFamily::unix_path ? attempt.node : node_of(attempt.to);
  const auto ordinal = static_cast<std::uint32_t>(connections_.size());
  connections_.push_back(
      std::make_unique<Connection>(*this, ordinal, attempt.node, target, attempt.from, attempt.to));
  return *connections_.back();
}

void SimNetwork::answer(Attempt& attempt) {
  if (attempt.op == nullptr) {  // given up meanwhile: the other side finds out
    if (attempt.made != nullptr) attempt.made->reset(Connection::server);
    return;
  }
  if (attempt.outcome == 0) *attempt.slot = attempt.made->open(Connection::client);
  attempt.end(attempt.outcome);
}

// --- faults ---

void SimNetwork::block(NodeId from, NodeId to) noexcept { paths_[{from, to}].blocked = true; }

bool SimNetwork::blocked(NodeId from, NodeId to) noexcept { return paths_[{from, to}].blocked; }

void SimNetwork::unblock(NodeId from, NodeId to) {
  if (!blocked(from, to)) return;
  paths_[{from, to}].blocked = false;
  for (const std::unique_ptr<Connection>& connection : connections_) {
    if (connection->node(Connection::client) == from &&
        connection->node(Connection::server) == to) {
      connection->path_unblocked(Connection::client);
    }
    if (connection->node(Connection::server) == from &&
        connection->node(Connection::client) == to) {
      connection->path_unblocked(Connection::server);
    }
  }
}

void SimNetwork::heal_all() {
  std::vector<std::pair<NodeId, NodeId>> blocked_paths;
  for (const auto& [between, one] : paths_) {
    if (one.blocked) blocked_paths.push_back(between);
  }
  for (const auto& [from, to] : blocked_paths)
    unblock(from, to);
  plans_.clear();
}

void SimNetwork::reveal_dead() {
  for (const std::unique_ptr<Connection>& connection : connections_)
    connection->reveal();
}

std::uint32_t SimNetwork::live_connections(NodeId a, NodeId b) const noexcept {
  std::uint32_t count = 0;
  for (const std::unique_ptr<Connection>& connection : connections_) {
    if (connection->joins(a, b) && connection->live()) ++count;
  }
  return count;
}

void SimNetwork::cut_all(NodeId a, NodeId b, CutKind kind) {
  for (const std::unique_ptr<Connection>& connection : connections_) {
    if (connection->joins(a, b) && connection->live()) connection->cut(Connection::client, kind);
  }
}

bool SimNetwork::cut_one(NodeId a, NodeId b, std::uint64_t k, bool toward_server, CutKind kind) {
  return cut_one_after(a, b, k, toward_server, ~0ULL, kind);
}

bool SimNetwork::cut_one_after(NodeId a, NodeId b, std::uint64_t k, bool toward_server,
                               std::uint64_t bytes, CutKind kind) {
  const std::uint32_t count = live_connections(a, b);
  if (count == 0) return false;
  std::uint64_t left = k % count;
  for (const std::unique_ptr<Connection>& connection : connections_) {
    if (!connection->joins(a, b) || !connection->live() || left-- != 0) continue;
    const Connection::Side sender = toward_server ? Connection::client : Connection::server;
    if (bytes == ~0ULL) connection->cut(sender, kind);
    else connection->cut_after(sender, connection->bytes_from(sender) + bytes, kind);
    return true;
  }
  return false;
}

void SimNetwork::process_died(NodeId node) {
  for (const std::unique_ptr<Listening>& listening : listeners_) {
    if (listening->node != node) continue;
    listening->accepting = nullptr;
    listening->close();
  }
  for (const std::unique_ptr<Attempt>& attempt : attempts_) {
    if (attempt->node == node) attempt->op = nullptr;
  }
  for (const std::unique_ptr<Connection>& connection : connections_) {
    for (const Connection::Side side : {Connection::client, Connection::server}) {
      if (connection->node(side) == node) connection->process_died(side);
    }
  }
}

void SimNetwork::power_lost(NodeId node) {
  for (const std::unique_ptr<Listening>& listening : listeners_) {
    if (listening->node == node) listening->backlog.clear();
  }
  for (const std::unique_ptr<Connection>& connection : connections_) {
    for (const Connection::Side side : {Connection::client, Connection::server}) {
      if (connection->node(side) == node) connection->power_lost(side);
    }
  }
  process_died(node);
  power_off_[node] = true;
}

void SimNetwork::power_back(NodeId node) noexcept {
  if (!power_off_[node]) return;
  power_off_[node] = false;
  for (const std::unique_ptr<Connection>& connection : connections_) {
    for (const Connection::Side side : {Connection::client, Connection::server}) {
      if (connection->node(side) == node) connection->power_back(side);
    }
  }
}

std::uint64_t SimNetwork::bytes_of(std::uint32_t connection, bool toward_server) const noexcept {
  if (connection >= connections_.size()) return 0;
  return connections_[connection]->bytes_from(toward_server ? Connection::client
                                                            : Connection::server);
}

}  // namespace replicator::sim
