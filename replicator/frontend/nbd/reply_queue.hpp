// Finished replies of one connection, gathered so that everything that finished in one turn of the
// loop leaves in one send. Heads are encoded into memory allocated once; payloads are referenced
// where the device has read them to. Two batches: one fills while the other is being sent.
//
// A read answered in parts by a simple reply must not be interrupted by other replies: from
// hold_for() to release_hold() those of other slots wait.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/list.hpp"
#include "frontend/nbd/request_slot.hpp"
#include "io/io.hpp"

namespace replicator::nbd {

class ReplyQueue {
 public:
  explicit ReplyQueue(std::uint32_t slots);

  void set_structured(bool structured) noexcept { structured_ = structured; }
  void push(Slot& slot);

  [[nodiscard]] bool held() const noexcept { return holder_ != nullptr; }
  [[nodiscard]] bool held_by(const Slot& slot) const noexcept { return holder_ == &slot; }
  void hold_for(Slot& slot) noexcept { holder_ = &slot; }
  void release_hold();

  [[nodiscard]] bool empty() const noexcept { return filling_.slots.empty(); }
  // Everything pushed so far becomes the batch to send; taken() are its slots, until the next call.
  std::span<const io::IoSlice> take();
  [[nodiscard]] std::span<Slot* const> taken() const noexcept { return sending_.slots; }

 private:
  struct Batch {
    std::vector<Slot*> slots;      // never grows
    std::vector<std::byte> heads;  // never grows
    std::size_t head_bytes = 0;
    std::vector<io::IoSlice> slices;  // never grows
  };
  void encode(Slot& slot) noexcept;
  std::size_t encode_head(Bytes to, const Slot& slot) const noexcept;
  void add_slice(const std::byte* data, std::size_t size) noexcept;

  Batch filling_;
  Batch sending_;
  List<Slot> waiting_;  // while held
  Slot* holder_ = nullptr;
  bool structured_ = false;
};

}  // namespace replicator::nbd
