#include "io/guarded_storage.hpp"

#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "io/held_memory.hpp"

namespace replicator::io {

class GuardedStorage::Guard final : public Disk, Backend {
 public:
  Guard(std::unique_ptr<Disk> disk, std::string path)
      : disk_(std::move(disk)), path_(std::move(path)) {}
  ~Guard();

  [[nodiscard]] ByteCount size() const noexcept override { return disk_->size(); }
  void measure() noexcept override { disk_->measure(); }
  [[nodiscard]] std::uint32_t logical_block_bytes() const noexcept override {
    return disk_->logical_block_bytes();
  }
  void read(Op& op, ByteOffset at, Bytes into) override {
    if (Flight* flight = depart(op, into)) disk_->read(*flight->op, at, into);
  }
  void write(Op& op, ByteOffset at, ConstBytes data, Durability durability) override {
    if (Flight* flight = depart(op, data)) disk_->write(*flight->op, at, data, durability);
  }
  void flush(Op& op) override {
    if (Flight* flight = depart(op, {})) disk_->flush(*flight->op);
  }
  void discard(Op& op, ByteRange range) override {
    if (Flight* flight = depart(op, {})) disk_->discard(*flight->op, range);
  }
  void write_zeroes(Op& op, ByteRange range, bool may_unmap) override {
    if (Flight* flight = depart(op, {})) disk_->write_zeroes(*flight->op, range, may_unmap);
  }
  [[nodiscard]] DiskProgress progress() const noexcept override {
    Flight* const oldest = under_way_.first();
    return {begun_, oldest != nullptr ? oldest->number : begun_ + 1};
  }
  void give_up() noexcept override;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] bool idle() const noexcept { return under_way_.empty(); }
  Event became_idle;

 private:
  // One operation with the device. `op` is there while it is, `caller` until its end or that of
  // the caller's patience.
  struct Flight final : ListNode, Relay {
    explicit Flight(Guard& g) noexcept : guard(g) {}
    void completed(Op& /*op*/, std::int32_t result) noexcept override {
      guard.arrived(*this, result);
    }
    Guard& guard;
    std::optional<Op> op;
    Op* caller = nullptr;
    ConstBytes memory;
    std::optional<HeldMemory::Hold> hold;
    std::uint64_t number = 0;
  };

  Flight* depart(Op& caller, ConstBytes memory);
  void arrived(Flight& flight, std::int32_t result) noexcept;
  void land(Flight& flight) noexcept;
  void forget(Op& caller) noexcept override;

  std::unique_ptr<Disk> disk_;
  std::string path_;
  std::vector<std::unique_ptr<Flight>> flights_;
  List<Flight> spare_;
  mutable List<Flight> under_way_;  // by number
  std::uint64_t begun_ = 0;
  bool given_up_ = false;
};

// Callers that are gone by now have been forgotten; those that outlive their disk (a node of the
// simulator that dies) are let go of.
GuardedStorage::Guard::~Guard() {
  for (const std::unique_ptr<Flight>& flight : flights_) {
    if (flight->caller != nullptr) drop(*flight->caller);
  }
}

GuardedStorage::Guard::Flight* GuardedStorage::Guard::depart(Op& caller, ConstBytes memory) {
  begin(caller);
  if (given_up_) {
    finish(caller, -ETIMEDOUT);
    return nullptr;
  }
  Flight* flight = spare_.pop_front();
  if (flight == nullptr) {
    flights_.push_back(std::make_unique<Flight>(*this));
    flight = flights_.back().get();
  }
  flight->op.emplace();
  flight->op->relay_to(*flight);
  flight->caller = &caller;
  flight->memory = memory;
  flight->number = ++begun_;
  caller.backend_pointer = flight;
  under_way_.push_back(*flight);
  return flight;
}

void GuardedStorage::Guard::arrived(Flight& flight, std::int32_t result) noexcept {
  Op* const caller = std::exchange(flight.caller, nullptr);
  land(flight);
  if (caller != nullptr) finish(*caller, result);
}

void GuardedStorage::Guard::land(Flight& flight) noexcept {
  flight.hold.reset();
  flight.unlink();
  spare_.push_back(flight);
  if (under_way_.empty() && became_idle.has_waiters()) became_idle.notify_all();
}

void GuardedStorage::Guard::give_up() noexcept {
  given_up_ = true;
  for (Flight* flight = under_way_.first(); flight != nullptr; flight = under_way_.next(*flight)) {
    Op* const caller = std::exchange(flight->caller, nullptr);
    if (caller == nullptr) continue;
    if (!flight->memory.empty()) flight->hold.emplace(flight->memory);
    finish(*caller, -ETIMEDOUT);
  }
}

// Its owner goes away, and the memory with it: so must the operation with the device.
void GuardedStorage::Guard::forget(Op& caller) noexcept {
  Flight& flight = *static_cast<Flight*>(caller.backend_pointer);
  flight.caller = nullptr;
  flight.op.reset();
  land(flight);
}

Result<std::unique_ptr<Disk>> GuardedStorage::open(std::string_view path, DiskAccess access) {
  Result<std::unique_ptr<Disk>> disk = storage_.open(path, access);
  if (!disk) return disk;
  return std::unique_ptr<Disk>(std::make_unique<Guard>(std::move(*disk), std::string(path)));
}

// All of them go at once: while one of a disk and its meta data is open, the two are not used
// again.
Task<void> GuardedStorage::wait_for(Remains remains) {
  for (const std::unique_ptr<Disk>& disk : remains.disks) {
    auto& guard = static_cast<Guard&>(*disk);
    while (!guard.idle()) {
      Event::Wait wait(guard.became_idle);
      co_await wait;
    }
  }
  for (const std::unique_ptr<Disk>& disk : remains.disks) {
    log::info("{}: its last operation has ended, and it may be attached again",
              static_cast<const Guard&>(*disk).path());
  }
}

void GuardedStorage::keep(Remains remains) { keeping_.start(wait_for(std::move(remains))); }

}  // namespace replicator::io
