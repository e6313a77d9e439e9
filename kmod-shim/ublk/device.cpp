#include "ublk/device.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "devices/device_users.hpp"
#include "devices/driver_node.hpp"

namespace replicator::shim::ublk {

namespace {

constexpr int recovery_attempts = 1500;
constexpr timespec recovery_pause{0, 20'000'000};

Status said(std::int32_t result, const char* where) noexcept {
  return result < 0 ? Status(Fault::io_error, where, -result) : Status();
}

Status learn_numbers(Control& control, Handle& handle) {
  return said(control.get(handle.info.id, handle.parameters), "ublk: get parameters");
}

// Keeps everybody out who wants the disk for himself (a file system, swap, a stacked device), and
// fails with Fault::busy when there is one.
Result<FileDescriptor> claim_disk(const Handle& handle) {
  return open_block_node(fmt::format("/dev/ublkb{}", handle.info.id), disk_number(handle),
                         O_RDONLY | O_EXCL);
}

bool used_by_others(std::uint64_t disk) {
  const auto ourselves = static_cast<std::uint32_t>(getpid());
  for (const DeviceUser& user : find_device_users(disk))
    if (user.kind != DeviceUser::Kind::process || user.pid != ourselves) return true;
  return false;
}

}  // namespace

Result<Handle> add_device(Control& control, DeviceRecord& record, DeviceInfo wanted,
                          const Parameters& parameters) {
  Handle handle;
  handle.info = wanted;
  const Status added = said(control.add(handle.info), "ublk: add a device");
  if (!added.ok()) return tl::unexpected(added);
  record.id = handle.info.id;
  Status made = ublk_records.write(record);
  if (made.ok()) made = said(control.set(record.id, parameters), "ublk: set parameters");
  if (made.ok()) made = learn_numbers(control, handle);
  if (made.ok()) return handle;
  static_cast<void>(stop_and_remove(control, record.id));
  ublk_records.remove(record.minor);
  return tl::unexpected(made);
}

Result<Handle> begin_recovery(Control& control, const DeviceRecord& record) {
  Handle handle;
  const Status asked = said(control.info(record.id, handle.info), "ublk: get device");
  if (!asked.ok()) return tl::unexpected(asked);
  if (handle.info.servers_own != record.token)
    return failure(Fault::not_found, "ublk: the device is somebody else's");
  std::int32_t begun = control.start_recovery(record.id);
  for (int attempt = 0; begun == -EBUSY && attempt < recovery_attempts; ++attempt) {
    nanosleep(&recovery_pause, nullptr);
    begun = control.start_recovery(record.id);
  }
  Status known = said(begun, "ublk: start recovery");
  if (known.ok()) known = said(control.info(record.id, handle.info), "ublk: get device");
  if (known.ok()) known = learn_numbers(control, handle);
  if (!known.ok()) return tl::unexpected(known);
  return handle;
}

Result<FileDescriptor> open_character(const Handle& handle) {
  return open_character_node(
      fmt::format("/dev/ublkc{}", handle.info.id),
      makedev(handle.parameters.character_major, handle.parameters.character_minor), O_RDWR);
}

Status start(Control& control, Handle& handle) {
  const Status started = said(control.start(handle.info.id), "ublk: start");
  return started.ok() ? learn_numbers(control, handle) : started;
}

Status end_recovery(Control& control, Handle& handle) {
  const Status ended = said(control.end_recovery(handle.info.id), "ublk: end recovery");
  return ended.ok() ? learn_numbers(control, handle) : ended;
}

Status stop_if_unused(Control& control, const Handle& handle) {
  const std::uint32_t id = handle.info.id;
  if ((handle.info.flags & feature_safe_stop) != 0) {
    const std::int32_t stopped = control.stop_if_unused(id);
    if (stopped == -EBUSY) return Status(Fault::busy, "device is open", EBUSY);
    return said(stopped, "ublk: stop");
  }
  const Result<FileDescriptor> claim = claim_disk(handle);
  if (!claim) return claim.error();
  if (used_by_others(disk_number(handle))) return Status(Fault::busy, "device is open", EBUSY);
  // The kernel writes back what a program left in its cache when the last one closes the device. As
  // we have it open too, that may not have happened, and after the stop it would be lost.
  if (fsync(claim->get()) != 0) return Status(Fault::io_error, "fsync of the device", errno);
  return said(control.stop(id), "ublk: stop");
}

Status stop_and_remove(Control& control, std::uint32_t id) {
  const std::int32_t stopped = control.stop(id);
  const std::int32_t removed = control.remove(id);
  return said(stopped < 0 && removed < 0 ? stopped : removed, "ublk: remove a device");
}

Fate fate(const DeviceRecord& record, std::int32_t asked, const DeviceInfo& info) noexcept {
  // Without room for the question just now: who waits for this daemon is not forgotten for that.
  const bool passing = asked == -EMFILE || asked == -ENFILE || asked == -ENOMEM ||
                       asked == -EPERM || asked == -EAGAIN || asked == -EBUSY;
  if (passing && !record.outdated) return Fate::waits;
  if (asked < 0 || info.servers_own != record.token) return Fate::not_ours;
  const auto state = static_cast<DeviceState>(info.state);
  // A server that was killed a moment ago may still be on its way out: then it is live.
  const bool has_disk = state == DeviceState::quiesced || state == DeviceState::live;
  return has_disk && !record.outdated ? Fate::waits : Fate::useless;
}

std::string UblkLeftBehind::name(const DeviceRecord& record) const {
  return fmt::format("ublkb{}", record.id);
}

Fate UblkLeftBehind::look_at(const DeviceRecord& record) {
  DeviceInfo info;
  const std::int32_t asked = control_.info(record.id, info);
  return fate(record, asked, info);
}

void UblkLeftBehind::end(const DeviceRecord& record) {
  static_cast<void>(stop_and_remove(control_, record.id));
}

std::uint64_t disk_number(const Handle& handle) noexcept {
  return makedev(handle.parameters.disk_major, handle.parameters.disk_minor);
}

}  // namespace replicator::shim::ublk
