#include "tests/sim/node.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace replicator::sim {

// --- clock ---

SimClock::SimClock(World& world, NodeId node)
    : world_(world), node_(node), prng_(world.stream("clock " + world.node_name(node))) {
  boot_ = Instant(static_cast<std::int64_t>(prng_.below(1'000'000'000'000ULL)));
}

Instant SimClock::now() const noexcept {
  const std::int64_t elapsed = world_.now().nanoseconds();
  return Instant(boot_.nanoseconds() + elapsed + elapsed / 1'000'000 * drift_ppm_);
}

// The machines of a cluster agree about the calendar better than about anything else.
WallTime SimClock::wall_time() const noexcept {
  return WallTime(1'700'000'000'000 +
                  static_cast<std::uint64_t>(world_.now().nanoseconds()) / 1'000'000);
}

void SimClock::sleep_until(io::Op& op, Instant when) {
  begin(op);
  std::uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(sleeps_.size());
    sleeps_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  Sleep& sleep = sleeps_[slot];
  sleep.op = &op;
  sleep.woken = false;
  ++sleep.generation;
  op.backend_data = slot | (static_cast<std::uint64_t>(sleep.generation) << 32U);
  if (when == Instant::never()) return;
  const std::int64_t wanted = std::max<std::int64_t>((when - now()).nanoseconds(), 0);
  const std::int64_t real = wanted - wanted / 1'000'000 * drift_ppm_;
  const auto late = static_cast<std::int64_t>(
      prng_.below(static_cast<std::uint64_t>(lateness_.nanoseconds()) + 1));
  world_.after(Duration::nanoseconds(std::max<std::int64_t>(real, 0) + late), node_, *this,
               op.backend_data);
}

void SimClock::wake(io::Op& op) noexcept {
  if (!op.in_flight()) return;
  Sleep& sleep = sleeps_[op.backend_data & 0xffffffffU];
  if (sleep.op != &op || sleep.woken) return;
  sleep.woken = true;
  world_.at(world_.now(), node_, *this, op.backend_data);
}

void SimClock::fire(std::uint64_t tag) {
  Sleep& sleep = sleeps_[tag & 0xffffffffU];
  if (sleep.op == nullptr || sleep.generation != tag >> 32U) return;
  io::Op& op = *sleep.op;
  sleep.op = nullptr;
  free_.push_back(static_cast<std::uint32_t>(tag & 0xffffffffU));
  finish(op, sleep.woken ? -ECANCELED : 0);
}

void SimClock::forget(io::Op& op) noexcept {
  Sleep& sleep = sleeps_[op.backend_data & 0xffffffffU];
  if (sleep.op != &op) return;
  sleep.op = nullptr;
  free_.push_back(static_cast<std::uint32_t>(op.backend_data & 0xffffffffU));
}

void SimEntropy::fill(Bytes random) {
  for (std::byte& byte : random)
    byte = static_cast<std::byte>(prng_.next() & 0xffU);
}

// --- node ---

Node::Node(World& world, SimNetwork& network, std::string node_name, std::uint8_t host)
    : world_(world),
      network_(network),
      id_(world.add_node(std::move(node_name))),
      host_(host),
      storage_(*this),
      process_storage_(storage_),
      interface_(network.interface_of(id_)),
      clock_(world, id_),
      entropy_(world.stream("entropy " + world.node_name(id_))),
      helper_(world, id_),
      io_{process_storage_, *interface_, clock_, entropy_, helper_} {
  network.add_host(id_, address(0));
}

Node::~Node() {
  if (program_) kill();
}

io::Address Node::address(std::uint16_t port) const {
  io::Address result;
  result.family = io::AddressFamily::ipv4;
  result.host[0] = 10;
  result.host[3] = host_;
  result.port = port;
  return result;
}

SimDisk& Node::add_disk(std::string path, ByteCount size, DiskModel options) {
  disks_.push_back(std::make_unique<SimDisk>(world_, id_, std::move(path), size, options));
  return *disks_.back();
}

Result<std::unique_ptr<io::Disk>> Node::NodeStorage::open(std::string_view path,
                                                          io::DiskAccess access) {
  for (const std::unique_ptr<SimDisk>& disk : node_.disks_) {
    if (disk->path() == path) return disk->open(access);
  }
  return failure(Fault::not_found, "open", ENOENT);
}

void Node::boot(const Factory& factory) {
  ensure(program_ == nullptr);
  if (world_.recording()) world_.record(id_, "boot");
  network_.power_back(id_);
  ++boots_;
  const World::As as(world_, id_);
  program_ = factory(*this);
}

void Node::destroy_program() {
  const World::As as(world_, id_);
  program_.reset();
  process_storage_.renew();
}

void Node::stop() {
  if (world_.recording()) world_.record(id_, "stop");
  destroy_program();
  for (const std::unique_ptr<SimDisk>& disk : disks_) {
    if (disk->in_flight() != 0) {
      world_.fail(FailureKind::safety, "L4",
                  fmt::format("{} operations in flight on {} after a clean shutdown",
                              disk->in_flight(), disk->path()));
    }
  }
}

void Node::kill() {
  if (world_.recording()) world_.record(id_, "kill -9");
  for (const std::unique_ptr<SimDisk>& disk : disks_)
    disk->process_died();
  network_.process_died(id_);
  destroy_program();
}

void Node::power_cut(CutMode mode) {
  if (world_.recording()) world_.record(id_, "power cut");
  for (const std::unique_ptr<SimDisk>& disk : disks_)
    disk->power_cut(mode);
  network_.power_lost(id_);
  destroy_program();
}

}  // namespace replicator::sim
