// The answer to one request of the kernel. Given exactly once; a request that nobody answered is
// answered with EIO, because the caller in the kernel waits for as long as it takes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"

struct fuse_req;

namespace replicator::shim {

class Reply {
 public:
  explicit Reply(fuse_req* request) noexcept : request_(request) {}
  Reply(Reply&& other) noexcept : request_(other.request_) { other.request_ = nullptr; }
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  Reply& operator=(Reply&&) = delete;
  ~Reply();

  // A positive errno, or 0: done, nothing to hand back.
  void error(int error_number) noexcept;
  void bytes(ConstBytes data) noexcept;
  void written(std::size_t count) noexcept;
  // A file is open. False: the opener went away meanwhile and will not release it.
  [[nodiscard]] bool opened(std::uint64_t handle) noexcept;

 private:
  fuse_req* take() noexcept;
  fuse_req* request_;
};

}  // namespace replicator::shim
