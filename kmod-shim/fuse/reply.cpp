#define FUSE_USE_VERSION 312
#include "fuse/reply.hpp"

#include <fuse_lowlevel.h>
#include <linux/fuse.h>

#include <cerrno>

#include "base/ensure.hpp"

namespace replicator::shim {

Reply::~Reply() {
  if (request_ != nullptr) fuse_reply_err(request_, EIO);
}

fuse_req* Reply::take() noexcept {
  ensure(request_ != nullptr);
  fuse_req* const request = request_;
  request_ = nullptr;
  return request;
}

void Reply::error(int error_number) noexcept { fuse_reply_err(take(), error_number); }

void Reply::bytes(ConstBytes data) noexcept {
  fuse_reply_buf(take(), reinterpret_cast<const char*>(data.data()), data.size());
}

void Reply::written(std::size_t count) noexcept { fuse_reply_write(take(), count); }

bool Reply::opened(std::uint64_t handle) noexcept {
  // The library's own reply knows no parallel writes yet. Without them the kernel holds the inode
  // exclusively while it submits a write, and a flush in flight stops all of them anyway.
  fuse_open_out opened = {};
  opened.fh = handle;
  opened.open_flags = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;
  return fuse_reply_buf(take(), reinterpret_cast<const char*>(&opened), sizeof opened) == 0;
}

}  // namespace replicator::shim
