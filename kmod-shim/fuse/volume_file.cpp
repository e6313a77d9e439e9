#include "fuse/volume_file.hpp"

#include <sys/random.h>

#include <algorithm>
#include <utility>

#include "error_number.hpp"

namespace replicator::shim {

namespace {

constexpr std::uint64_t handle_of_loop = 1;

// Smaller writes are copied: a receive buffer has room for the largest, and is soon needed again.
constexpr std::size_t copied_bytes_max = 32U << 10U;

// Of one discard or write of zeroes; the loop driver asks for up to 4 GiB at once. An activity log
// extent, so that a long one takes its turns with writes.
constexpr std::uint64_t zeroed_bytes_max = extent_bytes;

// Of one read: the most that a buffer can hold, and that the kernel asks for.
constexpr std::size_t read_bytes_max = 1U << 20U;

// What a volume may hold of a pool for reads, and as much for copies.
std::uint64_t share_of(const io::BufferPool& pool) noexcept {
  return std::max<std::uint64_t>(pool.arena().size() / 4, read_bytes_max);
}

// The part of the range that is not beyond `end`.
ByteRange clipped(std::uint64_t offset, std::size_t size, std::uint64_t end) noexcept {
  const std::uint64_t begin = std::min(offset, end);
  return {ByteOffset(begin), ByteCount(std::min<std::uint64_t>(size, end - begin))};
}

}  // namespace

VolumeFile::VolumeFile(io::BlockDevice& device, io::BufferPool& pool)
    : device_(device),
      pool_(pool, read_bytes_max),
      for_reads_(share_of(pool)),
      for_copies_(share_of(pool)) {}

// Different in each daemon: its releases of what a predecessor has opened mean nothing.
std::uint64_t VolumeFile::handle_of_others() noexcept {
  static const std::uint64_t drawn = [] {
    std::uint64_t number = 0;
    return getrandom(&number, sizeof number, 0) == sizeof number ? number | 2U : 2U;
  }();
  return drawn;
}

Status VolumeFile::adopt_loop() {
  const Status opened = device_.open(true);
  if (!opened.ok()) return opened;
  ++openers_;
  ++writers_;
  return opened;
}

int VolumeFile::open(const Opener& opener, std::uint64_t& handle) {
  const bool for_writing = opener.for_writing;
  const Status opened = device_.open(for_writing);
  if (!opened.ok()) {
    // The kernel module's answer to a reader of a Secondary.
    const bool secondary = opened.fault() == Fault::read_only;
    return secondary && !for_writing ? EMEDIUMTYPE : error_number(opened);
  }
  ++openers_;
  if (for_writing) ++writers_;
  handle = opener.keeps_access_time ? handle_of_loop : handle_of_others();
  return 0;
}

void VolumeFile::release(std::uint64_t handle, bool for_writing) noexcept {
  if (handle != handle_of_loop && handle != handle_of_others()) return;
  if (openers_ == 0) return;  // given up by close() before
  --openers_;
  if (for_writing) --writers_;
  device_.close(for_writing);
  released_.notify_all();
}

Task<void> VolumeFile::close() {
  co_await requests_.close();
  while (openers_ > 0)
    release(handle_of_loop, writers_ > 0);
}

Status VolumeFile::check(ByteRange range) const noexcept {
  const io::BlockLimits limits = device_.limits();
  std::uint64_t end = 0;
  if (!checked_add(range.begin.value(), range.length.value(), end) || end > limits.size.value() ||
      range.begin.value() % limits.block_bytes != 0 || end % limits.block_bytes != 0)
    return Status(Fault::out_of_range, "volume file");
  return Status();
}

void VolumeFile::read(Reply reply, std::uint64_t /*handle*/, std::uint64_t offset,
                      std::size_t size) {
  const ByteRange range = clipped(offset, std::min(size, read_bytes_max), this->size());
  if (range.empty()) return reply.bytes({});
  const Status checked = check(range);
  if (!checked.ok()) return reply.error(error_number(checked));
  requests_.start(do_read(std::move(reply), range));
}

Task<void> VolumeFile::do_read(Reply reply, ByteRange range) {
  const std::uint64_t step = device_.limits().maximum_bytes;
  const std::size_t size = range.length.value();
  io::Semaphore::Take share(for_reads_, size);
  co_await share;
  io::BufferPool::Buffer buffer = co_await pool_.take(size);
  for (std::uint64_t at = 0; at < size;) {
    const ByteRange part{range.begin + ByteCount(at), ByteCount(std::min(step, size - at))};
    const Bytes into = buffer.bytes().subspan(at, part.length.value());
    const Status done = co_await device_.read(part, into);
    if (done.fault() == Fault::memory_held) {
      buffer.reset();
      io::BufferPool::Buffer other = co_await pool_.take(size);
      buffer = std::move(other);
      at = 0;
      continue;
    }
    if (!done.ok()) {
      reply.error(error_number(done));
      co_return;
    }
    at += part.length.value();
  }
  reply.bytes(buffer.bytes());
}

void VolumeFile::write(Reply reply, std::uint64_t offset, ConstBytes data,
                       ReceiveBuffers::Buffer& held) {
  const ByteRange range = clipped(offset, data.size(), size());
  if (range.empty()) return reply.error(data.empty() ? 0 : ENOSPC);
  const Status checked = check(range);
  if (!checked.ok()) return reply.error(error_number(checked));
  data = data.first(range.length.value());

  io::BufferPool::Buffer copy;
  if (data.size() <= std::min<std::uint64_t>(copied_bytes_max, for_copies_))
    copy = pool_.try_take(data.size());
  ReceiveBuffers::Buffer received;
  if (copy) {
    for_copies_ -= data.size();
    copy_bytes(copy.bytes(), data);
    data = copy.bytes();
  } else {
    received = std::move(held);
  }
  requests_.start(do_write(std::move(reply), offset, std::move(copy), std::move(received), data));
}

// `data` lies in one of the two buffers, which are named only to be held.
Task<void> VolumeFile::do_write(Reply reply, std::uint64_t offset, io::BufferPool::Buffer copy,
                                ReceiveBuffers::Buffer received, ConstBytes data) {
  const std::uint64_t step = device_.limits().maximum_bytes;
  Status status;
  for (std::uint64_t at = 0; at < data.size() && status.ok(); at += step) {
    const ConstBytes part = data.subspan(at, std::min<std::uint64_t>(step, data.size() - at));
    const ByteRange range{ByteOffset(offset + at), ByteCount(part.size())};
    const Status done = co_await device_.write(range, part, false);
    status = done;
  }
  if (copy) for_copies_ += data.size();
  copy.reset();
  received.reset();
  if (status.ok()) reply.written(data.size());
  else reply.error(error_number(status));
}

void VolumeFile::sync(Reply reply) { requests_.start(do_sync(std::move(reply))); }

Task<void> VolumeFile::do_sync(Reply reply) {
  const Status done = co_await device_.flush();
  reply.error(error_number(done));
}

void VolumeFile::zero(Reply reply, ByteRange range, bool may_unmap) {
  const Status checked = check(range);
  if (!checked.ok()) return reply.error(error_number(checked));
  requests_.start(do_zero(std::move(reply), range, may_unmap));
}

Task<void> VolumeFile::do_zero(Reply reply, ByteRange range, bool may_unmap) {
  for (ByteOffset at = range.begin; at < range.end();) {
    const std::uint64_t boundary = round_down(at.value(), zeroed_bytes_max) + zeroed_bytes_max;
    const ByteOffset end(std::min(boundary, range.end().value()));
    const ByteRange part{at, end - at};
    const Status done = co_await device_.write_zeroes(part, may_unmap);
    if (!done.ok()) {
      reply.error(error_number(done));
      co_return;
    }
    at = end;
  }
  reply.error(0);
}

}  // namespace replicator::shim
