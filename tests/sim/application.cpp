#include "tests/sim/application.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "io/held_memory.hpp"

namespace replicator::sim {

namespace {
constexpr std::uint64_t hot_sectors = 128;
constexpr std::uint64_t large_sectors = (1U << 20U) / sector_bytes;
}  // namespace

Application::Lease::Lease(Application& application, std::size_t size)
    : application_(application), size_(size) {
  take();
}

void Application::Lease::take() {
  for (std::unique_ptr<Buffer>& held : application_.held_) {
    if (io::HeldMemory::holds(held->bytes)) continue;
    application_.spare_.push_back(std::move(held));
  }
  std::erase(application_.held_, nullptr);
  if (application_.spare_.empty()) {
    buffer_ = std::unique_ptr<Buffer>(new Buffer);
    return;
  }
  buffer_ = std::move(application_.spare_.back());
  application_.spare_.pop_back();
}

void Application::Lease::give() {
  const bool held = io::HeldMemory::holds(buffer_->bytes);
  (held ? application_.held_ : application_.spare_).push_back(std::move(buffer_));
}

Application::Lease::~Lease() { give(); }

Application::Application(World& world, Oracle& oracle, ByteCount device_size, Workload workload,
                         std::string_view name)
    : world_(world),
      oracle_(oracle),
      sectors_(device_size.value() / sector_bytes),
      writable_sectors_(sectors_),
      workload_(workload),
      prng_(world.stream(name)) {
  for (std::uint32_t i = 0; i < workload_.hot_spots; ++i) {
    hot_.push_back(prng_.below(sectors_ > hot_sectors ? sectors_ - hot_sectors : 1));
  }
}

void Application::run(io::Gate& gate, NodeId node, io::Clock& clock, io::BlockDevice& device,
                      std::uint64_t operations) {
  stopping_ = false;
  budget_ = operations;
  running_ = workload_.clients;
  for (std::uint32_t i = 0; i < workload_.clients; ++i) {
    gate.start(client(node, clock, device, i));
  }
}

void Application::node_died(NodeId node) {
  oracle_.node_died(node, world_.now());
  running_ = 0;
  in_flight_ = 0;
}

void Application::may_write_up_to(ByteCount size) noexcept {
  writable_sectors_ = std::max(writable_sectors_, size.value() / sector_bytes);
}

ByteRange Application::draw_range(std::uint64_t sectors) {
  std::uint64_t length = 1 + prng_.below(workload_.largest_sectors);
  if (prng_.chance(30)) length = sectors_per_block;
  if (prng_.chance(2)) length = 1 + prng_.below(large_sectors);
  std::uint64_t first = 0;
  if (!hot_.empty() && prng_.chance(workload_.hot_percent)) {
    first = hot_[prng_.below(hot_.size())] + prng_.below(hot_sectors);
  } else {
    first = prng_.below(sectors);
  }
  if (prng_.chance(50)) first = round_down(first, sectors_per_block);
  first = std::min(first, sectors - 1);
  length = std::min(length, sectors - first);
  return {ByteOffset(first * sector_bytes), ByteCount(length * sector_bytes)};
}

void Application::note_error(const char* what, const Status& status) {
  ++errors_;
  if (world_.recording()) {
    world_.record(fmt::format("application: {} failed: {}", what, text(status.fault())));
  }
}

Task<void> Application::client(NodeId node, io::Clock& clock, io::BlockDevice& device,
                               std::uint32_t /*index*/) {
  while (!stopping_ && budget_ > 0) {
    --budget_;
    if (!prng_.chance(workload_.burst_percent)) {
      io::Op pause;
      const auto longest = static_cast<std::uint64_t>(workload_.longest_pause.nanoseconds());
      clock.sleep(pause,
                  Duration::nanoseconds(static_cast<std::int64_t>(prng_.below(longest + 1))));
      co_await pause;
    }
    std::uint64_t dice = prng_.below(100);
    const ByteRange range =
        draw_range(dice < workload_.read_percent ? sectors_ : writable_sectors_);
    const std::uint64_t before = errors_;
    ++in_flight_;
    if (dice < workload_.read_percent) {
      co_await one_read(node, device, range);
    } else if ((dice -= workload_.read_percent) < workload_.flush_percent) {
      co_await one_flush(node, device);
    } else if ((dice -= workload_.flush_percent) < workload_.discard_percent) {
      co_await one_clearing(node, device, range, true);
    } else if ((dice -= workload_.discard_percent) < workload_.zeroes_percent) {
      co_await one_clearing(node, device, range, false);
    } else {
      const bool stable = prng_.chance(workload_.stable_percent);
      co_await one_write(node, device, range, stable);
    }
    --in_flight_;
    ++operations_;
    if (errors_ != before) {  // do not spin on a device that refuses
      io::Op pause;
      clock.sleep(pause, Duration::milliseconds(20));
      co_await pause;
    }
  }
  --running_;
}

Task<void> Application::one_read(NodeId node, io::BlockDevice& device, ByteRange range) {
  Lease lease(*this, range.length.value());
  Bytes into = lease.bytes();
  const Instant began = world_.now();
  Status status;
  for (;;) {
    const Status done = co_await device.read(range, into);
    status = done;
    if (status.fault() != Fault::memory_held) break;
    lease.give();
    lease.take();
    into = lease.bytes();
  }
  if (!status.ok()) {
    note_error("read", status);
    co_return;
  }
  const Instant weak = observer_ != nullptr ? observer_->weak_since(node) : Oracle::strong();
  const std::string wrong = oracle_.check_read(range, into, began, world_.now(), weak);
  if (!wrong.empty()) {
    world_.fail(FailureKind::safety, "D1/E9",
                fmt::format("read of {}+{} on {}: {}", range.begin.value(), range.length.value(),
                            world_.node_name(node), wrong));
  }
}

Task<void> Application::one_write(NodeId node, io::BlockDevice& device, ByteRange range,
                                  bool stable) {
  Lease lease(*this, range.length.value());
  const Bytes data = lease.bytes();
  const Instant began = world_.now();
  const WriteId id = oracle_.begin_write(range, ChangeKind::data, node, began);
  oracle_.stamp(id, data);
  if (world_.recording()) {
    world_.record(fmt::format("application: write {} {}+{}{}", id, range.begin.value(),
                              range.length.value(), stable ? " stable" : ""));
  }
  const Status status = co_await device.write(range, data, stable);
  oracle_.end_write(id, status.ok(), stable, world_.now());
  if (world_.recording()) {
    world_.record(fmt::format("application: write {} {}", id, status.ok() ? "answered" : "failed"));
  }
  if (status.ok() && observer_ != nullptr) observer_->answered(node, range, began, data);
  if (!status.ok()) note_error("write", status);
}

Task<void> Application::one_flush(NodeId node, io::BlockDevice& device) {
  const Instant began = world_.now();
  if (world_.recording()) world_.record(node, "application: flush");
  const Status status = co_await device.flush();
  if (world_.recording()) world_.record(node, "application: flush answered");
  const Instant weak = observer_ != nullptr ? observer_->weak_since(node) : Oracle::strong();
  if (status.ok()) oracle_.flushed(began, weak, node);
  else note_error("flush", status);
}

Task<void> Application::one_clearing(NodeId node, io::BlockDevice& device, ByteRange range,
                                     bool discard) {
  const ChangeKind kind = discard ? ChangeKind::anything : ChangeKind::zeroes;
  const Instant began = world_.now();
  const WriteId id = oracle_.begin_write(range, kind, node, began);
  if (world_.recording()) {
    world_.record(fmt::format("application: {} {} {}+{}", discard ? "discard" : "zeroes", id,
                              range.begin.value(), range.length.value()));
  }
  Status status;
  if (discard) {
    status = co_await device.discard(range);
  } else {
    status = co_await device.write_zeroes(range, true);
  }
  oracle_.end_write(id, status.ok(), false, world_.now());
  if (status.ok() && observer_ != nullptr) observer_->answered(node, range, began, ConstBytes());
  if (!status.ok() && status.fault() != Fault::unsupported) note_error("clearing", status);
}

}  // namespace replicator::sim
