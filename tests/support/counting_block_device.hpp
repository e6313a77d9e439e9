// A BlockDevice in memory, for tests of frontends: counts what is asked of it, and can be told to
// fail or to wait.
#pragma once

#include <cstdint>
#include <vector>

#include "io/block_device.hpp"
#include "io/sync.hpp"

namespace replicator::tests {

class CountingBlockDevice : public io::BlockDevice {
 public:
  struct Counts {
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::uint64_t durable_writes = 0;
    std::uint64_t flushes = 0;
    std::uint64_t discards = 0;
    std::uint64_t zeroes = 0;
    std::uint64_t unmapping_zeroes = 0;  // of `zeroes`
    std::uint64_t largest = 0;           // bytes of one read or write
    std::uint64_t copied = 0;            // writes whose memory was not page-aligned
  };

  explicit CountingBlockDevice(ByteCount size) : memory_(size.value()) {
    limits_.size = size;
    limits_.writable = true;
  }

  // What a test may turn.
  io::BlockLimits& settings() noexcept { return limits_; }
  void fail_with(Status status) noexcept { failure_ = status; }  // Status() ends it
  void hold(bool on) noexcept {
    held_ = on;
    if (!on) go_on_.notify_all();
  }
  void resize(ByteCount size) {
    memory_.resize(size.value());
    limits_.size = size;
  }
  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }
  [[nodiscard]] Bytes memory() noexcept { return memory_; }
  [[nodiscard]] std::uint32_t openers() const noexcept { return readers_ + writers_; }
  [[nodiscard]] std::uint32_t writers() const noexcept { return writers_; }

  [[nodiscard]] io::BlockLimits limits() const noexcept override { return limits_; }
  Status open(bool for_writing) override;
  void close(bool for_writing) noexcept override;
  Task<Status> read(ByteRange range, Bytes into) override;
  Task<Status> write(ByteRange range, ConstBytes data, bool force_unit_access) override;
  Task<Status> flush() override;
  Task<Status> discard(ByteRange range) override;
  Task<Status> write_zeroes(ByteRange range, bool may_unmap) override;

 private:
  [[nodiscard]] Status check(ByteRange range, bool writes) const noexcept;
  Task<Status> begin();
  [[nodiscard]] Bytes part(ByteRange range) noexcept {
    return Bytes(memory_).subspan(range.begin.value(), range.length.value());
  }

  std::vector<std::byte> memory_;
  io::BlockLimits limits_;
  Counts counts_;
  Status failure_;
  bool held_ = false;
  io::Event go_on_;
  std::uint32_t readers_ = 0;
  std::uint32_t writers_ = 0;
};

}  // namespace replicator::tests
