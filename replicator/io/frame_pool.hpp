// Coroutine frames come from free lists by size class, so that the write path allocates nothing
// once it has been warm. One pool a thread; frames are given back on the thread that took them.
#pragma once

#include <cstddef>

namespace replicator::io {

void* allocate_frame(std::size_t bytes);
void release_frame(void* frame, std::size_t bytes) noexcept;
// Fills the free lists, at start-up (see docs/operations.md, memory).
void reserve_frames(std::size_t bytes, std::size_t count);

}  // namespace replicator::io
