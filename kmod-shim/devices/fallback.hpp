// Two ways to a block device: the second is taken while the first has no room, which is noticed
// when the device is attached; or when a device of that kind waits to go on.
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
  [[nodiscard]] bool waits_for_attach() const noexcept override {
    return first_->waits_for_attach() || second_->waits_for_attach();
  }
  Task<Status> detach_if_unused() override;
  Task<void> abandon() override;
  Task<Status> resize() override;
  Task<std::vector<DeviceUser>> users() override;
  void set_backing_disk(const std::string& path) override;
  void data_changed() noexcept override;
  [[nodiscard]] bool can_be_left() const noexcept override { return attached_->can_be_left(); }
  void hold() noexcept override { attached_->hold(); }
  [[nodiscard]] bool quiet() const noexcept override { return attached_->quiet(); }
  void release() noexcept override { attached_->release(); }
  Task<Status> leave() override { return attached_->leave(); }

 private:
  std::unique_ptr<Attachment> first_;
  std::unique_ptr<Attachment> second_;
  Attachment* attached_;  // or the one that was last
};

}  // namespace replicator::shim
