// Outgoing packets of one socket. Whatever is queued while a send is in flight leaves together in
// the next one (one gathered send per turn of the loop, TCP_NODELAY on). Heads are copied; payloads
// are either referenced (the owner waits for its SendMark) or owned by the queue until they are
// sent. Bounded by those who use it: they look at queued_bytes() before they answer more (P6).
#pragma once

#include <cstdint>
#include <vector>

#include "base/list.hpp"
#include "io/buffer_pool.hpp"
#include "io/io.hpp"
#include "io/sync.hpp"

namespace replicator {

// Tells when a referenced payload is no longer needed. Must outlive the queue's use of it: wait for
// sent() before the payload's memory goes away. A mark that is destroyed unlinks itself.
class SendMark : public ListNode {
 public:
  [[nodiscard]] bool sent() const noexcept { return sent_; }
  // Sent, and not given up: the socket has taken it all.
  [[nodiscard]] bool handed_over() const noexcept { return handed_over_; }
  void reset() noexcept { sent_ = handed_over_ = false; }
  // Runs when the mark is passed (sent, or given up with the connection).
  io::Event done;

 private:
  friend class SendQueue;
  bool sent_ = false;
  bool handed_over_ = false;
};

class SendQueue {
 public:
  explicit SendQueue(io::Stream& stream);

  void push(ConstBytes head);
  // `payload` is referenced until mark.sent().
  void push(ConstBytes head, ConstBytes payload, SendMark& mark);
  void push(ConstBytes head, io::BufferPool::Buffer payload);

  // Sends until the stream fails or close() was called and everything queued has left. Returns the
  // errno (negative) that ended it, or 0. Payloads and marks are released in any case; so is, at
  // once, what is pushed afterwards.
  Task<std::int32_t> run(Duration patience);
  void close() noexcept;

  [[nodiscard]] bool idle() const noexcept { return !sending_now_ && filling_.empty(); }
  [[nodiscard]] std::size_t queued_bytes() const noexcept {
    return filling_.total + sending_.total;
  }
  [[nodiscard]] std::uint64_t sent_bytes() const noexcept { return sent_bytes_; }
  // Signalled whenever a batch has left and nothing else is queued.
  io::Event idle_event;

 private:
  struct Slice {
    const std::byte* data;  // null: `size` bytes of heads, from where the last such slice ended
    std::size_t size;
  };
  struct Batch {
    std::vector<std::byte> heads;
    std::vector<Slice> slices;
    std::vector<io::BufferPool::Buffer> owned;
    List<SendMark> marks;
    std::size_t total = 0;
    [[nodiscard]] bool empty() const noexcept { return slices.empty(); }
  };
  void add_head(ConstBytes head);
  void gather();
  static void release(Batch& batch, bool handed_over) noexcept;
  void exchange() noexcept;

  io::Stream& stream_;
  Batch filling_;
  Batch sending_;
  std::vector<io::IoSlice> gathered_;
  io::Event work_;
  std::uint64_t sent_bytes_ = 0;
  bool sending_now_ = false;
  bool closed_ = false;
  bool ended_ = false;
};

}  // namespace replicator
