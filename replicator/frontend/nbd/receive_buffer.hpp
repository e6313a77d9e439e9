// Bytes received but not yet used, in one piece of memory, so that many small requests come out of
// one receive. Unused bytes are moved to the front only when the room behind them gets short.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>

#include "base/bytes.hpp"

namespace replicator::nbd {

class ReceiveBuffer {
 public:
  explicit ReceiveBuffer(std::size_t capacity)
      : memory_(new std::byte[capacity]), capacity_(capacity) {}

  [[nodiscard]] ConstBytes unread() const noexcept {
    return {memory_.get() + begin_, end_ - begin_};
  }
  void consume(std::size_t bytes) noexcept {
    ensure(bytes <= end_ - begin_);
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Where to receive; a quarter of the capacity at least, given that no more than half is unread.
  [[nodiscard]] Bytes room() noexcept {
    if (capacity_ - end_ < capacity_ / 4) compact();
    return {memory_.get() + end_, capacity_ - end_};
  }
  void filled(std::size_t bytes) noexcept {
    ensure(bytes <= capacity_ - end_);
    end_ += bytes;
  }

 private:
  void compact() noexcept {
    std::memmove(memory_.get(), memory_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  std::unique_ptr<std::byte[]> memory_;
  std::size_t capacity_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace replicator::nbd
