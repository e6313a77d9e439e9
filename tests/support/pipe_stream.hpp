// A connected pair of streams in memory, for one thread with a run queue. What one end sends the
// other receives, in pieces as large as asked for, of a fixed size, or of random sizes down to one
// byte. Time does not pass: expire() says that whoever was going to lose patience now has.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/prng.hpp"
#include "io/io.hpp"

namespace replicator::test {

struct PipeOptions {
  std::size_t piece = 1U << 30U;      // of one receive at most
  std::optional<std::uint64_t> seed;  // then: random, at most `piece`
  std::size_t capacity = 1U << 30U;   // bytes of a direction that are under way
};

class PipeStream final : public io::Stream {
 public:
  using Pair = std::pair<std::unique_ptr<PipeStream>, std::unique_ptr<PipeStream>>;
  static Pair make(const PipeOptions& options = {});
  ~PipeStream() override;

  using io::Stream::receive;
  using io::Stream::send;
  void receive(io::Op& op, Bytes into, Duration patience) override;
  void send(io::Op& op, std::span<const io::IoSlice> slices, Duration patience) override;
  void shutdown() noexcept override;
  [[nodiscard]] bool alive() noexcept override;
  [[nodiscard]] io::Address local() const noexcept override { return {}; }
  [[nodiscard]] io::Address peer() const noexcept override { return {}; }

  // Operations of this end that wait and were not given forever fail with -ETIMEDOUT.
  void expire();
  // For tests that speak without coroutines.
  void put(ConstBytes bytes);
  [[nodiscard]] std::vector<std::byte> get();  // all that has arrived
  // The last patience asked for by this end.
  [[nodiscard]] Duration receive_patience() const noexcept { return receive_patience_; }
  // Sends of this end so far.
  [[nodiscard]] std::uint32_t sends() const noexcept { return sends_; }

 private:
  class Core;
  PipeStream(std::shared_ptr<Core> core, int side) : core_(std::move(core)), side_(side) {}
  std::shared_ptr<Core> core_;
  int side_;
  Duration receive_patience_ = Duration::forever();
  std::uint32_t sends_ = 0;
};

}  // namespace replicator::test
