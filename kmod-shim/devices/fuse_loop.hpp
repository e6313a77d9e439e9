// The attachment that every kernel has: the volume is a file served through FUSE, and a loop device
// is set over it. Keeps S4.
//
// It outlives a daemon that is killed where the kernel asks again what was not answered (Linux
// 6.9): the keeper has the other end of the mount, and the loop device waits. A new daemon goes on
// with attach(), when this node is Primary again. Its users may only go on if nobody else has
// changed the data since: data_changed() gives the device up, and they see errors.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "devices/attachment.hpp"
#include "devices/loop_device.hpp"
#include "devices/loop_record.hpp"
#include "devices/volume_mounts.hpp"
#include "fuse/directory.hpp"
#include "fuse/volume_file.hpp"
#include "io/sync.hpp"

namespace replicator::shim {

class FuseLoopAttachment : public Attachment {
 public:
  // `waiting`: the device that a daemon before has left behind. All references outlive this.
  FuseLoopAttachment(VolumeMounts mounts, io::BlockDevice& device, io::BufferPool& pool,
                     std::string volume, std::uint32_t minor, std::optional<LoopRecord> waiting);
  ~FuseLoopAttachment() override;

  Task<Result<std::uint64_t>> attach() override;
  [[nodiscard]] bool waits_for_attach() const noexcept override { return waiting_.has_value(); }
  Task<Status> detach_if_unused() override;
  Task<void> abandon() override;
  Task<Status> resize() override;
  Task<std::vector<DeviceUser>> users() override;
  void data_changed() noexcept override;
  [[nodiscard]] bool can_be_left() const noexcept override {
    return loop_.has_value() && (kept_ || mounts_.keeper.there());
  }
  void hold() noexcept override { directory_->pause(); }
  [[nodiscard]] bool quiet() const noexcept override { return file_.quiet(); }
  void release() noexcept override { directory_->unpause(); }
  Task<Status> leave() override;

 private:
  Task<Status> create();
  Task<Status> set_loop_over_it();
  Task<bool> recover();
  Task<Status> take_over(LoopRecord record);
  Task<Status> look_at_size();
  Task<Status> keep();
  Task<void> unmount();
  Task<void> drop(LoopRecord record);

  VolumeMounts mounts_;
  io::BlockDevice& device_;
  VolumeFile file_;
  std::string volume_;
  std::uint32_t minor_;
  std::optional<LoopRecord> waiting_;
  std::optional<LoopDevice> loop_;
  bool kept_ = false;                     // the keeper has the mount
  std::unique_ptr<Directory> directory_;  // while there is a loop device
  io::Gate background_;                   // last: its frames refer to everything above
};

}  // namespace replicator::shim
