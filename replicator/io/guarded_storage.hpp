// Disks that can be given up when the device hangs. An operation of the caller and the one with the
// device are two: the caller's ends when the disk is given up, the device's when the device says
// so. In between its memory is in HeldMemory and the disk stays open, so that nobody opens it anew
// and writes what a late operation would then overwrite (E2, E4, D6). Between uring/ or the
// simulator's disks and everything above.
#pragma once

#include <memory>
#include <string_view>

#include "io/io.hpp"
#include "io/sync.hpp"

namespace replicator::io {

class GuardedStorage final : public Storage {
 public:
  explicit GuardedStorage(Storage& storage) noexcept : storage_(storage) {}
  Result<std::unique_ptr<Disk>> open(std::string_view path, DiskAccess access) override;
  void keep(Remains remains) override;
  // Groups of disks that are still kept.
  [[nodiscard]] std::uint32_t kept() const noexcept { return keeping_.count(); }

 private:
  class Guard;
  static Task<void> wait_for(Remains remains);

  Storage& storage_;
  Gate keeping_;
};

}  // namespace replicator::io
