#include "ublk/queues.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.hpp"

namespace replicator::shim::ublk {

namespace {

Status copied(ssize_t moved, std::size_t wanted) noexcept {
  if (moved >= 0 && static_cast<std::size_t>(moved) == wanted) return Status();
  return Status(Fault::io_error, "copy of ublk data", moved < 0 ? errno : 0);
}

}  // namespace

Queues::~Queues() { close(); }

Status Queues::open(FileDescriptor file, std::uint16_t queues, std::uint16_t depth) {
  file_ = std::move(file);
  depth_ = depth;
  for (std::uint16_t queue = 0; queue < queues; ++queue) {
    const auto position = static_cast<off_t>(descriptors_position(queue));
    const void* const at = mmap(nullptr, descriptors_bytes(depth), PROT_READ,
                                MAP_SHARED | MAP_POPULATE, file_.get(), position);
    if (at == MAP_FAILED) return Status(Fault::io_error, "mmap of a ublk queue", errno);
    descriptors_.push_back(static_cast<const std::byte*>(at));
  }
  return Status();
}

void Queues::start() {
  for (std::uint16_t queue = 0; queue < descriptors_.size(); ++queue)
    for (std::uint16_t tag = 0; tag < depth_; ++tag)
      serving_.start(serve(queue, tag));
}

Task<void> Queues::ended() {
  co_await serving_.close();
  close();
}

void Queues::close() noexcept {
  for (const std::byte* const at : descriptors_)
    munmap(const_cast<std::byte*>(at), descriptors_bytes(depth_));
  descriptors_.clear();
  file_ = FileDescriptor();
}

// The driver writes it before it completes the fetch.
Descriptor Queues::descriptor(std::uint16_t queue, std::uint16_t tag) const noexcept {
  std::atomic_thread_fence(std::memory_order_acquire);
  Descriptor copy;
  std::memcpy(&copy, descriptors_[queue] + tag * sizeof(Descriptor), sizeof copy);
  return copy;
}

Task<void> Queues::serve(std::uint16_t queue, std::uint16_t tag) {
  io::Op op;
  QueueCommand command;
  command.queue = queue;
  command.tag = tag;
  const std::uint64_t position = data_position(queue, tag);
  reactor_.command(op, file_.get(), fetch_request,
                   std::bit_cast<std::array<std::uint64_t, 2>>(command));
  for (;;) {
    const std::int32_t fetched = co_await op;
    if (fetched != 0) {
      if (fetched != -ENODEV) log::warning("ublk: a queue ends with errno {}", -fetched);
      co_return;
    }
    while (held_) {
      io::Event::Wait wait(released_);
      co_await wait;
    }
    const Action action = interpret(descriptor(queue, tag));
    ++underway_;
    const Status done = co_await carry_out(action, position);
    --underway_;
    command.result = answer(action, done);
    reactor_.command(op, file_.get(), commit_and_fetch_request,
                     std::bit_cast<std::array<std::uint64_t, 2>>(command));
  }
}

Task<Status> Queues::carry_out(Action action, std::uint64_t position) {
  switch (action.kind) {
    case Action::Kind::read: co_return co_await read(action.range, position);
    case Action::Kind::write:
      co_return co_await write(action.range, action.force_unit_access, position);
    case Action::Kind::flush: co_return co_await device_.flush();
    case Action::Kind::discard:
    case Action::Kind::write_zeroes: co_return co_await zero(action);
    case Action::Kind::unknown: break;
  }
  co_return Status(Fault::unsupported, "ublk request");
}

Task<Status> Queues::read(ByteRange range, std::uint64_t position) {
  const std::uint64_t step = device_.limits().maximum_bytes;
  const std::size_t size = range.length.value();
  io::Semaphore::Take share(share_, size);
  co_await share;
  io::BufferPool::Buffer buffer = co_await pool_.take(size);
  for (std::uint64_t at = 0; at < size;) {
    const ByteRange part(range.begin + ByteCount(at), ByteCount(std::min(step, size - at)));
    const Bytes into = buffer.bytes().subspan(at, part.length.value());
    const Status done = co_await device_.read(part, into);
    if (done.fault() == Fault::memory_held) {
      buffer.reset();
      io::BufferPool::Buffer other = co_await pool_.take(size);
      buffer = std::move(other);
      at = 0;
      continue;
    }
    if (!done.ok()) co_return done;
    at += part.length.value();
  }
  co_return copied(pwrite(file_.get(), buffer.bytes().data(), size, static_cast<off_t>(position)),
                   size);
}

Task<Status> Queues::write(ByteRange range, bool force_unit_access, std::uint64_t position) {
  const std::uint64_t step = device_.limits().maximum_bytes;
  const std::size_t size = range.length.value();
  io::Semaphore::Take share(share_, size);
  co_await share;
  const io::BufferPool::Buffer buffer = co_await pool_.take(size);
  const Status fetched =
      copied(pread(file_.get(), buffer.bytes().data(), size, static_cast<off_t>(position)), size);
  if (!fetched.ok()) co_return fetched;
  for (std::uint64_t at = 0; at < size; at += step) {
    const ByteRange part(range.begin + ByteCount(at), ByteCount(std::min(step, size - at)));
    const ConstBytes data = buffer.bytes().subspan(at, part.length.value());
    const Status done = co_await device_.write(part, data, force_unit_access);
    if (!done.ok()) co_return done;
  }
  co_return Status();
}

Task<Status> Queues::zero_part(Action action, ByteRange part) {
  if (action.kind == Action::Kind::discard) co_return co_await device_.discard(part);
  co_return co_await device_.write_zeroes(part, action.may_unmap);
}

Task<Status> Queues::zero(Action action) {
  const ByteRange range = action.range;
  for (ByteOffset at = range.begin; at < range.end();) {
    const std::uint64_t boundary = round_down(at.value(), zeroed_bytes_step) + zeroed_bytes_step;
    const ByteOffset end(std::min(boundary, range.end().value()));
    const ByteRange part(at, end - at);
    const Status done = co_await zero_part(action, part);
    if (!done.ok()) co_return done;
    at = end;
  }
  co_return Status();
}

}  // namespace replicator::shim::ublk
