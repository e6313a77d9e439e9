// Memory into which requests are received. Each buffer is laid out so that the payload of a write
// begins at a page boundary, whatever the size of the headers before it: large writes go to the
// device from where the kernel has put them. When that hangs the memory stays with it
// (io/held_memory.hpp), and other memory takes its place, so that one disk does not stop the
// others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "io/held_memory.hpp"

namespace replicator::shim {

class ReceiveBuffers final : io::HeldMemory::Listener {
 public:
  // `payload_bytes`: of the largest write. `header_bytes`: what the kernel puts before it.
  ReceiveBuffers(std::uint32_t count, std::size_t payload_bytes, std::size_t header_bytes);
  ReceiveBuffers(const ReceiveBuffers&) = delete;
  ReceiveBuffers& operator=(const ReceiveBuffers&) = delete;
  ~ReceiveBuffers();

  // Given back when destroyed.
  class Buffer {
   public:
    Buffer() noexcept = default;
    Buffer(Buffer&& other) noexcept;
    Buffer& operator=(Buffer&& other) noexcept;
    ~Buffer() { reset(); }
    [[nodiscard]] explicit operator bool() const noexcept { return owner_ != nullptr; }
    [[nodiscard]] Bytes bytes() const noexcept;  // headers and payload
    void reset() noexcept;

   private:
    friend class ReceiveBuffers;
    ReceiveBuffers* owner_ = nullptr;
    std::byte* page_ = nullptr;  // where the payload begins
  };

  // Null when all are in use.
  Buffer try_take() noexcept;
  // More of them, as far as there is memory and as long as some are in use; never more than `most`
  // in all.
  void grow(std::uint32_t by, std::uint32_t most) noexcept;
  [[nodiscard]] std::size_t count() const noexcept {
    return arena_bytes_ / stride_ + extra_.size();
  }
  // Called whenever one is given back; must not call back into this object.
  void add_listener(void (*call)(void*), void* context);
  void remove_listener(void* context) noexcept;

 private:
  void give(std::byte* page);
  bool map_extra() noexcept;
  void put_back(std::byte* page) noexcept;
  void memory_freed() noexcept override;
  void notify() const noexcept;

  std::byte* arena_ = nullptr;
  std::size_t stride_;
  std::size_t arena_bytes_;
  std::size_t payload_bytes_;
  std::size_t header_bytes_;
  std::vector<std::byte*> free_;
  std::vector<std::byte*> aside_;  // given back, and held
  std::vector<std::byte*> extra_;  // in place of those put aside, and for a while
  struct Returned {
    void (*notify)(void*);
    void* context;
  };
  std::vector<Returned> listeners_;
};

}  // namespace replicator::shim
