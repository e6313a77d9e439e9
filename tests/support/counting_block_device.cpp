#include "tests/support/counting_block_device.hpp"

#include <algorithm>

namespace replicator::tests {

Status CountingBlockDevice::open(bool for_writing) {
  if (for_writing && !limits_.writable) return Status(Fault::read_only, "memory device");
  ++(for_writing ? writers_ : readers_);
  return Status();
}

void CountingBlockDevice::close(bool for_writing) noexcept {
  std::uint32_t& count = for_writing ? writers_ : readers_;
  ensure(count > 0);
  --count;
}

Status CountingBlockDevice::check(ByteRange range, bool writes) const noexcept {
  std::uint64_t end = 0;
  if (!checked_add(range.begin.value(), range.length.value(), end) || end > limits_.size.value() ||
      range.begin.value() % limits_.block_bytes != 0 || end % limits_.block_bytes != 0)
    return Status(Fault::out_of_range, "memory device");
  if (writes && !limits_.writable) return Status(Fault::read_only, "memory device");
  return Status();
}

Task<Status> CountingBlockDevice::begin() {
  while (held_) {
    io::Event::Wait wait(go_on_);
    co_await wait;
  }
  co_return failure_;
}

Task<Status> CountingBlockDevice::read(ByteRange range, Bytes into) {
  ++counts_.reads;
  counts_.largest = std::max(counts_.largest, range.length.value());
  const Status checked = check(range, false);
  if (!checked.ok()) co_return checked;
  const Status begun = co_await begin();
  if (begun.ok()) copy_bytes(into, part(range));
  co_return begun;
}

Task<Status> CountingBlockDevice::write(ByteRange range, ConstBytes data, bool force_unit_access) {
  ++counts_.writes;
  if (force_unit_access) ++counts_.durable_writes;
  if (reinterpret_cast<std::uintptr_t>(data.data()) % 4096 != 0) ++counts_.copied;
  counts_.largest = std::max(counts_.largest, range.length.value());
  const Status checked = check(range, true);
  if (!checked.ok()) co_return checked;
  const Status begun = co_await begin();
  if (begun.ok()) copy_bytes(part(range), data);
  co_return begun;
}

Task<Status> CountingBlockDevice::flush() {
  ++counts_.flushes;
  co_return co_await begin();
}

Task<Status> CountingBlockDevice::discard(ByteRange range) {
  ++counts_.discards;
  const Status checked = check(range, true);
  if (!checked.ok()) co_return checked;
  const Status begun = co_await begin();
  // Anything may be read afterwards; zeroes would hide a frontend that relies on them.
  if (begun.ok()) fill_bytes(part(range), std::byte{0xdb});
  co_return begun;
}

Task<Status> CountingBlockDevice::write_zeroes(ByteRange range, bool may_unmap) {
  ++counts_.zeroes;
  if (may_unmap) ++counts_.unmapping_zeroes;
  const Status checked = check(range, true);
  if (!checked.ok()) co_return checked;
  const Status begun = co_await begin();
  if (begun.ok()) fill_bytes(part(range), std::byte{0});
  co_return begun;
}

}  // namespace replicator::tests
