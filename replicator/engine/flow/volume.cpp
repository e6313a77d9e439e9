#include "engine/flow/volume.hpp"

#include "base/log.hpp"
#include "base/sabotage.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/online_verify.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/resync.hpp"
#include "engine/flow/undo_log.hpp"

namespace replicator {

Volume::Volume(Resource& resource, std::uint32_t number, std::uint32_t minor)
    : resource_(resource), number_(number), minor_(minor) {}

Volume::~Volume() = default;

io::BlockLimits Volume::limits() const noexcept {
  io::BlockLimits limits;
  limits.size = size_;
  limits.block_bytes = backing_ ? backing_->logical_block_bytes() : 512;
  limits.writable = state_.role == Role::primary;
  return limits;
}

Status Volume::open(bool for_writing) {
  if (state_.role != Role::primary) return Status(Fault::read_only, "open");
  if (size_.value() == 0) return Status(Fault::no_disk, "open");
  if (openers_ == 0) block_bytes_at_open_ = limits().block_bytes;
  ++openers_;
  if (for_writing) ++writing_openers_;
  return Status();
}

void Volume::close(bool for_writing) noexcept {
  ensure(openers_ > 0);
  --openers_;
  if (for_writing) --writing_openers_;
}

Status Volume::check(ByteRange range, bool /*writing*/) const noexcept {
  if (state_.role != Role::primary) return Status(Fault::read_only, "not Primary");
  std::uint64_t end = 0;
  if (!checked_add(range.begin.value(), range.length.value(), end) || end > size_.value()) {
    return Status(Fault::out_of_range, "request");
  }
  const std::uint64_t block = limits().block_bytes;
  if (range.begin.value() % block != 0 || range.length.value() % block != 0) {
    return Status(Fault::out_of_range, "request alignment");
  }
  return Status();
}

bool Volume::accepts_io_now() const noexcept {
  const Connection* connection = resource_.connection();
  return accepts_application_io(state_, connection != nullptr ? connection->agreed_version() : 0);
}

Task<Status> Volume::wait_for_io() {
  for (;;) {
    if (state_.role != Role::primary) co_return Status(Fault::read_only, "not Primary");
    if (accepts_io_now() && role_settled_) co_return Status();
    if (state_.suspended() && resource_.suspended_io_given_up()) {
      co_return Status(Fault::suspended, "request");
    }
    io::Event::Wait wait(resource_.changed);
    co_await wait;
  }
}

Task<Status> Volume::thawed() {
  if (sabotage(Sabotage::answer_while_frozen)) co_return Status();
  while (state_.suspended()) {
    if (resource_.suspended_io_given_up()) co_return Status(Fault::suspended, "request");
    io::Event::Wait wait(resource_.changed);
    co_await wait;
  }
  co_return Status();
}

void Volume::mark_out_of_sync(ByteRange range) {
  if (backing_) backing_->bitmap().set_range(range);
}

void Volume::clear_out_of_sync(ByteRange range) {
  if (backing_) backing_->bitmap().clear_range(range, size_);
}

std::uint64_t Volume::out_of_sync_blocks() const noexcept {
  return backing_ ? backing_->bitmap().weight().value() : 0;
}

bool Volume::in_sync(ByteRange range) const noexcept {
  return backing_ && backing_->bitmap().weight_in(range).value() == 0;
}

void Volume::local_io_failed(const char* what, std::int32_t error, ByteRange range) {
  log::error("{}/{}: local {} error {} at {}+{}", resource_.name(), number_, what, -error,
             range.begin.value(), range.length.value());
  resource_.local_disk_failed(*this);
}

void Volume::data_io_failed(const char* what, std::int32_t error, ByteRange range) {
  if (disk_options_.on_io_error != OnIoError::pass_on) return local_io_failed(what, error, range);
  log::error("{}/{}: Local IO failed: {} error {} at {}+{}", resource_.name(), number_, what,
             -error, range.begin.value(), range.length.value());
  mark_out_of_sync(range);
  if (state_.disk <= DiskState::inconsistent) return;
  StateDelta delta;
  delta.disk(DiskState::inconsistent);
  resource_.change(*this, delta, true);
}

PacingOptions Volume::pacing() const noexcept {
  PacingOptions options;
  options.resync_rate = disk_options_.resync_rate;
  options.c_plan_ahead = disk_options_.c_plan_ahead_tenths;
  options.c_delay_target = disk_options_.c_delay_target_tenths;
  options.c_fill_target = disk_options_.c_fill_target_sectors;
  options.c_max_rate = disk_options_.c_max_rate;
  options.c_min_rate = disk_options_.c_min_rate;
  if (const Connection* connection = resource_.connection()) {
    options.max_buffers = connection->options().max_buffers;
  }
  return options;
}

bool Volume::application_io_seen() noexcept {
  const bool seen = application_requests_ != application_seen_ || application_pending_ != 0 ||
                    peer_unacknowledged_ != 0;
  application_seen_ = application_requests_;
  return seen;
}

VolumeStatus Volume::status() const {
  VolumeStatus status;
  status.volume = number_;
  status.minor = minor_;
  status.state = state_;
  status.size_kib = size_.value() / 1024;
  status.open = is_open();
  status.net_sent_kib = net_sent_ / 1024;
  status.net_received_kib = net_received_ / 1024;
  status.local_pending = local_pending_;
  status.peer_pending = peer_pending_;
  status.peer_unacknowledged = peer_unacknowledged_;
  status.application_pending = application_pending_;
  status.in_doubt_sectors = in_doubt_sectors_;
  if (backing_) {
    status.backing_disk = backing_config_.disk_path;
    status.meta_disk = backing_config_.meta_disk_path;
    status.meta_index = backing_config_.meta_index;
    status.out_of_sync_kib = out_of_sync_blocks() * (block_bytes / 1024);
    status.write_ordering = letter(resource_.write_ordering());
    backing_->fill(status);
  }
  if (resync_) status.progress = resync_->progress();
  if (verify_) status.progress = verify_->progress();
  return status;
}

}  // namespace replicator
