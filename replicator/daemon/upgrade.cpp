// Another program takes this daemon's place under open devices (docs/decisions/daemon-restore.md).
//   D1  nothing that was answered is lost: what is in progress ends on both disks first, and what
//       was not begun waits in the kernel
//   S1  both nodes agree that this one is Secondary before it goes
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "daemon/daemon.hpp"
#include "daemon/replies.hpp"

namespace replicator {

namespace {

constexpr Duration patience_with_commands = Duration::seconds(5);
constexpr Duration patience_with_requests = Duration::seconds(5);
constexpr Duration look_again = Duration::milliseconds(1);

// A successor that connects and finds the peer's data newer cannot tell whether the users have seen
// them; and it would give them up.
std::optional<std::string> unfit(const VolumeState& state) {
  if (state.suspended()) return "its I/O is suspended";
  if (state.role == Role::primary && state.disk != DiskState::up_to_date)
    return "a Primary whose disk is not UpToDate; when its resync is done";
  // To the successor the peer's writes are somebody else's: the users here would see errors.
  if (state.role == Role::primary && state.peer_role == Role::primary)
    return "the peer is Primary, too";
  // It reads and writes here, and would see errors.
  if (state.peer_role == Role::primary && state.peer_disk != DiskState::up_to_date)
    return "the peer is Primary and uses the data of this node; when its resync is done";
  return std::nullopt;
}

}  // namespace

int Daemon::control_listener() const noexcept {
  return reactor_.listener_at(options_.run_directory + "/control.sock");
}

std::vector<shim::KernelDevice*> Daemon::promoted_devices() const {
  std::vector<shim::KernelDevice*> devices;
  for (const auto& [name, entry] : resources_)
    for (const auto& [number, exports] : entry->exports)
      if (exports.device && exports.device->promoted()) devices.push_back(exports.device.get());
  return devices;
}

std::optional<std::string> Daemon::reason_to_stay(const std::string& program) const {
  if (stop_requested_ || !successor_.empty()) return "the daemon is stopping";
  if (program.empty() || program[0] != '/' || access(program.c_str(), X_OK) != 0)
    return "no program that can be run: " + program;
  for (const auto& [name, entry] : resources_)
    for (const std::unique_ptr<Volume>& volume : entry->resource->volumes())
      if (const auto reason = unfit(volume->state())) return name + ": " + *reason;
  for (const shim::KernelDevice* device : promoted_devices())
    if (!device->can_be_left())
      return "drbd" + std::to_string(device->names().minor) +
             " does not outlive this daemon (--no-device-recovery, or the keeper is gone)";
  return std::nullopt;
}

Task<Daemon::Reply> Daemon::upgrade(const Request& request) {
  const std::string program = request.arguments.empty() ? "" : request.arguments[0];
  if (const auto reason = reason_to_stay(program)) {
    co_return answer(control::err_invalid_request, *reason);
  }
  const bool alone = co_await take_all_turns();
  std::optional<std::string> reason = reason_to_stay(program);
  if (!reason && !alone) reason = "other commands are in progress";
  if (!reason) {
    const bool held = co_await hold_devices();
    if (!held) reason = "requests do not end: a disk or the peer stands still";
    else if (stop_requested_) reason = "the daemon is stopping";
    if (held && reason)
      for (shim::KernelDevice* device : promoted_devices())
        device->release();
  }
  if (reason) {
    turns_.clear();
    co_return answer(control::err_invalid_request, *reason);
  }
  successor_ = program;
  reactor_.stop();
  co_return upgrade_report();
}

// No command is in progress then, nor begins. All at once, so that none is held while another is
// waited for.
Task<bool> Daemon::take_all_turns() {
  io::Clock& clock = reactor_.world().clock;
  const Instant until = clock.now() + patience_with_commands;
  const auto busy = [](const auto& item) { return item.second->turn.available() == 0; };
  while (std::any_of(resources_.begin(), resources_.end(), busy)) {
    if (clock.now() >= until) co_return false;
    io::Op pause;
    clock.sleep(pause, look_again);
    co_await pause;
  }
  for (const auto& [name, entry] : resources_) {
    turns_.push_back(std::make_unique<io::Semaphore::Take>(entry->turn, 1));
    io::Semaphore::Take& turn = *turns_.back();
    co_await turn;
  }
  co_return true;
}

Daemon::Reply Daemon::upgrade_report() {
  Reply reply;
  reply.info = pauses_;
  reply.data = control::DataObject().add("instance", instance_).text();
  return reply;
}

// In the kernel, until the successor asks for them.
Task<bool> Daemon::hold_devices() {
  const std::vector<shim::KernelDevice*> devices = promoted_devices();
  io::Clock& clock = reactor_.world().clock;
  held_ = clock.now();
  const Instant until = held_ + patience_with_requests;
  for (shim::KernelDevice* device : devices)
    device->hold();
  for (;;) {
    bool quiet = true;
    for (const shim::KernelDevice* device : devices)
      quiet = quiet && device->quiet();
    if (quiet) co_return true;
    if (clock.now() >= until) break;
    io::Op pause;
    clock.sleep(pause, look_again);
    co_await pause;
  }
  for (shim::KernelDevice* device : devices)
    device->release();
  co_return false;
}

Task<void> Daemon::leave_to_successor() {
  stop_requested_ = true;
  log::info("{} takes the place of this daemon", successor_);
  server_.close_door();
  {
    io::Gate leaving;
    for (const auto& [name, entry] : resources_)
      leaving.start(leave_resource(*entry));
    co_await leaving.close();
  }
  save_running();
  co_await events_.stop();
  co_await generation_files_.close();
}

bool Daemon::users_wait(const Entry& entry) {
  return std::any_of(entry.exports.begin(), entry.exports.end(), [](const auto& item) {
    return item.second.device && item.second.device->waits_for_attach();
  });
}

Task<void> Daemon::leave_resource(Entry& entry) {
  Resource& resource = *entry.resource;
  const std::string& name = resource.name();
  const Connection* const connection = resource.connection();
  control::OptionMap facts;
  facts["held"] = std::to_string(held_.nanoseconds());
  if (connection != nullptr && connection->established()) facts["connected"] = "yes";
  for (const std::unique_ptr<Volume>& volume : resource.volumes()) {
    // A disk that was given up is not trusted again by itself.
    Request detached;
    detached.command = "detach";
    detached.object = std::to_string(volume->minor());
    if (!volume->has_disk()) running_.note(name, detached);
  }
  // S1: the successor may promote without the peer what is Primary now, and nothing else: not what
  // waits for the peer after a kill, nor what was left Secondary then.
  if (resource.role() == Role::primary) running_.leave(name, std::move(facts));
  else if (!users_wait(entry)) running_.demoted(name);
  co_await resource.stop_handlers();
  for (auto& [number, exports] : entry.exports) {
    if (exports.nbd) co_await exports.nbd->stop();
    exports.nbd.reset();
    if (!exports.device || !exports.device->promoted()) continue;
    const Status left = co_await exports.device->leave();
    if (!left.ok()) log::error("{}/{} its users see errors: {}", name, number, left.where());
  }
  const AdminResult downed = co_await resource.down();
  if (!downed.ok()) log::warning("{} did not go down cleanly: {}", name, downed.code);
}

}  // namespace replicator
