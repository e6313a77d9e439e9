// A clock that a test moves by hand.
#pragma once

#include <vector>

#include "io/io.hpp"

namespace replicator::test {

class ManualClock final : public io::Clock, io::Backend {
 public:
  [[nodiscard]] Instant now() const noexcept override { return now_; }
  [[nodiscard]] WallTime wall_time() const noexcept override {
    return WallTime(1'700'000'000'000 + static_cast<std::uint64_t>(now_.nanoseconds()) / 1'000'000);
  }
  void sleep_until(io::Op& op, Instant when) override {
    begin(op);
    sleepers_.push_back({&op, when});
  }
  void wake(io::Op& op) noexcept override { end(op, -125); }
  void advance(Duration by) {
    now_ = now_ + by;
    for (std::size_t i = 0; i < sleepers_.size();) {
      if (sleepers_[i].when <= now_) end(*sleepers_[i].op, 0);
      else ++i;
    }
  }

 private:
  struct Sleeper {
    io::Op* op;
    Instant when;
  };
  void end(io::Op& op, std::int32_t result) noexcept {
    if (!op.in_flight()) return;
    forget(op);
    finish(op, result);
  }
  void forget(io::Op& op) noexcept override {
    std::erase_if(sleepers_, [&](const Sleeper& sleeper) { return sleeper.op == &op; });
  }
  Instant now_;
  std::vector<Sleeper> sleepers_;
};

}  // namespace replicator::test
