// The attachment that every kernel has: the volume is a file served through FUSE, and a loop device
// is set over it. The server is this process: when it dies, users of the device see errors.
#pragma once

#include <optional>
#include <string>

#include "devices/attachment.hpp"
#include "devices/loop_device.hpp"
#include "fuse/directory.hpp"
#include "fuse/volume_file.hpp"

namespace replicator::shim {

class FuseLoopAttachment : public Attachment {
 public:
  // The file appears in the directory for the lifetime of this object. All outlive it.
  FuseLoopAttachment(Directory& directory, io::BlockDevice& device, io::BufferPool& pool,
                     std::string file_name, std::uint32_t minor);
  ~FuseLoopAttachment() override;

  Task<Result<std::uint64_t>> attach() override;
  Task<Status> detach_if_unused() override;
  Task<void> abandon() override;
  Task<Status> resize() override;
  Task<std::vector<DeviceUser>> users() override;

 private:
  Directory& directory_;
  io::BlockDevice& device_;
  VolumeFile file_;
  std::string path_;
  std::uint32_t minor_;
  std::optional<LoopDevice> loop_;
};

}  // namespace replicator::shim
