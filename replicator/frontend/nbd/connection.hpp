// One client: negotiation, then a reader that takes requests out of a large receive buffer, one
// coroutine per request slot that carries them out, and a writer that sends all finished replies at
// once. Everything is bounded (P6): requests in flight, payload memory, time for the handshake,
// time a client may leave its replies unread. The device is opened when negotiation has succeeded,
// and closed when the last request has been answered.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/list.hpp"
#include "frontend/nbd/option_negotiation.hpp"
#include "frontend/nbd/receive_buffer.hpp"
#include "frontend/nbd/reply_queue.hpp"
#include "frontend/nbd/request.hpp"
#include "frontend/nbd/request_slot.hpp"
#include "io/block_device.hpp"
#include "io/buffer_pool.hpp"
#include "io/io.hpp"
#include "io/sync.hpp"

namespace replicator::nbd {

struct Limits {
  std::uint32_t connections = 32;
  std::uint32_t requests_in_flight = 128;  // of one connection; a request larger than a piece
                                           // counts once more for each piece; at least 2
  std::uint32_t receive_bytes = 256U << 10U;
  Duration handshake = Duration::seconds(30);
  Duration unread_replies = Duration::seconds(60);  // once to twice this long, then dropped
  Duration stop = Duration::seconds(5);             // for requests in flight, when the server stops
};

// What the connections of one volume share: memory for payloads, a part of the pool's, so that a
// volume that stands still leaves room for the others (L2, P6).
struct PayloadShare {
  explicit PayloadShare(const io::BufferPool& pool) noexcept : budget(pool.arena().size() / 4) {}
  std::size_t budget;
  std::size_t used = 0;  // what requests hold or will take
  io::Event released;    // a request of one of them has ended
};

struct Environment {
  io::Clock& clock;
  io::BufferPool& pool;
  io::BlockDevice& device;
  const std::string& export_name;
  const Limits& limits;
  PayloadShare& share;
};

class Connection : public ListNode {
 public:
  // The environment's references outlive the connection.
  Connection(const Environment& environment, std::unique_ptr<io::Stream> stream);

  // Serves the client until either side has ended the connection.
  Task<void> run();
  // The same for a client that was told everything another way, as the kernel's is: no handshake,
  // and it may take its time with replies. The caller keeps the device open for it.
  Task<void> run_without_handshake();
  // The device has another size, and the client knows it.
  void resized() noexcept;
  // From hold() on no request is begun; when none is in_flight(), those that were begun before have
  // been answered. Then release() ends that, or leave() the connection: the client will ask
  // somebody else.
  void hold() noexcept { held_ = true; }
  void release() noexcept;
  void leave() noexcept;
  // Ends it when the requests in flight have been answered; new ones are refused meanwhile.
  void stop() noexcept;
  // Ends it now. Requests in flight are still carried out before run() is done.
  void cut() noexcept { stream_->shutdown(); }

  // Writes up to this size are copied out of the receive buffer, which costs less than receiving
  // head and payload one by one; larger ones are received in place.
  static constexpr std::uint32_t small_write = 64U << 10U;

  [[nodiscard]] bool holds_device() const noexcept { return device_open_; }
  [[nodiscard]] std::uint32_t client_process() const noexcept { return stream_->peer_process(); }
  [[nodiscard]] std::uint32_t in_flight() const noexcept { return in_flight_; }

 private:
  // What the reader has to wait for, or do, before it can go on.
  enum class Step : std::uint8_t { receive, wait_for_slot, wait_for_memory, transfer_parts, end };

  Task<bool> negotiate();
  Task<void> transmit();
  void open(OptionNegotiation& negotiation);
  void describe(OptionNegotiation& negotiation);

  Task<void> read_requests();
  Step take_requests(Request& request, Verdict& verdict);
  bool dispatch(const Request& request, const Verdict& verdict, ConstBytes payload, Step& blocked);
  Bytes window() noexcept;
  Task<bool> transfer_parts(Request request, Verdict verdict);
  Task<bool> refuse_large_write(Request request, Verdict verdict);
  Task<bool> receive_large_write(Request request);
  Task<bool> receive_payload(Bytes into);
  Task<bool> split_read(Request request);

  Slot* take_slot(std::uint32_t memory);
  Task<Slot*> wait_for_slot(std::uint32_t memory);
  Task<Slot*> begin_parts(const Request& request);
  void start(Slot& slot) noexcept;
  void release(Slot& slot) noexcept;

  Task<void> work(Slot& slot);
  void conclude(Slot& slot, const Status& status);
  Task<void> stream_read(Slot& slot);
  void finish(Slot& slot);
  void end_part(Slot& parent);

  Task<void> write_replies();
  Task<void> watch_client();
  void batch_done() noexcept;
  void break_off() noexcept;
  Task<void> finish_requests();

  Environment environment_;
  std::unique_ptr<io::Stream> stream_;
  Session session_;
  ReceiveBuffer input_;
  std::vector<std::unique_ptr<Slot>> slots_;
  List<Slot> free_;
  ReplyQueue replies_;
  io::BufferPool::Buffer spare_;  // for the small write that is next
  io::Event work_for_writer_;
  io::Event hold_released_;
  io::Event resumed_;
  io::Op watch_;  // the sleep of watch_client()
  std::uint64_t sends_ = 0;
  std::uint32_t in_flight_ = 0;
  bool large_writes_ = false;  // the last request was one: expect another
  bool device_open_ = false;
  bool held_ = false;
  bool left_ = false;
  bool stopping_ = false;
  bool sending_ = false;
  bool broken_ = false;
  bool closing_ = false;
  io::Gate gate_;  // last: its tasks refer to everything above
};

}  // namespace replicator::nbd
