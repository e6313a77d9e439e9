#include "frontend/nbd/reply_queue.hpp"

#include <utility>

namespace replicator::nbd {

ReplyQueue::ReplyQueue(std::uint32_t slots) {
  for (Batch* batch : {&filling_, &sending_}) {
    batch->slots.reserve(slots);
    batch->heads.resize(slots * maximum_head_bytes);
    batch->slices.reserve(std::size_t{2} * slots);
  }
}

void ReplyQueue::push(Slot& slot) {
  if (holder_ != nullptr && holder_ != &slot) {
    waiting_.push_back(slot);
  } else {
    encode(slot);
  }
}

void ReplyQueue::release_hold() {
  holder_ = nullptr;
  while (Slot* slot = waiting_.pop_front())
    encode(*slot);
}

void ReplyQueue::encode(Slot& slot) noexcept {
  filling_.slots.push_back(&slot);
  const Bytes free = Bytes(filling_.heads).subspan(filling_.head_bytes);
  const std::size_t head = encode_head(free, slot);
  if (head != 0) add_slice(free.data(), head);
  filling_.head_bytes += head;
  if (slot.payload != 0) add_slice(slot.buffer.bytes().data(), slot.payload);
}

std::size_t ReplyQueue::encode_head(Bytes to, const Slot& slot) const noexcept {
  const std::uint64_t cookie = slot.request.cookie;
  if (slot.error != Error::none) {
    if (structured_) return encode_error_chunk(to, cookie, slot.error, slot.message);
    return encode_simple_reply(to, slot.error, cookie);
  }
  switch (slot.answer) {
    case Answer::data:
      if (!structured_) return encode_simple_reply(to, Error::none, cookie);
      return encode_data_chunk(to, cookie, slot.request.offset, slot.payload, true);
    case Answer::chunk:
      return encode_data_chunk(to, cookie, slot.request.offset, slot.payload, false);
    case Answer::status: return encode_status_chunk(to, cookie, slot.request.length);
    case Answer::next_piece:
    case Answer::nothing: return 0;
    case Answer::first_piece: return encode_simple_reply(to, Error::none, cookie);
    case Answer::done: break;
  }
  // A read must be answered by a chunk, once structured replies are agreed on; this is the end of a
  // read in parts. Everything else may be answered shortly.
  if (structured_ && slot.request.command == Command::read) return encode_none_chunk(to, cookie);
  return encode_simple_reply(to, Error::none, cookie);
}

// Heads that follow each other in memory leave as one slice.
void ReplyQueue::add_slice(const std::byte* data, std::size_t size) noexcept {
  std::vector<io::IoSlice>& slices = filling_.slices;
  if (!slices.empty() && slices.back().data + slices.back().size == data) {
    slices.back().size += size;
    return;
  }
  slices.push_back(io::IoSlice{data, size});
}

std::span<const io::IoSlice> ReplyQueue::take() {
  std::swap(sending_, filling_);
  filling_.slots.clear();
  filling_.slices.clear();
  filling_.head_bytes = 0;
  return sending_.slices;
}

}  // namespace replicator::nbd
