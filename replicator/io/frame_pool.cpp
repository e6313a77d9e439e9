#include "io/frame_pool.hpp"

#include <array>
#include <new>

namespace replicator::io {

namespace {

constexpr std::size_t granule = 128;
constexpr std::size_t classes = 32;  // up to 4 KiB; larger frames are rare and go to the heap

struct Free {
  Free* next;
};

struct Pool {
  std::array<Free*, classes> lists{};
  ~Pool() {
    for (Free* item : lists) {
      while (item != nullptr) {
        Free* next = item->next;
        ::operator delete(item);
        item = next;
      }
    }
  }
};

thread_local Pool pool_;

constexpr std::size_t class_of(std::size_t bytes) { return (bytes + granule - 1) / granule; }

}  // namespace

void* allocate_frame(std::size_t bytes) {
  const std::size_t index = class_of(bytes);
  if (index >= classes) return ::operator new(bytes);
#ifdef POLLUX_NO_FRAME_POOL
  return ::operator new(bytes);  // sanitizers see each frame's lifetime
#else
  Free*& list = pool_.lists[index];
  if (list == nullptr) return ::operator new(index * granule);
  Free* item = list;
  list = item->next;
  return item;
#endif
}

void release_frame(void* frame, std::size_t bytes) noexcept {
  const std::size_t index = class_of(bytes);
#ifdef POLLUX_NO_FRAME_POOL
  ::operator delete(frame);
  static_cast<void>(index);
#else
  if (index >= classes) {
    ::operator delete(frame);
    return;
  }
  auto* item = static_cast<Free*>(frame);
  item->next = pool_.lists[index];
  pool_.lists[index] = item;
#endif
}

void reserve_frames(std::size_t bytes, std::size_t count) {
  Free* taken = nullptr;
  for (std::size_t i = 0; i < count; ++i) {
    auto* item = static_cast<Free*>(allocate_frame(bytes));
    item->next = taken;
    taken = item;
  }
  while (taken != nullptr) {
    Free* next = taken->next;
    release_frame(taken, bytes);
    taken = next;
  }
}

}  // namespace replicator::io
