#include "nbd/device.hpp"

#include <fmt/core.h>

#include <cerrno>

namespace replicator::shim::kernel_nbd {

namespace {

// Of a device that the kernel has not told the number of yet.
constexpr std::uint32_t no_number = ~0U;

// A request that a dead connection has swallowed is sent again when the new one is there and this
// has passed. A replicator that is suspended costs a line in the kernel's log for each request and
// each time.
constexpr std::uint32_t patience_ms = 10'000;
constexpr std::uint32_t usual_patience_ms = 30'000;

Status said(std::int32_t result, const char* where) noexcept {
  if (result == 0) return Status();
  return Status(result == -EINVAL ? Fault::not_found : Fault::io_error, where, -result);
}

Status change(Control& control, const Message& message, const char* where) {
  std::uint32_t number = 0;
  return said(control.issue(message, number), where);
}

bool is_ours(Control& control, const DeviceRecord& record) {
  return control.identifier_of(record.id) == identifier(record);
}

// Whoever has the number next gets it as it was.
Status gone(Control& control, std::uint32_t number) {
  control.set_patience(number, usual_patience_ms);
  return Status();
}

std::optional<std::uint32_t> find(Control& control, const DeviceRecord& record) {
  if (record.id != no_number)
    return is_ours(control, record) ? std::optional(record.id) : std::nullopt;
  for (const std::uint32_t number : control.numbers())
    if (control.identifier_of(number) == identifier(record)) return number;
  return std::nullopt;
}

}  // namespace

Status make_device(Control& control, const DeviceRecords& records, DeviceRecord& record,
                   const io::BlockLimits& limits, bool rotational, int socket) {
  record.id = no_number;
  Status made = records.write(record);
  if (!made.ok()) return made;
  made =
      said(control.issue(connect(limits, rotational, record, socket), record.id), "nbd: connect");
  if (made.ok()) made = records.write(record);
  if (!made.ok()) {
    static_cast<void>(disconnect_and_forget(control, records, record));
    return made;
  }
  control.set_patience(record.id, patience_ms);
  return made;
}

Status give_socket_to(Control& control, const DeviceRecord& record, int socket) {
  return change(control, give_socket(record, socket), "nbd: reconnect");
}

Status tell_size(Control& control, const DeviceRecord& record, const io::BlockLimits& limits) {
  return change(control, resize(record, limits), "nbd: size");
}

Status disconnect_if_unused(Control& control, const DeviceRecord& record) {
  if (!is_ours(control, record)) return Status();
  const Status marked =
      change(control, set_disconnect_on_close(record, true), "nbd: disconnect when closed");
  // That close is the last one, unless somebody else has it open: then nothing happens.
  const Status closed = marked.ok() ? control.touch(record.id) : marked;
  if (!is_ours(control, record)) return gone(control, record.id);
  const Status restored =
      change(control, set_disconnect_on_close(record, false), "nbd: stay when closed");
  if (!is_ours(control, record)) return gone(control, record.id);
  const Status busy(Fault::busy, "device is open", EBUSY);
  // One that somebody else has disconnected takes no change until its users have closed it.
  if (marked.fault() == Fault::not_found) return busy;
  if (!closed.ok()) return closed;
  return restored.ok() ? busy : restored;
}

Status disconnect_and_forget(Control& control, const DeviceRecords& records, DeviceRecord record) {
  // Should this daemon be killed now: users who have seen errors must not go on.
  record.outdated = true;
  const Status noted = records.write(record);
  const std::optional<std::uint32_t> number = find(control, record);
  if (number) {
    const Status ended = change(control, disconnect(*number), "nbd: disconnect");
    if (!ended.ok()) return ended;
    control.set_patience(*number, usual_patience_ms);
  }
  records.remove(record.minor);
  return number ? noted : Status();
}

std::string NbdLeftBehind::name(const DeviceRecord& record) const {
  return fmt::format("nbd{}", record.id);
}

Fate NbdLeftBehind::look_at(const DeviceRecord& record) {
  if (!find(control_, record)) return Fate::not_ours;
  return record.outdated || record.id == no_number ? Fate::useless : Fate::waits;
}

void NbdLeftBehind::end(const DeviceRecord& record) {
  static_cast<void>(disconnect_and_forget(control_, records_, record));
}

}  // namespace replicator::shim::kernel_nbd
