// A volume as a file under a loop device: what the block layer does to the file is done to the
// BlockDevice. Keeps D3 (fsync is a flush of both nodes), D7 (a split request succeeds only when
// each part did), P4 (ranges are checked here and again by the device) and P6 (bounded).
//
// Only the range operations that read back as zeroes exist on this way: the loop driver turns a
// discard and a write of zeroes into the same hole punch, so both must leave zeroes behind.
#pragma once

#include <cstdint>

#include "fuse/file.hpp"
#include "io/block_device.hpp"
#include "io/buffer_pool.hpp"
#include "io/sync.hpp"

namespace replicator::shim {

class VolumeFile : public File {
 public:
  // The loop device opens the file with O_NOATIME: its handle is the same in each daemon, so that a
  // successor knows its release from those of others who had the file open.
  // Both outlive the file; close() comes before the end of it.
  VolumeFile(io::BlockDevice& device, io::BufferPool& pool);

  [[nodiscard]] std::uint64_t size() const noexcept override {
    return device_.limits().size.value();
  }
  [[nodiscard]] std::uint32_t mode() const noexcept override { return 0600; }
  int open(const Opener& opener, std::uint64_t& handle) override;
  void release(std::uint64_t handle, bool for_writing) noexcept override;
  void read(Reply reply, std::uint64_t handle, std::uint64_t offset, std::size_t size) override;
  void write(Reply reply, std::uint64_t offset, ConstBytes data,
             ReceiveBuffers::Buffer& held) override;
  void sync(Reply reply) override;
  void zero(Reply reply, ByteRange range, bool may_unmap) override;

  // The loop device that opened the file of a daemon before this one has it open here too.
  Status adopt_loop();
  // All that was received is answered.
  [[nodiscard]] bool quiet() const noexcept { return requests_.empty(); }

  // Opens that were not released yet; `released` is notified when one is.
  [[nodiscard]] std::uint32_t openers() const noexcept { return openers_; }
  [[nodiscard]] io::Event& released() noexcept { return released_; }

  // Waits until every request is answered, and gives up the openers that are left.
  Task<void> close();

 private:
  Task<void> do_read(Reply reply, ByteRange range);
  Task<void> do_write(Reply reply, std::uint64_t offset, io::BufferPool::Buffer copy,
                      ReceiveBuffers::Buffer received, ConstBytes data);
  Task<void> do_sync(Reply reply);
  Task<void> do_zero(Reply reply, ByteRange range, bool may_unmap);
  [[nodiscard]] Status check(ByteRange range) const noexcept;

  [[nodiscard]] static std::uint64_t handle_of_others() noexcept;

  io::BlockDevice& device_;
  // When several volumes stand still, they have taken all of what is shared: each goes on with a
  // little of its own (L2).
  io::BufferPool pool_;
  // Of what is shared, this volume's part.
  io::Semaphore for_reads_;
  std::uint64_t for_copies_;
  std::uint32_t openers_ = 0;
  std::uint32_t writers_ = 0;
  io::Event released_;
  io::Gate requests_;
};

}  // namespace replicator::shim
