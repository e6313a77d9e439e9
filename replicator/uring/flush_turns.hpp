// Flushes of one disk: one is with the device, and one waits for it to end. Whoever asks meanwhile
// shares the one that waits, which has not begun: it covers every write that had completed when any
// of them asked (D3). So a disk that hangs holds one of the kernel's workers, however many wait.
#pragma once

#include <utility>

#include "io/op.hpp"

namespace replicator::uring {

class FlushTurns {
 public:
  // True: the caller begins one with the device now.
  [[nodiscard]] bool join(io::Op& op) noexcept {
    io::Op*& group = with_device_ == nullptr ? with_device_ : waiting_;
    op.backend_pointer = group;
    group = &op;
    return &group == &with_device_;
  }
  // The one with the device has ended: those it was for, as a list by next(). The others are with
  // the device from here on.
  [[nodiscard]] io::Op* end() noexcept {
    return std::exchange(with_device_, std::exchange(waiting_, nullptr));
  }
  [[nodiscard]] bool under_way() const noexcept { return with_device_ != nullptr; }
  [[nodiscard]] static io::Op* next(const io::Op& op) noexcept {
    return static_cast<io::Op*>(op.backend_pointer);
  }

 private:
  io::Op* with_device_ = nullptr;
  io::Op* waiting_ = nullptr;
};

}  // namespace replicator::uring
