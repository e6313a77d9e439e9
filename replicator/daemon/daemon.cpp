#include "daemon/daemon.hpp"

#include <sys/stat.h>

#include <utility>

#include "base/log.hpp"
#include "control/metrics_text.hpp"
#include "control/proc_drbd.hpp"
#include "daemon/replies.hpp"
#include "daemon/running_file.hpp"
#include "daemon/service_status.hpp"

namespace replicator {

namespace {
constexpr std::size_t incoming_bytes = 3U << 20U;
constexpr std::size_t reply_bytes = 3U << 20U;
// Of each kind, of a resource when all resources together have used up the above: one whose disk or
// peer stands still may hold that for long.
constexpr std::size_t own_bytes = 1U << 20U;
}  // namespace

Daemon::Entry::Entry(io::BufferPool& shared_incoming, io::BufferPool& shared_replies)
    : incoming(shared_incoming, own_bytes), replies(shared_replies, own_bytes) {}

Daemon::Daemon(uring::Reactor& reactor, DaemonOptions options)
    : reactor_(reactor),
      options_(std::move(options)),
      incoming_(incoming_bytes),
      replies_(reply_bytes),
      undo_files_(reactor_, options_.undo_directory),
      generation_files_(reactor_, options_.generations_directory),
      events_(reactor.world().clock, [this] { return all_status(); }),
      event_source_(events_),
      server_(reactor.world(), *this),
      metrics_server_(reactor.world(), [this] { return metrics(); }),
      kernel_devices_(reactor, options_.kernel_devices),
      instance_(reactor_.world().entropy.next64() >> 1U) {
  for (io::BufferPool* pool : {&incoming_, &replies_}) {
    const Status registered = reactor_.register_memory(pool->arena());
    if (!registered.ok()) log::warning("{}", registered.where());
  }
}

Daemon::~Daemon() = default;

Task<Status> Daemon::start() {
  for (const char* below : {"", "/nbd"})
    mkdir((options_.run_directory + below).c_str(), 0755);
  const std::string control = options_.run_directory + "/control.sock";
  const Status claimed = server_.claim(control);
  if (!claimed.ok()) {
    log::error("{}: {}; is another polluxd running?", control, text(claimed.fault()));
    co_return claimed;
  }
  if (options_.metrics_address.family != io::AddressFamily::none) {
    const Status listening = metrics_server_.listen(options_.metrics_address);
    if (!listening.ok()) {
      log::error("metrics: {}: {}", io::text(options_.metrics_address), text(listening.fault()));
      co_return listening;
    }
    log::info("metrics: http://{}/metrics", io::text(options_.metrics_address));
  }
  co_await mount_files();
  if (options_.restore) co_await restore();
  else remove_running(options_.run_directory);
  // Only now: a resource that is made earlier would go without its kernel device.
  server_.serve_clients();
  co_return Status();
}

Task<void> Daemon::mount_files() {
  Result<std::unique_ptr<shim::ProcFile>> proc =
      co_await shim::ProcFile::mount(reactor_, [this] { return control::proc_drbd(all_status()); });
  if (proc) proc_ = std::move(*proc);
  else log::warning("no live proc/drbd: {} ({})", text(proc.error().fault()), proc.error().where());
  co_await kernel_devices_.start();
}

Task<void> Daemon::stop() {
  stop_requested_ = true;  // no new resources from here on
  // Commands that have a turn may wait for these.
  for (const auto& [name, entry] : resources_)
    entry->resource->give_up_waiting();
  while (!resources_.empty()) {
    const std::string name = resources_.begin()->first;
    const std::shared_ptr<Entry> entry = resources_.begin()->second;
    io::Semaphore::Take turn(entry->turn, 1);
    co_await turn;
    if (find_resource(name) != entry.get()) continue;
    co_await entry->resource->stop_handlers();
    // Whoever still uses it sees errors from here on; then nothing holds the role any more.
    for (auto& [number, exports] : entry->exports) {
      if (exports.nbd) co_await exports.nbd->stop();
      exports.nbd.reset();
    }
    const Reply closed = co_await close_devices(*entry);
    for (const std::string& user : closed.info) {
      log::warning("{} is in use while the daemon ends: {}", name, user);
    }
    for (auto& [number, exports] : entry->exports)
      co_await remove_exports(exports);
    const AdminResult downed = co_await entry->resource->down();
    if (!downed.ok()) log::warning("{} did not go down cleanly: {}", name, downed.code);
    co_await remove_entry(name);
  }
  co_await events_.stop();
  co_await size_tasks_.close();
  co_await restoring_.close();
  remove_running(options_.run_directory);
  if (proc_) co_await proc_->unmount();
  co_await metrics_server_.stop();
  co_await server_.stop();
  co_await generation_files_.close();
}

std::vector<ResourceStatus> Daemon::all_status() const {
  std::vector<ResourceStatus> all;
  for (const auto& [name, entry] : resources_) {
    all.push_back(entry->resource->status());
    all.back().peer_name = entry->peer_name;
  }
  return all;
}

std::string Daemon::service_status() const { return replicator::service_status(all_status()); }

std::string Daemon::metrics() const {
  std::vector<control::ResourceMetrics> all;
  for (ResourceStatus& status : all_status()) {
    control::ResourceMetrics& item = all.emplace_back();
    const auto found = resources_.find(status.name);
    for (const std::unique_ptr<Volume>& volume : found->second->resource->volumes())
      item.times.push_back(volume->write_times());
    item.status = std::move(status);
  }
  return control::metrics_text(all);
}

Daemon::Entry* Daemon::find_resource(const std::string& name) {
  const auto found = resources_.find(name);
  return found == resources_.end() ? nullptr : found->second.get();
}

Daemon::Place Daemon::find_minor(const std::string& minor) {
  std::uint32_t number = 0;
  return parse_number(minor, number) ? find_minor(number) : Place();
}

Daemon::Place Daemon::find_minor(std::uint32_t minor) {
  for (auto& [name, entry] : resources_) {
    for (const std::unique_ptr<Volume>& volume : entry->resource->volumes()) {
      if (volume->minor() == minor) return Place{entry.get(), volume.get()};
    }
  }
  return Place();
}

Daemon::Entry* Daemon::find_object(const std::string& object) {
  if (Entry* entry = find_resource(object)) return entry;
  return find_minor(object).entry;
}

std::shared_ptr<Daemon::Entry> Daemon::share(const Entry* entry) {
  for (const auto& [name, shared] : resources_) {
    if (shared.get() == entry) return shared;
  }
  return nullptr;
}

// The kernel device follows the role: it is opened after a promotion …
Task<void> Daemon::open_devices(Entry& entry, Reply& reply) {
  for (auto& [number, exports] : entry.exports) {
    if (!exports.device) continue;
    const Status opened = co_await exports.device->promote();
    if (opened.ok()) continue;
    reply.info.push_back("the kernel device could not be opened: " +
                         std::string(text(opened.fault())) + " (" + opened.where() + ")");
    log::error("{}/{} {}", entry.resource->name(), number, reply.info.back());
  }
}

// … and closed before a demotion, all or none. A device that is opened again is another one to
// those who waited for it, and may not come back: all are asked before the first is closed.
Task<Daemon::Reply> Daemon::close_devices(Entry& entry) {
  Reply reply = nbd_users(entry);
  if (reply.code != 0) co_return reply;
  std::vector<shim::KernelDevice*> open;
  for (auto& [number, exports] : entry.exports) {
    if (exports.device && exports.device->promoted()) open.push_back(exports.device.get());
  }
  if (open.size() > 1) {
    for (shim::KernelDevice* device : open)
      co_await tell_users(*device, reply);
    if (reply.code != 0) co_return reply;
  }
  for (shim::KernelDevice* device : open) {
    const Status closed = co_await device->demote();
    if (closed.ok()) continue;
    reply.code = control::ss_device_in_use;
    co_await tell_users(*device, reply);
    co_await open_devices(entry, reply);
    break;
  }
  co_return reply;
}

Task<void> Daemon::tell_users(shim::KernelDevice& device, Reply& reply) {
  const std::vector<shim::DeviceUser> users = co_await device.users();
  for (const shim::DeviceUser& user : users) {
    reply.code = control::ss_device_in_use;
    reply.info.push_back(shim::text(user));
  }
}

// Asked by the engine, in the middle of anything: a command that is under way comes first.
Task<bool> Daemon::release_devices(Entry& entry) {
  if (entry.turn.available() == 0) co_return false;
  io::Semaphore::Take turn(entry.turn, 1);
  co_await turn;
  const Reply closed = co_await close_devices(entry);
  if (closed.code == 0 && running_.demoted(entry.resource->name())) save_running();
  co_return closed.code == 0;
}

Daemon::Reply Daemon::nbd_users(Entry& entry) {
  Reply reply;
  for (auto& [number, exports] : entry.exports) {
    if (!exports.nbd) continue;
    for (const std::uint32_t process : exports.nbd->users()) {
      reply.code = control::ss_device_in_use;
      reply.info.push_back(shim::text(shim::process_user(process)) + " by NBD");
    }
  }
  return reply;
}

Task<void> Daemon::remove_exports(Exports& exports) {
  if (exports.nbd) co_await exports.nbd->stop();
  if (exports.device) co_await exports.device->remove();
  exports = Exports();
}

Task<void> Daemon::remove_entry(std::string name) {
  Entry* entry = find_resource(name);
  if (entry == nullptr) co_return;
  co_await entry->resource->stop_handlers();
  for (auto& [number, exports] : entry->exports)
    co_await remove_exports(exports);
  resources_.erase(name);
  events_.gone(name);
}

}  // namespace replicator
