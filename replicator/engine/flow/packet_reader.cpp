#include "engine/flow/packet_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace replicator {

PacketReader::PacketReader(io::Stream& stream, std::size_t buffer_bytes)
    : stream_(stream), buffer_(buffer_bytes) {}

Status PacketReader::outcome(std::int32_t result) noexcept {
  if (result > 0) return Status();
  if (result == 0) return Status(Fault::closed, "receive");
  if (result == -ETIMEDOUT) return Status(Fault::timed_out, "receive");
  return Status(Fault::io_error, "receive", -result);
}

void PacketReader::make_room() noexcept {
  if (begin_ == 0) return;
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
}

Task<Status> PacketReader::fill(std::size_t count, Duration patience) {
  ensure(count <= buffer_.size());
  make_room();
  while (!has(count)) {
    io::Op op;
    const Bytes free(buffer_.data() + end_, buffer_.size() - end_);
    stream_.receive(op, free, patience);
    const std::int32_t result = co_await op;
    const Status status = outcome(result);
    if (!status.ok()) co_return status;
    end_ += static_cast<std::size_t>(result);
    received_ += static_cast<std::uint64_t>(result);
  }
  co_return Status();
}

Task<Status> PacketReader::fill_until(std::size_t count, Instant deadline, io::Clock& clock) {
  ensure(count <= buffer_.size());
  while (!has(count)) {
    const Duration patience = deadline - clock.now();
    if (patience <= Duration()) co_return Status(Fault::timed_out, "receive");
    const std::size_t some = end_ - begin_ + 1;
    const Status status = co_await fill(some, patience);
    if (!status.ok()) co_return status;
  }
  co_return Status();
}

bool PacketReader::try_read_into(Bytes into) noexcept {
  if (!has(into.size())) return false;
  copy_bytes(into, take(into.size()));
  return true;
}

Task<Status> PacketReader::read_into(Bytes into) {
  const std::size_t buffered = std::min(into.size(), end_ - begin_);
  copy_bytes(into, take(buffered));
  std::size_t done = buffered;
  while (done < into.size()) {
    io::Op op;
    const Bytes rest = into.subspan(done);
    stream_.receive(op, rest);
    const std::int32_t result = co_await op;
    const Status status = outcome(result);
    if (!status.ok()) co_return status;
    done += static_cast<std::size_t>(result);
    received_ += static_cast<std::uint64_t>(result);
  }
  co_return Status();
}

Task<Status> PacketReader::skip(std::uint64_t count) {
  while (count > 0) {
    if (!has(1)) {
      const Status status = co_await fill(1, Duration::forever());
      if (!status.ok()) co_return status;
    }
    const std::size_t step = static_cast<std::size_t>(
        std::min<std::uint64_t>(count, static_cast<std::uint64_t>(end_ - begin_)));
    begin_ += step;
    count -= step;
  }
  co_return Status();
}

}  // namespace replicator
