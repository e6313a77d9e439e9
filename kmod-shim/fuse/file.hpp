// One file of a FUSE directory (fuse/directory.hpp). Requests arrive on the reactor's thread and
// must not block it; the reply may be given later.
#pragma once

#include <cerrno>
#include <cstdint>
#include <utility>

#include "base/bytes.hpp"
#include "base/units.hpp"
#include "fuse/receive_buffers.hpp"
#include "fuse/reply.hpp"

namespace replicator::shim {

class File {
 public:
  virtual ~File() = default;

  [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;
  [[nodiscard]] virtual std::uint32_t mode() const noexcept = 0;  // permission bits

  struct Opener {
    bool for_writing = false;
    std::uint32_t user = 0;
    bool keeps_access_time = false;  // O_NOATIME
  };
  // 0 or a positive errno. Each success is paired with one release of the same handle.
  virtual int open(const Opener& opener, std::uint64_t& handle) = 0;
  virtual void release(std::uint64_t handle, bool for_writing) noexcept = 0;

  virtual void read(Reply reply, std::uint64_t handle, std::uint64_t offset, std::size_t size) = 0;
  // `data` lies in `held`: whoever needs it after the call keeps that.
  virtual void write(Reply reply, std::uint64_t /*offset*/, ConstBytes /*data*/,
                     ReceiveBuffers::Buffer& /*held*/) {
    reply.error(EACCES);
  }
  virtual void sync(Reply reply) { reply.error(0); }
  virtual void zero(Reply reply, ByteRange /*range*/, bool /*may_unmap*/) {
    reply.error(EOPNOTSUPP);
  }
};

}  // namespace replicator::shim
