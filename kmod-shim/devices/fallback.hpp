// Two ways to a block device: the second is taken while the first has no room, which is noticed
// when the device is attached.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "devices/attachment.hpp"

namespace replicator::shim {

class FallbackAttachment final : public Attachment {
 public:
  FallbackAttachment(std::unique_ptr<Attachment> first, std::unique_ptr<Attachment> second);

  Task<Result<std::uint64_t>> attach() override;
  Task<Status> detach_if_unused() override;
  Task<void> abandon() override;
  Task<Status> resize() override;
  Task<std::vector<DeviceUser>> users() override;
  void set_backing_disk(const std::string& path) override;
  void data_changed() noexcept override;

 private:
  std::unique_ptr<Attachment> first_;
  std::unique_ptr<Attachment> second_;
  Attachment* attached_;  // or the one that was last
};

}  // namespace replicator::shim
