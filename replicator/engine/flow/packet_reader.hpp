// Incoming bytes of one socket: one large receive serves many packets. Small payloads are copied
// out once; the rest of a large one is received straight into its destination.
#pragma once

#include <cstdint>
#include <vector>

#include "io/io.hpp"
#include "io/task.hpp"

namespace replicator {

class PacketReader {
 public:
  PacketReader(io::Stream& stream, std::size_t buffer_bytes);

  // At least `count` bytes can be looked at now. count <= buffer size.
  [[nodiscard]] bool has(std::size_t count) const noexcept { return end_ - begin_ >= count; }
  // Receives until has(count). Fault::closed on end of stream, timed_out, io_error.
  Task<Status> fill(std::size_t count, Duration patience);
  // The same for all of it, however slowly it trickles in.
  Task<Status> fill_until(std::size_t count, Instant deadline, io::Clock& clock);
  // The next bytes without consuming them; has(count) holds.
  [[nodiscard]] ConstBytes peek(std::size_t count) const noexcept {
    return ConstBytes(buffer_.data() + begin_, count);
  }
  // The view stays valid until the next fill or read_into.
  ConstBytes take(std::size_t count) noexcept {
    const ConstBytes view = peek(count);
    begin_ += count;
    return view;
  }
  // Copies what is buffered; true when that was all of `into`.
  bool try_read_into(Bytes into) noexcept;
  // Reads exactly into.size() bytes.
  Task<Status> read_into(Bytes into);
  // Reads and drops.
  Task<Status> skip(std::uint64_t count);

  [[nodiscard]] std::uint64_t received_bytes() const noexcept { return received_; }

 private:
  void make_room() noexcept;
  static Status outcome(std::int32_t result) noexcept;

  io::Stream& stream_;
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t received_ = 0;
};

}  // namespace replicator
