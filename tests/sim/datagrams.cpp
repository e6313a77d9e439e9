#include "tests/sim/datagrams.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace replicator::sim {

class SimDatagrams::Socket final : public io::DatagramSocket, io::Backend {
 public:
  Socket(SimDatagrams& net, NodeId node, std::string interface)
      : net_(net), node_(node), interface_(std::move(interface)) {
    net_.sockets_.push_back(this);
  }
  ~Socket() override { std::erase(net_.sockets_, this); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void receive(io::Op& op, Bytes into) override {
    begin(op);
    op_ = &op;
    into_ = into;
    deliver();
  }
  int send(ConstBytes datagram) noexcept override {
    net_.send(node_, interface_, datagram);
    return 0;
  }
  void close() noexcept override {
    closed_ = true;
    deliver();
  }
  void arrive(std::vector<std::byte> bytes) {
    // As much as a socket's buffer holds.
    if (queue_.size() < 200) queue_.push_back(std::move(bytes));
    deliver();
  }
  [[nodiscard]] bool at(NodeId node, const std::string& interface) const {
    return node == node_ && interface == interface_;
  }
  [[nodiscard]] bool attached(const std::string& interface) const {
    return interface == interface_;
  }
  [[nodiscard]] NodeId node() const noexcept { return node_; }

 private:
  void forget(io::Op& /*op*/) noexcept override { op_ = nullptr; }
  void deliver() {
    if (op_ == nullptr || (queue_.empty() && !closed_)) return;
    io::Op& op = *std::exchange(op_, nullptr);
    if (closed_) return finish(op, -ECANCELED);
    const std::vector<std::byte> bytes = std::move(queue_.front());
    queue_.pop_front();
    const std::size_t size = std::min(bytes.size(), into_.size());
    copy_bytes(into_, ConstBytes(bytes).first(size));
    finish(op, static_cast<std::int32_t>(size));
  }

  SimDatagrams& net_;
  NodeId node_;
  std::string interface_;
  io::Op* op_ = nullptr;
  Bytes into_;
  std::deque<std::vector<std::byte>> queue_;
  bool closed_ = false;
};

class SimDatagrams::Interface final : public io::DatagramNetwork {
 public:
  Interface(SimDatagrams& net, NodeId node) : net_(net), node_(node) {}
  Result<std::unique_ptr<io::DatagramSocket>> open(const io::DatagramPath& path) override {
    return std::unique_ptr<io::DatagramSocket>(
        std::make_unique<Socket>(net_, node_, path.interface));
  }

 private:
  SimDatagrams& net_;
  NodeId node_;
};

SimDatagrams::SimDatagrams(World& world) : world_(world), prng_(world.stream("datagrams")) {}

std::unique_ptr<io::DatagramNetwork> SimDatagrams::interface_of(NodeId node) {
  return std::make_unique<Interface>(*this, node);
}

void SimDatagrams::send(NodeId from, const std::string& interface, ConstBytes bytes) {
  std::set<NodeId> others;
  for (const Socket* socket : sockets_) {
    if (socket->attached(interface) && socket->node() != from) others.insert(socket->node());
  }
  for (const NodeId to : others) {
    if (cuts_.contains({interface, from, to}) || prng_.chance(faults_.loss_percent)) continue;
    Flight flight{interface, to, std::vector<std::byte>(bytes.begin(), bytes.end())};
    if (prng_.chance(faults_.repeat_percent)) launch(flight);
    launch(flight);
  }
}

void SimDatagrams::launch(const Flight& flight) {
  const auto fastest = static_cast<std::uint64_t>(faults_.fastest.nanoseconds());
  const auto slowest = static_cast<std::uint64_t>(faults_.slowest.nanoseconds());
  const auto delay = static_cast<std::int64_t>(prng_.between(fastest, slowest));
  flights_.emplace(++next_flight_, flight);
  world_.after(Duration::nanoseconds(delay), flight.to, *this, next_flight_);
}

void SimDatagrams::fire(std::uint64_t tag) {
  const auto found = flights_.find(tag);
  Flight flight = std::move(found->second);
  flights_.erase(found);
  world_.note(flight.bytes.size());
  for (Socket* socket : sockets_) {
    if (!socket->at(flight.to, flight.interface)) continue;
    socket->arrive(std::move(flight.bytes));
    return;
  }
}

}  // namespace replicator::sim
