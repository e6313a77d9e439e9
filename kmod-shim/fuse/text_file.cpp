#include "fuse/text_file.hpp"

#include <algorithm>
#include <span>

namespace replicator::shim {

int TextFile::open(bool for_writing, std::uint64_t& handle) {
  if (for_writing) return EACCES;
  if (texts_.size() >= readers_max) return ENFILE;
  handle = next_handle_++;
  texts_.emplace(handle, generate_());
  return 0;
}

void TextFile::release(std::uint64_t handle, bool /*for_writing*/) noexcept {
  texts_.erase(handle);
}

void TextFile::read(Reply reply, std::uint64_t handle, std::uint64_t offset, std::size_t size) {
  const auto found = texts_.find(handle);
  if (found == texts_.end()) return reply.error(EBADF);
  const ConstBytes text = std::as_bytes(std::span(found->second));
  const std::size_t begin = static_cast<std::size_t>(std::min<std::uint64_t>(offset, text.size()));
  reply.bytes(text.subspan(begin, std::min(size, text.size() - begin)));
}

}  // namespace replicator::shim
