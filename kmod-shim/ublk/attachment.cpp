#include "ublk/attachment.hpp"

#include <unistd.h>

#include <utility>

#include "base/log.hpp"
#include "devices/driver_node.hpp"
#include "off_thread.hpp"

namespace replicator::shim::ublk {

UblkAttachment::UblkAttachment(uring::Reactor& reactor, Control& control, io::BlockDevice& device,
                               io::BufferPool& pool, Options options, std::string volume,
                               std::uint32_t minor, std::optional<DeviceRecord> waiting)
    : reactor_(reactor),
      control_(control),
      device_(device),
      pool_(pool),
      options_(options),
      volume_(std::move(volume)),
      minor_(minor),
      waiting_(std::move(waiting)) {}

UblkAttachment::~UblkAttachment() = default;

Task<Result<std::uint64_t>> UblkAttachment::attach() {
  // A device that is being given up goes first: its record has the name of the next one's.
  co_await background_.close();
  const Status opened = device_.open(true);
  if (!opened.ok()) co_return tl::unexpected(opened);
  bool up = false;
  if (waiting_) {
    const bool recovered = co_await recover();
    up = recovered;
  }
  if (!up) {
    const Status created = co_await create();
    if (!created.ok()) {
      device_.close(true);
      co_return tl::unexpected(created);
    }
  }
  co_return disk_number(*handle_);
}

Status UblkAttachment::open_queues() {
  Result<FileDescriptor> file = open_character(*handle_);
  if (!file) return file.error();
  return queues_->open(std::move(*file), handle_->info.queues, handle_->info.depth);
}

Task<Status> UblkAttachment::create() {
  DeviceRecord record;
  record.minor = minor_;
  record.token = reactor_.world().entropy.next64();
  record.volume = volume_;
  DeviceInfo wanted;
  wanted.queues = options_.queues;
  wanted.depth = options_.depth;
  wanted.largest_request = request_bytes_max;
  wanted.id = no_id;
  wanted.flags = device_flags(options_.features, options_.survives);
  wanted.servers_own = record.token;
  queues_ = std::make_unique<Queues>(reactor_, device_, pool_);
  const auto prepare = [this, &record, wanted, limits = device_.limits(), disk = backing_disk_] {
    const Parameters set = parameters(limits, is_rotational(disk));
    Result<Handle> made = add_device(control_, record, wanted, set);
    if (!made) return made.error();
    handle_ = *made;
    return open_queues();
  };
  const Status prepared = co_await off_thread(reactor_, prepare);
  if (!prepared.ok()) {
    co_await give_up();
    co_return prepared;
  }
  const Status up = co_await bring_up(false);
  if (up.ok()) log::info("drbd{} is ublkb{}", minor_, handle_->info.id);
  co_return up;
}

Task<bool> UblkAttachment::recover() {
  const DeviceRecord record = *std::exchange(waiting_, std::nullopt);
  queues_ = std::make_unique<Queues>(reactor_, device_, pool_);
  const auto prepare = [this, &record] {
    Result<Handle> known = begin_recovery(control_, record);
    if (!known) return known.error();
    handle_ = *known;
    return open_queues();
  };
  const Status prepared = co_await off_thread(reactor_, prepare);
  Status up = prepared;
  const bool taken = handle_.has_value();
  if (prepared.ok()) {
    const Status brought = co_await bring_up(true);
    up = brought;
  }
  if (!up.ok()) {
    log::error("drbd{}: its users see errors, ublkb{} could not be taken over: {} (errno {})",
               minor_, record.id, up.where(), up.error_number());
    if (queues_) co_await give_up();
    // What was taken has gone with that, and its number may be another's by now.
    if (!taken) co_await let_go(record);
    co_return false;
  }
  log::info("drbd{} is ublkb{} again, and its users go on", minor_, record.id);
  const std::uint64_t sectors = device_.limits().size.value() / sector_bytes;
  if (handle_->parameters.device_sectors != sectors) {
    const Status resized = co_await resize();
    if (!resized.ok()) log::warning("drbd{} keeps its size: {}", minor_, resized.where());
  }
  co_return true;
}

Task<void> UblkAttachment::let_go(DeviceRecord record) {
  const auto end = [this, &record] {
    DeviceInfo info;
    const std::int32_t asked = control_.info(record.id, info);
    if (asked >= 0 && info.servers_own == record.token)
      static_cast<void>(stop_and_remove(control_, record.id));
    ublk_records.remove(minor_);
    return true;
  };
  co_await off_thread(reactor_, end);
}

Task<Status> UblkAttachment::bring_up(bool recovery) {
  queues_->start();
  const auto begin = [this, recovery] {
    return recovery ? end_recovery(control_, *handle_) : start(control_, *handle_);
  };
  const Status begun = co_await off_thread(reactor_, begin);
  if (!begun.ok()) co_await give_up();
  co_return begun;
}

// The device, in whatever state it is.
Task<void> UblkAttachment::give_up() {
  if (handle_) co_await drop(handle_->info.id);
  co_await queues_->ended();
  queues_.reset();
  handle_.reset();
}

Task<Status> UblkAttachment::detach_if_unused() {
  if (!handle_) co_return Status();
  const auto end = [this] { return stop_if_unused(control_, *handle_); };
  const Status ended = co_await off_thread(reactor_, end);
  if (!ended.ok()) co_return ended;
  co_await give_up();
  device_.close(true);
  co_return ended;
}

Task<void> UblkAttachment::abandon() {
  co_await background_.close();
  if (waiting_) {
    const std::uint32_t id = waiting_->id;
    waiting_.reset();
    co_await drop(id);
  }
  if (!handle_) co_return;
  co_await give_up();
  device_.close(true);
}

Task<void> UblkAttachment::drop(std::uint32_t id) {
  const auto end = [this, id] {
    const Status removed = stop_and_remove(control_, id);
    ublk_records.remove(minor_);
    return removed;
  };
  const Status ended = co_await off_thread(reactor_, end);
  if (!ended.ok()) log::warning("ublk: device {} stays: errno {}", id, ended.error_number());
}

// Noted before anything of the new data is written: should this daemon be killed in turn, the next
// one knows. /run is memory; this waits for no disk.
void UblkAttachment::data_changed() noexcept {
  if (!waiting_) return;
  DeviceRecord record = *std::exchange(waiting_, std::nullopt);
  record.outdated = true;
  const Status noted = ublk_records.write(record);
  log::error("drbd{}: its data come from the peer now, the users of ublkb{} see errors{}", minor_,
             record.id, noted.ok() ? "" : " (not noted)");
  background_.start(drop(record.id));
}

bool UblkAttachment::can_be_left() const noexcept {
  return handle_.has_value() && (handle_->info.flags & feature_user_recovery) != 0;
}

// The driver sees the end of this process, as it would see its death.
Task<Status> UblkAttachment::leave() {
  if (!can_be_left()) co_return Status(Fault::unsupported, "a device made without recovery");
  device_.close(true);
  co_return Status();
}

Task<Status> UblkAttachment::resize() {
  if (!handle_) co_return Status();
  if ((handle_->info.flags & feature_update_size) == 0)
    co_return Status(Fault::unsupported,
                     "this kernel's ublk devices keep their size until they "
                     "are closed by all and opened anew");
  const auto tell = [this, sectors = device_.limits().size.value() / sector_bytes] {
    return control_.update_size(handle_->info.id, sectors);
  };
  const std::int32_t told = co_await off_thread(reactor_, tell);
  if (told < 0) co_return Status(Fault::io_error, "ublk: update size", -told);
  co_return Status();
}

Task<std::vector<DeviceUser>> UblkAttachment::users() {
  std::vector<DeviceUser> found;
  if (!handle_) co_return found;
  const auto work = [number = disk_number(*handle_)] { return find_device_users(number); };
  found = co_await off_thread(reactor_, work);
  co_return found;
}

}  // namespace replicator::shim::ublk
