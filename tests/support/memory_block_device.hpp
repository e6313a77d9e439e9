// A volume in memory, for tests of frontends: remembers what it was asked, fails when told to, and
// can hold its answers back until it is told to go on. No thread, no clock.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "io/block_device.hpp"
#include "io/sync.hpp"

namespace replicator::test {

class MemoryBlockDevice final : public io::BlockDevice {
 public:
  explicit MemoryBlockDevice(std::uint64_t bytes) : data(bytes) {
    limits_now.size = ByteCount(bytes);
    limits_now.writable = true;
  }

  std::vector<std::byte> data;
  io::BlockLimits limits_now;
  Status open_result;  // of the next open()
  Status io_result;    // of everything else; ok() carries it out
  bool held = false;   // reads, writes and flushes wait until release() is called
  int open_count = 0;
  std::uint32_t waiting = 0;
  std::uint32_t reads = 0;
  std::uint32_t writes = 0;
  std::uint32_t stable_writes = 0;
  std::uint32_t flushes = 0;
  std::uint32_t discards = 0;
  std::uint32_t zeroes = 0;
  bool last_may_unmap = false;
  std::uint64_t largest_transfer = 0;

  void release() {
    held = false;
    go_on_.notify_all();
  }

  [[nodiscard]] io::BlockLimits limits() const noexcept override { return limits_now; }

  Status open(bool for_writing) override {
    if (!open_result.ok()) return open_result;
    if (for_writing && !limits_now.writable) return Status(Fault::read_only);
    ++open_count;
    return {};
  }
  void close(bool) noexcept override { --open_count; }

  Task<Status> read(ByteRange range, Bytes into) override {
    ++reads;
    if (held) {
      Task<void> turn = wait_for_release();
      co_await turn;
    }
    const Status status = judge(range, false);
    if (status.ok()) std::memcpy(into.data(), place(range), range.length.value());
    co_return status;
  }
  Task<Status> write(ByteRange range, ConstBytes from, bool force_unit_access) override {
    ++writes;
    if (force_unit_access) ++stable_writes;
    if (held) {
      Task<void> turn = wait_for_release();
      co_await turn;
    }
    const Status status = judge(range, true);
    if (status.ok()) std::memcpy(place(range), from.data(), range.length.value());
    co_return status;
  }
  Task<Status> flush() override {
    ++flushes;
    if (held) {
      Task<void> turn = wait_for_release();
      co_await turn;
    }
    co_return io_result;
  }
  Task<Status> discard(ByteRange range) override {
    ++discards;
    const Status status = judge(range, true);
    if (status.ok()) std::memset(place(range), 0xdd, range.length.value());
    co_return status;
  }
  Task<Status> write_zeroes(ByteRange range, bool may_unmap) override {
    ++zeroes;
    last_may_unmap = may_unmap;
    const Status status = judge(range, true);
    if (status.ok()) std::memset(place(range), 0, range.length.value());
    co_return status;
  }

 private:
  Task<void> wait_for_release() {
    ++waiting;
    while (held) {
      io::Event::Wait wait(go_on_);
      co_await wait;
    }
    --waiting;
  }
  Status judge(ByteRange range, bool writing) {
    if (range.length.value() > largest_transfer) largest_transfer = range.length.value();
    if (!io_result.ok()) return io_result;
    if (writing && !limits_now.writable) return Status(Fault::read_only);
    if (range.end().value() > data.size() || range.end() < range.begin) {
      return Status(Fault::out_of_range);
    }
    return {};
  }
  std::byte* place(ByteRange range) { return data.data() + range.begin.value(); }

  io::Event go_on_;
};

}  // namespace replicator::test
