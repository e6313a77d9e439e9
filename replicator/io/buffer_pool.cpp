#include "io/buffer_pool.hpp"

#include <sys/mman.h>

#include <cstring>
#include <utility>

#include "base/units.hpp"

namespace replicator::io {

namespace {
constexpr std::size_t largest = 1U << 20U;
}

Bytes BufferPool::map(std::size_t bytes, bool touch) noexcept {
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | (touch ? MAP_POPULATE : 0), -1, 0);
  return memory == MAP_FAILED ? Bytes() : Bytes(static_cast<std::byte*>(memory), bytes);
}

BufferPool::BufferPool(std::size_t arena_bytes, bool touch)
    : BufferPool(map(round_up(arena_bytes, largest), touch)) {}

BufferPool::BufferPool(Bytes arena) {
  ensure(arena.data() != nullptr);
  divide(arena);
}

BufferPool::BufferPool(BufferPool& shared, std::size_t own_bytes)
    : shared_(&shared), own_bytes_(round_up(own_bytes, largest)) {
  shared.sharers_.push_back(sharer_);
}

void BufferPool::divide(Bytes arena) {
  arena_ = arena.data();
  arena_bytes_ = arena.size();
  const std::size_t pages = arena_bytes_ / page;
  order_of_.assign(pages, taken);
  links_.assign(pages, Link{none, none});
  for (std::size_t index = pages; index > 0;) {
    index -= largest / page;
    push(static_cast<std::uint32_t>(index), orders - 1);
  }
  free_bytes_ = arena_bytes_;
}

BufferPool::~BufferPool() {
  // What a device may yet use stays.
  if (arena_ != nullptr && aside_.empty()) munmap(arena_, arena_bytes_);
}

bool BufferPool::has_memory() noexcept {
  if (arena_ != nullptr) return true;
  const Bytes memory = map(own_bytes_, true);
  if (memory.empty()) return false;
  divide(memory);
  return true;
}

std::size_t BufferPool::page_index(const std::byte* data) const noexcept {
  return static_cast<std::size_t>(data - arena_) / page;
}

void BufferPool::push(std::uint32_t index, std::uint8_t order) noexcept {
  order_of_[index] = order;
  links_[index] = Link{heads_[order], none};
  if (heads_[order] != none) links_[heads_[order]].prev = index;
  heads_[order] = index;
}

void BufferPool::remove(std::uint32_t index, std::uint8_t order) noexcept {
  const Link link = links_[index];
  if (link.prev == none) heads_[order] = link.next;
  else links_[link.prev].next = link.next;
  if (link.next != none) links_[link.next].prev = link.prev;
  order_of_[index] = taken;
}

std::byte* BufferPool::carve(std::uint8_t order) noexcept {
  std::uint8_t from = order;
  while (from < orders && heads_[from] == none)
    ++from;
  if (from == orders) return nullptr;
  const std::uint32_t index = heads_[from];
  remove(index, from);
  while (from > order) {
    --from;
    push(index + (1U << from), from);
  }
  free_bytes_ -= page << order;
  return arena_ + static_cast<std::size_t>(index) * page;
}

void BufferPool::give(std::byte* data, std::uint8_t order) noexcept {
  if (HeldMemory::holds(ConstBytes(data, page << order))) {
    aside_.push_back(Aside{data, order});
    HeldMemory::listen(*this);
    return serve();  // in the stand-in
  }
  free_bytes_ += page << order;
  auto index = static_cast<std::uint32_t>(page_index(data));
  while (order + 1 < orders) {
    const std::uint32_t buddy = index ^ (1U << order);
    if (order_of_[buddy] != order) break;
    remove(buddy, order);
    index &= ~(1U << order);
    ++order;
  }
  push(index, order);
  serve();
}

// One that waits. It is given its memory, and does not look for it when it runs.
class BufferPool::Turn : public ListNode {
 public:
  Turn(BufferPool& pool, std::size_t size) noexcept : pool_(pool), size_(size) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (!linked()) return;
    unlink();
    pool_.serve();  // there may be room for the next one
  }
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) noexcept {
    waiter_.bind(handle);
    pool_.waiting_.push_back(*this);
  }
  void await_resume() const noexcept {}
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  void end(Buffer given) noexcept {
    buffer = std::move(given);
    unlink();
    RunQueue::current().post(waiter_);
  }
  Buffer buffer;

 private:
  BufferPool& pool_;
  std::size_t size_;
  Waiter waiter_;
};

void BufferPool::serve() noexcept {
  while (Turn* first = waiting_.first()) {
    Buffer buffer = obtain(first->size());
    if (!buffer) break;
    first->end(std::move(buffer));
  }
  if (stands_in_for_ != nullptr) stands_in_for_->serve();
  for (Sharer* next = sharers_.first(); next != nullptr; next = sharers_.next(*next))
    next->pool.serve();
}

void BufferPool::memory_freed() noexcept {
  std::vector<Aside> looked_at;
  looked_at.swap(aside_);
  for (const Aside& piece : looked_at)
    give(piece.data, piece.order);
  if (aside_.empty()) Listener::unlink();
}

BufferPool::Buffer BufferPool::try_take(std::size_t size) {
  ensure(size >= 1 && size <= largest);
  return waiting_.empty() ? obtain(size) : Buffer();
}

BufferPool::Buffer BufferPool::obtain(std::size_t size) noexcept {
  std::uint8_t order = 0;
  while ((page << order) < size)
    ++order;
  Buffer buffer;
  if (shared_ != nullptr) {
    buffer = shared_->obtain(size);
    if (buffer || !has_memory()) return buffer;
  }
  std::byte* data = carve(order);
  if (data == nullptr && !aside_.empty()) {
    if (!stand_in_) {
      const Bytes memory = map(arena_bytes_, true);
      if (memory.empty()) return buffer;  // then there is less, until the disk answers
      stand_in_.reset(new BufferPool(memory));
      stand_in_->stands_in_for_ = this;
    }
    return stand_in_->obtain(size);
  }
  if (data == nullptr) return buffer;
  buffer.pool_ = this;
  buffer.data_ = data;
  buffer.size_ = size;
  buffer.order_ = order;
  return buffer;
}

Task<BufferPool::Buffer> BufferPool::take(std::size_t size) {
  Buffer buffer = try_take(size);
  if (buffer) co_return buffer;
  Turn turn(*this, size);
  co_await turn;
  co_return std::move(turn.buffer);
}

BufferPool::Buffer::Buffer(Buffer&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      data_(other.data_),
      size_(other.size_),
      order_(other.order_) {}

BufferPool::Buffer& BufferPool::Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    reset();
    pool_ = std::exchange(other.pool_, nullptr);
    data_ = other.data_;
    size_ = other.size_;
    order_ = other.order_;
  }
  return *this;
}

void BufferPool::Buffer::reset() noexcept {
  if (pool_ == nullptr) return;
  pool_->give(data_, order_);
  pool_ = nullptr;
}

}  // namespace replicator::io
