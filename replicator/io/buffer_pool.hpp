// Page-aligned I/O memory from one arena that is allocated, touched and (in the real world) locked
// and registered with the kernel once, at start-up: nothing on the write path asks the kernel for
// memory. When the pool is empty, callers wait: that is the back-pressure (P6). What a disk that
// hangs may still use (HeldMemory) comes back when it is free; a second arena stands in meanwhile,
// so that one disk does not stop the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.hpp"
#include "io/held_memory.hpp"
#include "io/sync.hpp"

namespace replicator::io {

class BufferPool final : HeldMemory::Listener {
 public:
  static constexpr std::size_t page = 4096;

  // `arena_bytes` is rounded up to whole MiB.
  // `touch`: take the pages from the kernel now (always, outside the simulator).
  explicit BufferPool(std::size_t arena_bytes, bool touch = true);
  // Takes from `shared`, which outlives it; when there is no room, from memory of its own, which is
  // asked for when it is first needed. So that one of those who share does not stop the others (L2)
  // and an idle one costs nothing. Nobody waits at `shared` itself.
  BufferPool(BufferPool& shared, std::size_t own_bytes);
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  // A piece of the arena; given back when destroyed. Movable.
  class Buffer {
   public:
    Buffer() noexcept = default;
    Buffer(Buffer&& other) noexcept;
    Buffer& operator=(Buffer&& other) noexcept;
    ~Buffer() { reset(); }
    [[nodiscard]] explicit operator bool() const noexcept { return pool_ != nullptr; }
    // Exactly the length asked for; the memory behind it is whole pages.
    [[nodiscard]] Bytes bytes() const noexcept { return {data_, size_}; }
    void reset() noexcept;

   private:
    friend class BufferPool;
    BufferPool* pool_ = nullptr;
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::uint8_t order_ = 0;
  };

  // Null when there is no room now, or somebody waits for it. 1 <= size <= 1 MiB.
  Buffer try_take(std::size_t size);
  // Waits for room, in order of arrival: a small request does not overtake a large one, which would
  // otherwise wait for as long as there are small ones. Whoever waits here holds nothing of this
  // pool that he would give back only afterwards.
  Task<Buffer> take(std::size_t size);

  [[nodiscard]] Bytes arena() const noexcept { return {arena_, arena_bytes_}; }
  [[nodiscard]] std::size_t free_bytes() const noexcept { return free_bytes_; }

 private:
  explicit BufferPool(Bytes arena);
  void divide(Bytes arena);
  bool has_memory() noexcept;
  static Bytes map(std::size_t bytes, bool touch) noexcept;  // empty when there is no memory
  static constexpr std::uint8_t orders = 9;                  // 4 KiB << 0..8 = 4 KiB .. 1 MiB
  void give(std::byte* data, std::uint8_t order) noexcept;
  std::byte* carve(std::uint8_t order) noexcept;
  [[nodiscard]] std::size_t page_index(const std::byte* data) const noexcept;

  std::byte* arena_ = nullptr;
  std::size_t arena_bytes_ = 0;
  std::size_t free_bytes_ = 0;
  // Buddy allocator: per page, the order of the free block that begins there, or `taken`.
  static constexpr std::uint8_t taken = 0xff;
  struct Link {
    std::uint32_t next;
    std::uint32_t prev;
  };
  static constexpr std::uint32_t none = ~0U;
  std::vector<std::uint8_t> order_of_;
  std::vector<Link> links_;
  std::uint32_t heads_[orders] = {none, none, none, none, none, none, none, none, none};
  void push(std::uint32_t index, std::uint8_t order) noexcept;
  void remove(std::uint32_t index, std::uint8_t order) noexcept;
  void memory_freed() noexcept override;
  // Regardless of who waits.
  Buffer obtain(std::size_t size) noexcept;
  void serve() noexcept;
  class Turn;
  List<Turn> waiting_;
  struct Aside {
    std::byte* data;
    std::uint8_t order;
  };
  std::vector<Aside> aside_;  // given back, and held
  std::unique_ptr<BufferPool> stand_in_;
  BufferPool* stands_in_for_ = nullptr;
  struct Sharer : ListNode {
    explicit Sharer(BufferPool& p) noexcept : pool(p) {}
    BufferPool& pool;
  };
  BufferPool* shared_ = nullptr;
  std::size_t own_bytes_ = 0;  // until they are there
  Sharer sharer_{*this};
  List<Sharer> sharers_;
};

}  // namespace replicator::io
