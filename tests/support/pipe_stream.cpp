#include "tests/support/pipe_stream.hpp"

#include <algorithm>
#include <cerrno>

namespace replicator::test {

// Two directions, each named by its sending side.
class PipeStream::Core final : public io::Backend {
 public:
  explicit Core(const PipeOptions& options) : options_(options), prng_(options.seed.value_or(0)) {}

  struct Direction {
    std::vector<std::byte> bytes;
    std::size_t head = 0;  // of `bytes`: these have been delivered
    io::Op* receiving = nullptr;
    Bytes into;
    bool receiver_impatient = false;
    io::Op* sending = nullptr;
    std::vector<std::byte> rest;
    std::size_t moved = 0;
    bool sender_impatient = false;
    bool ended = false;  // the sender has shut down
    bool deaf = false;   // the receiver has

    [[nodiscard]] ConstBytes pending() const { return ConstBytes(bytes).subspan(head); }
    void add(ConstBytes more) { bytes.insert(bytes.end(), more.begin(), more.end()); }
    void drop(std::size_t count) {
      head += count;
      if (head < bytes.size()) return;
      bytes.clear();
      head = 0;
    }
  };

  Direction& from(int side) { return directions_[side]; }

  void receive(int side, io::Op& op, Bytes into, bool impatient) {
    Direction& direction = from(1 - side);
    ensure(direction.receiving == nullptr && !into.empty());
    begin(op);
    direction.receiving = &op;
    direction.into = into;
    direction.receiver_impatient = impatient;
    pump(direction);
  }
  void send(int side, io::Op& op, std::span<const io::IoSlice> slices, bool impatient) {
    Direction& direction = from(side);
    ensure(direction.sending == nullptr);
    begin(op);
    direction.sending = &op;
    direction.sender_impatient = impatient;
    direction.rest.clear();
    direction.moved = 0;
    for (const io::IoSlice& slice : slices)
      direction.rest.insert(direction.rest.end(), slice.data, slice.data + slice.size);
    pump(direction);
  }
  void shutdown(int side) {
    from(side).ended = true;
    from(1 - side).deaf = true;
    pump(from(side));
    pump(from(1 - side));
  }
  void expire(int side) {
    Direction& in = from(1 - side);
    if (in.receiving != nullptr && in.receiver_impatient) finish_receive(in, -ETIMEDOUT);
    Direction& out = from(side);
    if (out.sending != nullptr && out.sender_impatient) finish_send(out, -ETIMEDOUT);
  }
  void pump(Direction& direction) {
    bool moving = true;
    while (moving) {
      moving = accept_bytes(direction);
      moving |= deliver_bytes(direction);
    }
    if (direction.sending != nullptr && (direction.ended || direction.deaf)) {
      finish_send(direction, -EPIPE);
    }
    if (direction.receiving != nullptr &&
        (direction.deaf || (direction.ended && direction.pending().empty()))) {
      finish_receive(direction, 0);
    }
  }

 private:
  bool accept_bytes(Direction& direction) {
    if (direction.sending == nullptr || direction.ended || direction.deaf) return false;
    const std::size_t under_way = direction.pending().size();
    const std::size_t room = options_.capacity - std::min(options_.capacity, under_way);
    const std::size_t count = std::min(room, direction.rest.size() - direction.moved);
    direction.add(ConstBytes(direction.rest).subspan(direction.moved, count));
    direction.moved += count;
    if (direction.moved < direction.rest.size()) return count != 0;
    finish_send(direction, static_cast<std::int32_t>(direction.moved));
    return true;
  }
  bool deliver_bytes(Direction& direction) {
    const ConstBytes pending = direction.pending();
    if (direction.receiving == nullptr || pending.empty() || direction.deaf) return false;
    std::size_t count = std::min({options_.piece, direction.into.size(), pending.size()});
    if (options_.seed) count = 1 + static_cast<std::size_t>(prng_.below(count));
    copy_bytes(direction.into, pending.first(count));
    direction.drop(count);
    finish_receive(direction, static_cast<std::int32_t>(count));
    return true;
  }
  static void finish_receive(Direction& direction, std::int32_t result) {
    finish(*std::exchange(direction.receiving, nullptr), result);
  }
  static void finish_send(Direction& direction, std::int32_t result) {
    finish(*std::exchange(direction.sending, nullptr), result);
  }
  void forget(io::Op& op) noexcept override {
    for (Direction& direction : directions_) {
      if (direction.receiving == &op) direction.receiving = nullptr;
      if (direction.sending == &op) direction.sending = nullptr;
    }
  }

  PipeOptions options_;
  Prng prng_;
  Direction directions_[2];
};

PipeStream::Pair PipeStream::make(const PipeOptions& options) {
  const auto core = std::make_shared<Core>(options);
  return {std::unique_ptr<PipeStream>(new PipeStream(core, 0)),
          std::unique_ptr<PipeStream>(new PipeStream(core, 1))};
}

PipeStream::~PipeStream() { core_->shutdown(side_); }

void PipeStream::receive(io::Op& op, Bytes into, Duration patience) {
  receive_patience_ = patience;
  core_->receive(side_, op, into, !patience.is_forever());
}
void PipeStream::send(io::Op& op, std::span<const io::IoSlice> slices, Duration patience) {
  ++sends_;
  core_->send(side_, op, slices, !patience.is_forever());
}
void PipeStream::shutdown() noexcept { core_->shutdown(side_); }
bool PipeStream::alive() noexcept { return !core_->from(1 - side_).ended; }
void PipeStream::expire() { core_->expire(side_); }

void PipeStream::put(ConstBytes bytes) {
  Core::Direction& direction = core_->from(side_);
  direction.add(bytes);
  core_->pump(direction);
}

std::vector<std::byte> PipeStream::get() {
  Core::Direction& direction = core_->from(1 - side_);
  const ConstBytes pending = direction.pending();
  std::vector<std::byte> bytes(pending.begin(), pending.end());
  direction.drop(pending.size());
  core_->pump(direction);
  return bytes;
}

}  // namespace replicator::test
