#include "fuse/text_file.hpp"

#include <algorithm>
#include <span>

namespace replicator::shim {

int TextFile::open(const Opener& opener, std::uint64_t& handle) {
  if (opener.for_writing) return EACCES;
  const Share share = opener.user == 0 ? Share::root : Share::others;
  std::size_t& open = open_[static_cast<std::size_t>(share)];
  if (open >= share_max) return ENFILE;
  ++open;
  handle = next_handle_++;
  texts_.emplace(handle, Text{generate_(), share});
  return 0;
}

void TextFile::release(std::uint64_t handle, bool /*for_writing*/) noexcept {
  const auto found = texts_.find(handle);
  if (found == texts_.end()) return;
  --open_[static_cast<std::size_t>(found->second.share)];
  texts_.erase(found);
}

void TextFile::read(Reply reply, std::uint64_t handle, std::uint64_t offset, std::size_t size) {
  const auto found = texts_.find(handle);
  if (found == texts_.end()) return reply.error(EBADF);
  const ConstBytes text = std::as_bytes(std::span(found->second.text));
  const std::size_t begin = static_cast<std::size_t>(std::min<std::uint64_t>(offset, text.size()));
  reply.bytes(text.subspan(begin, std::min(size, text.size() - begin)));
}

}  // namespace replicator::shim
