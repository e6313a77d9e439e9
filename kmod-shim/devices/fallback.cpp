#include "devices/fallback.hpp"

#include <utility>

#include "base/log.hpp"

namespace replicator::shim {

FallbackAttachment::FallbackAttachment(std::unique_ptr<Attachment> first,
                                       std::unique_ptr<Attachment> second)
    : first_(std::move(first)), second_(std::move(second)), attached_(first_.get()) {}

Task<Result<std::uint64_t>> FallbackAttachment::attach() {
  if (second_->waits_for_attach()) {
    attached_ = second_.get();
    co_return co_await second_->attach();
  }
  attached_ = first_.get();
  const Result<std::uint64_t> number = co_await first_->attach();
  if (number) co_return number;
  log::warning("{} (errno {}); the second way to a device is taken", number.error().where(),
               number.error().error_number());
  attached_ = second_.get();
  co_return co_await second_->attach();
}

Task<Status> FallbackAttachment::detach_if_unused() {
  co_return co_await attached_->detach_if_unused();
}

Task<void> FallbackAttachment::abandon() {
  co_await first_->abandon();
  co_await second_->abandon();
}

Task<Status> FallbackAttachment::resize() { co_return co_await attached_->resize(); }

Task<std::vector<DeviceUser>> FallbackAttachment::users() { co_return co_await attached_->users(); }

void FallbackAttachment::set_backing_disk(const std::string& path) {
  first_->set_backing_disk(path);
  second_->set_backing_disk(path);
}

void FallbackAttachment::data_changed() noexcept {
  first_->data_changed();
  second_->data_changed();
}

}  // namespace replicator::shim
