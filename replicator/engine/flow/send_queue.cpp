#include "engine/flow/send_queue.hpp"

#include <utility>

namespace replicator {

SendQueue::SendQueue(io::Stream& stream) : stream_(stream) {
  for (Batch* batch : {&filling_, &sending_}) {
    batch->heads.reserve(64U * 1024U);
    batch->slices.reserve(1024);
    batch->owned.reserve(256);
  }
  gathered_.reserve(1024);
}

void SendQueue::add_head(ConstBytes head) {
  filling_.heads.insert(filling_.heads.end(), head.begin(), head.end());
  filling_.total += head.size();
  if (!filling_.slices.empty() && filling_.slices.back().data == nullptr) {
    filling_.slices.back().size += head.size();
  } else {
    filling_.slices.push_back(Slice{nullptr, head.size()});
  }
  work_.notify_all();
}

void SendQueue::push(ConstBytes head) {
  add_head(head);
  if (ended_) release(filling_, false);
}

void SendQueue::push(ConstBytes head, ConstBytes payload, SendMark& mark) {
  add_head(head);
  mark.reset();
  filling_.marks.push_back(mark);
  if (!payload.empty()) {
    filling_.slices.push_back(Slice{payload.data(), payload.size()});
    filling_.total += payload.size();
  }
  if (ended_) release(filling_, false);
}

void SendQueue::push(ConstBytes head, io::BufferPool::Buffer payload) {
  add_head(head);
  const Bytes bytes = payload.bytes();
  filling_.slices.push_back(Slice{bytes.data(), bytes.size()});
  filling_.total += bytes.size();
  filling_.owned.push_back(std::move(payload));
  if (ended_) release(filling_, false);
}

void SendQueue::release(Batch& batch, bool handed_over) noexcept {
  while (SendMark* mark = batch.marks.pop_front()) {
    mark->handed_over_ = handed_over;
    mark->sent_ = true;
    mark->done.notify_all();
  }
  batch.heads.clear();
  batch.slices.clear();
  batch.owned.clear();
  batch.total = 0;
}

void SendQueue::exchange() noexcept {
  std::swap(filling_.heads, sending_.heads);
  std::swap(filling_.slices, sending_.slices);
  std::swap(filling_.owned, sending_.owned);
  std::swap(filling_.total, sending_.total);
  sending_.marks.splice_back(filling_.marks);
}

void SendQueue::gather() {
  gathered_.clear();
  const std::byte* head = sending_.heads.data();
  for (const Slice& slice : sending_.slices) {
    const bool is_head = slice.data == nullptr;
    gathered_.push_back(io::IoSlice{is_head ? head : slice.data, slice.size});
    if (is_head) head += slice.size;
  }
}

void SendQueue::close() noexcept {
  closed_ = true;
  work_.notify_all();
}

Task<std::int32_t> SendQueue::run(Duration patience) {
  std::int32_t outcome = 0;
  for (;;) {
    if (filling_.empty()) {
      idle_event.notify_all();
      if (closed_) break;
      io::Event::Wait wait(work_);
      co_await wait;
      continue;
    }
    exchange();
    gather();
    sending_now_ = true;
    io::Op op;
    stream_.send(op, gathered_, patience);
    outcome = co_await op;
    sending_now_ = false;
    if (outcome >= 0) sent_bytes_ += sending_.total;
    release(sending_, outcome >= 0);
    if (outcome < 0) break;
    outcome = 0;
  }
  release(filling_, false);
  // Nothing is sent any more, and nothing waits to be: who waits for room has it.
  closed_ = true;
  ended_ = true;
  idle_event.notify_all();
  co_return outcome;
}

}  // namespace replicator
