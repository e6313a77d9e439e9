#include "fuse/receive_buffers.hpp"

#include <sys/mman.h>

#include <utility>

#include "base/units.hpp"

namespace replicator::shim {

namespace {
constexpr std::size_t page = 4096;
}

ReceiveBuffers::ReceiveBuffers(std::uint32_t count, std::size_t payload_bytes,
                               std::size_t header_bytes)
    : stride_(page + round_up(payload_bytes, page)),
      arena_bytes_(stride_ * count),
      payload_bytes_(payload_bytes),
      header_bytes_(header_bytes) {
  ensure(count > 0 && header_bytes <= page);
  void* const memory = mmap(nullptr, arena_bytes_, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  ensure(memory != MAP_FAILED);
  arena_ = static_cast<std::byte*>(memory);
  for (std::uint32_t i = count; i > 0; --i)
    free_.push_back(arena_ + stride_ * (i - 1) + page);
}

ReceiveBuffers::~ReceiveBuffers() {
  ensure((free_.size() + aside_.size() - extra_.size()) * stride_ == arena_bytes_);
  if (!aside_.empty()) return;  // a device may yet use it
  munmap(arena_, arena_bytes_);
  for (std::byte* each : extra_)
    munmap(each, stride_);
}

void ReceiveBuffers::add_listener(void (*call)(void*), void* context) {
  listeners_.push_back({call, context});
}

void ReceiveBuffers::remove_listener(void* context) noexcept {
  std::erase_if(listeners_, [context](const Returned& each) { return each.context == context; });
}

void ReceiveBuffers::notify() const noexcept {
  for (const Returned& each : listeners_)
    each.notify(each.context);
}

ReceiveBuffers::Buffer ReceiveBuffers::try_take() noexcept {
  Buffer buffer;
  if (free_.empty()) return buffer;
  buffer.owner_ = this;
  buffer.page_ = free_.back();
  free_.pop_back();
  return buffer;
}

ReceiveBuffers::Buffer::Buffer(Buffer&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)), page_(std::exchange(other.page_, nullptr)) {}

ReceiveBuffers::Buffer& ReceiveBuffers::Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    reset();
    owner_ = std::exchange(other.owner_, nullptr);
    page_ = std::exchange(other.page_, nullptr);
  }
  return *this;
}

Bytes ReceiveBuffers::Buffer::bytes() const noexcept {
  ensure(owner_ != nullptr);
  return {page_ - owner_->header_bytes_, owner_->header_bytes_ + owner_->payload_bytes_};
}

void ReceiveBuffers::Buffer::reset() noexcept {
  if (owner_ == nullptr) return;
  std::exchange(owner_, nullptr)->give(page_);
}

bool ReceiveBuffers::map_extra() noexcept {
  void* const memory =
      mmap(nullptr, stride_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  extra_.push_back(static_cast<std::byte*>(memory));
  free_.push_back(extra_.back() + page);
  return true;
}

void ReceiveBuffers::grow(std::uint32_t by, std::uint32_t most) noexcept {
  while (by > 0 && count() < most && map_extra())
    --by;
}

// When all are there again, but for the one into which the next request is received, those that
// were mapped for a while go.
void ReceiveBuffers::put_back(std::byte* payload) noexcept {
  free_.push_back(payload);
  if (extra_.empty() || !aside_.empty() || free_.size() + 1 < count()) return;
  std::erase_if(extra_, [this](std::byte* each) {
    if (std::erase(free_, each + page) == 0) return false;
    munmap(each, stride_);
    return true;
  });
}

void ReceiveBuffers::give(std::byte* payload) {
  if (io::HeldMemory::holds(ConstBytes(payload, stride_ - page))) {
    aside_.push_back(payload);
    io::HeldMemory::listen(*this);
    if (!map_extra()) return;
  } else {
    put_back(payload);
  }
  notify();
}

void ReceiveBuffers::memory_freed() noexcept {
  const std::vector<std::byte*> looked_at = std::exchange(aside_, {});
  for (std::byte* payload : looked_at) {
    if (io::HeldMemory::holds(ConstBytes(payload, stride_ - page))) aside_.push_back(payload);
    else put_back(payload);
  }
  notify();
  if (aside_.empty()) Listener::unlink();
}

}  // namespace replicator::shim
