#include "nbd/attachment.hpp"

#include <utility>

#include "base/log.hpp"
#include "devices/driver_node.hpp"
#include "nbd/device.hpp"
#include "off_thread.hpp"

namespace replicator::shim::kernel_nbd {

NbdAttachment::NbdAttachment(uring::Reactor& reactor, Control& control, io::BlockDevice& device,
                             std::string volume, std::uint32_t minor,
                             std::optional<DeviceRecord> waiting)
    : reactor_(reactor),
      control_(control),
      device_(device),
      volume_(std::move(volume)),
      minor_(minor),
      waiting_(std::move(waiting)),
      service_(reactor, control, device, volume_) {}

NbdAttachment::~NbdAttachment() = default;

Task<Result<std::uint64_t>> NbdAttachment::attach() {
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
  co_return disk_;
}

Task<Status> NbdAttachment::create() {
  DeviceRecord record;
  record.minor = minor_;
  record.token = reactor_.world().entropy.next64();
  record.volume = volume_;
  const Status up = co_await bring_up(std::move(record), false);
  if (up.ok()) log::info("drbd{} is nbd{}", minor_, served_->id);
  co_return up;
}

Task<bool> NbdAttachment::recover() {
  DeviceRecord record = *std::exchange(waiting_, std::nullopt);
  const std::uint32_t id = record.id;
  const Status up = co_await bring_up(std::move(record), true);
  if (!up.ok()) {
    log::error("drbd{}: its users see errors, nbd{} could not be taken over: {} (errno {})", minor_,
               id, up.where(), up.error_number());
    co_return false;
  }
  log::info("drbd{} is nbd{} again, and its users go on", minor_, id);
  background_.start(catch_up_size());
  co_return true;
}

Task<Status> NbdAttachment::bring_up(DeviceRecord record, bool recovery) {
  Result<FileDescriptor> kernels = service_.connect();
  if (!kernels) co_return kernels.error();
  const auto begin = [this, &record, recovery, socket = kernels->get(), limits = device_.limits(),
                      disk = backing_disk_] {
    const Status begun =
        recovery ? give_socket_to(control_, record, socket)
                 : make_device(control_, nbd_records, record, limits, is_rotational(disk), socket);
    if (!begun.ok()) return begun;
    const Result<std::uint64_t> number = control_.disk_number(record.id);
    if (!number) return number.error();
    disk_ = *number;
    return begun;
  };
  const Status begun = co_await off_thread(reactor_, begin);
  if (!begun.ok()) {
    co_await give_up(std::move(record));
    co_return begun;
  }
  served_ = record;
  service_.keep(record);
  co_return begun;
}

Task<void> NbdAttachment::give_up(DeviceRecord record) {
  service_.cut();
  co_await drop(std::move(record));
  co_await service_.ended();
  served_.reset();
}

Task<Status> NbdAttachment::detach_if_unused() {
  io::Semaphore::Take turn(turn_, 1);
  co_await turn;
  if (!served_) co_return Status();
  service_.let_go();
  const auto end = [this] {
    const Status ended = disconnect_if_unused(control_, *served_);
    if (ended.ok()) nbd_records.remove(minor_);
    return ended;
  };
  const Status ended = co_await off_thread(reactor_, end);
  if (!ended.ok()) {
    service_.keep(*served_);
    co_return ended;
  }
  service_.cut();
  co_await service_.ended();
  served_.reset();
  device_.close(true);
  co_return ended;
}

Task<void> NbdAttachment::abandon() {
  co_await background_.close();
  io::Semaphore::Take turn(turn_, 1);
  co_await turn;
  if (waiting_) {
    DeviceRecord record = *std::exchange(waiting_, std::nullopt);
    co_await drop(std::move(record));
  }
  if (!served_) co_return;
  DeviceRecord record = *served_;
  co_await give_up(std::move(record));
  device_.close(true);
}

Task<void> NbdAttachment::drop(DeviceRecord record) {
  const auto end = [this, &record] { return disconnect_and_forget(control_, nbd_records, record); };
  const Status ended = co_await off_thread(reactor_, end);
  if (!ended.ok()) log::warning("nbd{} stays: errno {}", record.id, ended.error_number());
}

// Noted before anything of the new data is written: should this daemon be killed in turn, the next
// one knows. /run is memory; this waits for no disk.
void NbdAttachment::data_changed() noexcept {
  if (!waiting_) return;
  DeviceRecord record = *std::exchange(waiting_, std::nullopt);
  record.outdated = true;
  const Status noted = nbd_records.write(record);
  log::error("drbd{}: its data come from the peer now, the users of nbd{} see errors{}", minor_,
             record.id, noted.ok() ? "" : " (not noted)");
  background_.start(drop(std::move(record)));
}

// The kernel sees the connection end, as it would with this process.
Task<Status> NbdAttachment::leave() {
  io::Semaphore::Take turn(turn_, 1);
  co_await turn;
  if (!served_) co_return Status(Fault::not_found, "nbd device");
  co_await service_.leave();
  device_.close(true);
  co_return Status();
}

Task<Status> NbdAttachment::resize() {
  io::Semaphore::Take turn(turn_, 1);
  co_await turn;
  if (!served_) co_return Status();
  service_.resized();
  const auto tell = [this, limits = device_.limits()] {
    return tell_size(control_, *served_, limits);
  };
  co_return co_await off_thread(reactor_, tell);
}

// After a takeover: the volume may have grown while there was no daemon. In the background, as the
// kernel waits for the requests that the last daemon did not answer before it changes the size.
Task<void> NbdAttachment::catch_up_size() {
  const auto compare = [this, id = served_->id, limits = device_.limits()] {
    return control_.size_of(id) == round_down(limits.size.value(), limits.block_bytes);
  };
  const bool same = co_await off_thread(reactor_, compare);
  if (same) co_return;
  const Status resized = co_await resize();
  if (!resized.ok()) log::warning("drbd{} keeps its size: {}", minor_, resized.where());
}

Task<std::vector<DeviceUser>> NbdAttachment::users() {
  std::vector<DeviceUser> found;
  if (!served_) co_return found;
  const auto work = [number = disk_] { return find_device_users(number); };
  found = co_await off_thread(reactor_, work);
  co_return found;
}

}  // namespace replicator::shim::kernel_nbd
