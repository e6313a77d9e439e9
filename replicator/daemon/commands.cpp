// The commands of the control socket (control/messages.hpp), each as one small function: find the
// object, parse the options, ask the engine, answer with DRBD's code.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/log.hpp"
#include "control/option_table.hpp"
#include "control/resource_name.hpp"
#include "control/status_json.hpp"
#include "daemon/daemon.hpp"
#include "daemon/replies.hpp"
#include "daemon/tls_files.hpp"
#include "daemon/turn.hpp"

namespace replicator {

namespace {

using control::OptionMap;

bool parse_meta_index(const std::string& text, MetaDiskIndex& index) {
  index = MetaDiskIndex();
  if (text == "internal" || text == "flex-internal") return true;
  if (text == "flexible" || text == "flex-external") {
    index.kind = MetaDiskIndex::Kind::flexible;
    return true;
  }
  index.kind = MetaDiskIndex::Kind::indexed;
  return parse_number(text, index.slot);
}

}  // namespace

Task<Reply> Daemon::handle(Request request, io::Stream& caller) {
  const std::string what = request.command + " " + request.object;
  log::debug("command: {}", what);
  const std::string resource = resource_of(request);
  Request asked = request;
  Reply reply = co_await dispatch(std::move(asked), caller);
  if (control::is_success(reply.code)) remember(resource, request);
  co_return reply;
}

Task<Reply> Daemon::dispatch(Request request, io::Stream& caller) {
  const std::string& command = request.command;
  if (command == "ping") {
    Reply reply;
    reply.data = control::DataObject()
                     .add("version", "8.4.11")
                     .add("pid", static_cast<std::uint64_t>(getpid()))
                     .text();
    co_return reply;
  }
  if (command == "shutdown") {
    stop_requested_ = true;
    reactor_.stop();
    co_return Reply();
  }
  if (command == "upgrade") co_return co_await upgrade(request);
  if (command == "upgrade-report") co_return upgrade_report();
  if (command == "events2") co_return events(request);
  if (command == "status") co_return status(request);
  if (command == "show") co_return show(request);
  if (command == "get-gi") co_return generations(request);
  if (command == "report") co_return co_await report(request);
  if (command == "explain") co_return explain(request);
  if (command == "marked-ranges") co_return marked_ranges(request);
  if (command == "new-resource") co_return new_resource(request);
  if (command == "suspend-io" || command == "resume-io") co_return suspension(request);
  if (command == "wait-connect" || command == "wait-sync") {
    co_return co_await wait_for(request, caller);
  }
  if (command == "detach" && flag(request, "force")) force_disk_off(request);
  co_return co_await in_turn(request, caller);
}

// Whatever takes a turn, or waits for a state, or stays as a stream of events. Not what sets others
// going again.
bool Daemon::may_wait(const Request& request) const {
  constexpr std::array<std::string_view, 12> at_once{
      "ping",    "shutdown",      "status",       "show",       "get-gi",    "report",
      "explain", "marked-ranges", "new-resource", "suspend-io", "resume-io", "upgrade-report"};
  if (request.command == "detach" && flag(request, "force")) return false;
  return std::find(at_once.begin(), at_once.end(), request.command) == at_once.end();
}

// At once: a command that has the turn may be waiting for this disk.
void Daemon::force_disk_off(const Request& request) {
  const Place place = find_minor(request.object);
  if (place.volume == nullptr) return;
  place.entry->resource->force_disk_off(place.volume->number());
}

std::shared_ptr<Daemon::Entry> Daemon::subject(const Request& request) {
  if (request.object.empty()) return share(find_by_addresses(request.arguments));
  return share(find_object(request.object));
}

// Commands that change something. While one waited, another may have removed or replaced its
// object, and whoever wanted it may have gone: nobody reckons with it any more.
Task<Reply> Daemon::in_turn(const Request& request, io::Stream& caller) {
  io::Clock& clock = reactor_.world().clock;
  for (;;) {
    const std::shared_ptr<Entry> entry = subject(request);
    if (!entry) co_return co_await carry_out(request);
    Turn turn(entry->turn);
    const bool mine = co_await turn.wait(clock, caller);
    if (!mine) {
      log::info("{} {}: not carried out, its caller went before its turn came", request.command,
                request.object);
      co_return answer(control::err_invalid_request, "nobody waits for this any more");
    }
    if (subject(request) == entry) co_return co_await carry_out(request);
  }
}

Task<Reply> Daemon::carry_out(const Request& request) {
  const std::string& command = request.command;
  if (command == "new-minor") co_return co_await new_minor(request);
  if (command == "del-minor") co_return co_await del_minor(request);
  if (command == "del-resource") co_return co_await del_resource(request);
  if (command == "attach") co_return co_await attach(request);
  if (command == "connect") co_return co_await connect(request);
  if (command == "disconnect") co_return co_await disconnect(request);
  if (command == "disk-options") co_return disk_options(request);
  if (command == "net-options") co_return net_options(request);
  if (command == "resource-options") co_return resource_options(request);
  if (command == "primary") co_return co_await primary(request);
  if (command == "secondary") co_return co_await secondary(request);
  if (command == "down") co_return co_await down(request);
  if (command == "detach" || command == "invalidate" || command == "invalidate-remote" ||
      command == "outdate" || command == "pause-sync" || command == "resume-sync" ||
      command == "resize" || command == "new-current-uuid" || command == "verify" ||
      command == "repair") {
    co_return co_await on_volume(request);
  }
  co_return malformed("this command is not offered");
}

Reply Daemon::new_resource(const Request& request) {
  if (!control::is_resource_name(request.object)) {
    return malformed("a resource's name has 1 to 127 bytes, no '/' and no '.' in front");
  }
  if (stop_requested_) return answer(control::err_invalid_request, "the daemon is stopping");
  if (find_resource(request.object) != nullptr) {
    return answer(control::err_minor_or_volume_exists, "resource exists already");
  }
  ResourceOptions options;
  if (const auto problem = control::apply_options(request.options, options)) {
    return answer(control::err_invalid_request, *problem);
  }
  if (options_.json_log != nullptr) options_.json_log->know(request.object);
  auto entry = std::make_shared<Entry>(incoming_, replies_);
  entry->options = options;
  entry->peer_name = value(request, "peer-name");
  entry->resource =
      std::make_unique<Resource>(reactor_.world(), Memory{entry->incoming, entry->replies},
                                 request.object, options, &resync_order_);
  entry->resource->set_undo_store(&undo_files_);
  entry->resource->set_generation_journal(&generation_files_);
  entry->resource->size_changed = [this, raw = entry.get()](Volume& volume) {
    std::shared_ptr<Entry> owner = share(raw);
    if (owner) size_tasks_.start(follow_size(std::move(owner), volume.number()));
  };
  entry->resource->data_from_peer = [raw = entry.get()](Volume& volume) {
    const auto exports = raw->exports.find(volume.number());
    if (exports != raw->exports.end() && exports->second.device)
      exports->second.device->data_changed();
  };
  entry->resource->let_go_of_devices = [this, raw = entry.get()] { return release_devices(*raw); };
  entry->resource->set_observer(&event_source_);
  const auto made = resources_.emplace(request.object, std::move(entry)).first;
  events_.look_at(made->second->resource->status());
  return Reply();
}

Task<Reply> Daemon::new_minor(const Request& request) {
  Entry* entry = find_resource(request.object);
  if (entry == nullptr) co_return unknown_resource();
  std::uint32_t minor = 0;
  std::uint32_t number = 0;
  if (request.arguments.size() != 2 || !parse_number(request.arguments[0], minor) ||
      !parse_number(request.arguments[1], number) || minor > 1048575 || number > 65534) {
    co_return malformed("new-minor RESOURCE MINOR VOLUME");
  }
  if (find_minor(minor).volume != nullptr) {
    co_return answer(control::err_minor_or_volume_exists);
  }
  AdminResult made = entry->resource->new_volume(number, minor);
  if (!made.ok()) co_return answer(std::move(made));
  Volume& volume = *entry->resource->volume(number);
  Exports& exports = entry->exports[number];
  const std::string label = request.object + "/" + std::to_string(number);
  exports.nbd = std::make_unique<NbdServer>(reactor_.world(), reactor_.buffers(), volume, label);
  const std::string file = request.object + "-" + std::to_string(number);
  const std::string socket = options_.run_directory + "/nbd/" + file + ".sock";
  const Status listening = exports.nbd->listen(socket);
  if (!listening.ok()) log::error("{}: {}", socket, text(listening.fault()));
  if (!kernel_devices_.available()) co_return Reply();
  shim::DeviceNames names;
  names.resource = request.object;
  names.volume = number;
  names.minor = minor;
  Result<std::unique_ptr<shim::KernelDevice>> device =
      co_await kernel_devices_.create(volume, std::move(names));
  Reply reply;
  if (device) exports.device = std::move(*device);
  else reply.info.push_back(std::string("no kernel device: ") + device.error().where());
  co_return reply;
}

Task<Reply> Daemon::del_minor(const Request& request) {
  const Place place = find_minor(request.object);
  if (place.volume == nullptr) co_return unknown_minor();
  const std::uint32_t number = place.volume->number();
  if (!place.entry->resource->can_delete(number)) co_return answer(control::err_minor_configured);
  Exports exports = std::move(place.entry->exports[number]);
  place.entry->exports.erase(number);
  co_await remove_exports(exports);
  co_return answer(place.entry->resource->delete_volume(number));
}

Task<Reply> Daemon::del_resource(const Request& request) {
  Entry* entry = find_resource(request.object);
  if (entry == nullptr) co_return unknown_resource();
  const Connection* connection = entry->resource->connection();
  if (connection != nullptr && !connection->ended()) {
    co_return answer(control::err_net_configured);
  }
  if (!entry->resource->volumes().empty()) co_return answer(control::err_resource_in_use);
  co_await remove_entry(request.object);
  co_return Reply();
}

Task<Reply> Daemon::attach(const Request& request) {
  const Place place = find_minor(request.object);
  if (place.volume == nullptr) co_return unknown_minor();
  BackingConfig backing;
  if (request.arguments.size() != 3 ||
      !parse_meta_index(request.arguments[2], backing.meta_index)) {
    co_return malformed("attach MINOR DISK META_DISK INDEX");
  }
  backing.disk_path = request.arguments[0];
  backing.meta_disk_path = request.arguments[1];
  DiskOptions options;
  if (const auto problem = control::apply_options(request.options, options)) {
    co_return answer(control::err_invalid_request, *problem);
  }
  const std::uint32_t number = place.volume->number();
  const std::string disk = backing.disk_path;
  AdminResult result = co_await place.entry->resource->attach(number, backing, options);
  Exports& exports = place.entry->exports[number];
  if (result.ok() && exports.device) {
    const Status linked = co_await exports.device->set_backing_disk(disk);
    if (!linked.ok()) log::warning("by-disk link of {}: {}", disk, text(linked.fault()));
  }
  co_return answer(std::move(result));
}

Task<Reply> Daemon::connect(const Request& request) {
  Entry* entry = find_resource(request.object);
  if (entry == nullptr) co_return unknown_resource();
  if (request.arguments.size() != 2) co_return malformed("connect RESOURCE LOCAL REMOTE");
  const Result<io::Address> local = control::parse_address(request.arguments[0]);
  const Result<io::Address> peer = control::parse_address(request.arguments[1]);
  if (!local || !peer) co_return malformed("an address does not parse");
  for (const auto& [name, other] : resources_) {
    const Connection* connection = other->resource->connection();
    if (connection == nullptr || connection->ended()) continue;
    if (other.get() != entry && connection->peer().local == *local) {
      co_return answer(control::err_local_address_in_use, "used by resource " + name);
    }
  }
  NetOptions options;
  if (const auto problem = control::apply_options(request.options, options)) {
    co_return answer(control::err_invalid_request, *problem);
  }
  options.discard_my_data = flag(request, "discard-my-data");
  options.tentative = flag(request, "tentative");
  const std::string peer_name = value(request, "peer-name");
  if (!peer_name.empty()) entry->peer_name = peer_name;
  PeerConfig config;
  config.local = *local;
  config.peer = *peer;
  if (const auto problem = load_tls(options, config, entry->peer_name)) {
    co_return answer(control::err_invalid_request, *problem);
  }
  AdminResult result = co_await entry->resource->connect(config, options, entry->peer_name);
  co_return answer(std::move(result));
}

Daemon::Entry* Daemon::find_by_addresses(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return nullptr;
  const Result<io::Address> local = control::parse_address(arguments[0]);
  if (!local) return nullptr;
  for (const auto& [name, entry] : resources_) {
    const Connection* connection = entry->resource->connection();
    if (connection != nullptr && connection->peer().local == *local) return entry.get();
  }
  return nullptr;
}

Task<Reply> Daemon::disconnect(const Request& request) {
  Entry* entry =
      request.object.empty() ? find_by_addresses(request.arguments) : find_resource(request.object);
  if (entry == nullptr || entry->resource->connection() == nullptr) {
    co_return answer(control::err_invalid_request, "unknown connection");
  }
  AdminResult result = co_await entry->resource->disconnect(flag(request, "force"));
  co_return answer(std::move(result));
}

Task<Reply> Daemon::primary(const Request& request) {
  Entry* entry = find_object(request.object);
  if (entry == nullptr) co_return unknown_minor();
  const bool force = flag(request, "force") || flag(request, "overwrite-data-of-peer");
  AdminResult result = co_await entry->resource->set_role(Role::primary, force);
  if (!result.ok()) co_return answer(std::move(result));
  Reply reply;
  co_await open_devices(*entry, reply);
  co_return reply;
}

Task<Reply> Daemon::secondary(const Request& request) {
  Entry* entry = find_object(request.object);
  if (entry == nullptr) co_return unknown_minor();
  Reply closed = co_await close_devices(*entry);
  if (closed.code < 0) co_return closed;
  AdminResult result = co_await entry->resource->set_role(Role::secondary, false);
  if (result.ok()) co_return answer(std::move(result));
  Reply reply = answer(std::move(result));
  co_await open_devices(*entry, reply);
  co_return reply;
}

Task<Reply> Daemon::down(const Request& request) {
  Entry* entry = find_object(request.object);
  if (entry == nullptr) {
    co_await kernel_devices_.give_up_waiting(request.object);
    co_return Reply();
  }
  const std::string name = entry->resource->name();
  // What is still to be written to a device may wait for a disk.
  entry->resource->limit_patience_with_disks();
  Reply closed = co_await close_devices(*entry);
  if (closed.code < 0) {
    entry->resource->lift_limit_of_patience();
    closed.info.emplace_back("failed to demote");
    co_return closed;
  }
  AdminResult result = co_await entry->resource->down();
  if (!result.ok()) {
    Reply reply = answer(std::move(result));
    if (entry->resource->role() == Role::primary) co_await open_devices(*entry, reply);
    co_return reply;
  }
  co_await remove_entry(name);
  co_return Reply();
}

Task<Reply> Daemon::on_volume(const Request& request) {
  const Place place = find_minor(request.object);
  if (place.volume == nullptr) co_return unknown_minor();
  Resource& resource = *place.entry->resource;
  const std::uint32_t number = place.volume->number();
  if (request.command == "detach") {
    const bool force = flag(request, "force");
    AdminResult detached = co_await resource.detach(number, force);
    co_return answer(std::move(detached));
  }
  if (request.command == "verify") {
    std::optional<std::uint64_t> start;
    std::optional<std::uint64_t> stop;
    if (!control::read_sectors(value(request, "start"), start)) co_return malformed("--start");
    if (!control::read_sectors(value(request, "stop"), stop)) co_return malformed("--stop");
    AdminResult verified = co_await resource.verify(number, start, stop);
    co_return answer(std::move(verified));
  }
  if (request.command == "repair") {
    AdminResult repaired = co_await resource.repair(number);
    co_return answer(std::move(repaired));
  }
  if (request.command == "outdate") {
    AdminResult outdated = co_await resource.outdate(number);
    co_return answer(std::move(outdated));
  }
  if (request.command == "pause-sync" || request.command == "resume-sync") {
    const bool pause = request.command == "pause-sync";
    AdminResult paused = co_await resource.pause_sync(number, pause);
    co_return answer(std::move(paused));
  }
  if (request.command == "resize") co_return co_await resize(request, resource, number);
  if (request.command == "new-current-uuid") {
    const bool clear = flag(request, "clear-bitmap");
    AdminResult begun = co_await resource.new_current_uuid(number, clear);
    co_return answer(std::move(begun));
  }
  const bool remote = request.command == "invalidate-remote";
  AdminResult invalidated = co_await resource.invalidate(number, remote);
  co_return answer(std::move(invalidated));
}

Task<Reply> Daemon::resize(const Request& request, Resource& resource, std::uint32_t number) {
  // "size" is an option of the disk section, in its units.
  OptionMap size;
  const std::string wanted = value(request, "size");
  if (!wanted.empty()) size["size"] = wanted;
  DiskOptions options;
  if (const auto problem = control::apply_options(size, options)) {
    co_return answer(control::err_invalid_request, *problem);
  }
  ResizeRequest change;
  change.size_sectors = options.size_sectors;
  change.assume_peer_has_space = flag(request, "assume-peer-has-space");
  change.assume_clean = flag(request, "assume-clean");
  AdminResult resized = co_await resource.resize(number, change);
  co_return answer(std::move(resized));
}

// The kernel device follows; NBD clients learn of it when they connect again.
Task<void> Daemon::follow_size(std::shared_ptr<Entry> entry, std::uint32_t number) {
  io::Semaphore::Take turn(entry->turn, 1);
  co_await turn;
  const auto found = entry->exports.find(number);
  if (found == entry->exports.end() || !found->second.device) co_return;
  const Status resized = co_await found->second.device->resize();
  if (!resized.ok()) {
    log::warning("{}/{} the kernel device keeps its size: {}", entry->resource->name(), number,
                 resized.where());
  }
}

// Takes no turn: the command that has it may be waiting for I/O that is suspended.
Reply Daemon::suspension(const Request& request) {
  const Place place = find_minor(request.object);
  if (place.volume == nullptr) return unknown_minor();
  Resource& resource = *place.entry->resource;
  const std::uint32_t number = place.volume->number();
  const bool suspend = request.command == "suspend-io";
  return answer(suspend ? resource.suspend_io(number) : resource.resume_io(number));
}

Reply Daemon::disk_options(const Request& request) {
  const Place place = find_minor(request.object);
  if (place.volume == nullptr) return unknown_minor();
  DiskOptions options = place.volume->disk_options();
  if (const auto problem = control::apply_options(request.options, options)) {
    return answer(control::err_invalid_request, *problem);
  }
  return answer(place.entry->resource->set_disk_options(place.volume->number(), options));
}

Reply Daemon::net_options(const Request& request) {
  Entry* entry =
      request.object.empty() ? find_by_addresses(request.arguments) : find_resource(request.object);
  if (entry == nullptr) return unknown_resource();
  const Connection* connection = entry->resource->connection();
  if (connection == nullptr) return answer(control::err_invalid_request, "unknown connection");
  NetOptions options = connection->options();
  if (const auto problem = control::apply_options(request.options, options)) {
    return answer(control::err_invalid_request, *problem);
  }
  if (const auto problem = load_tls(options, connection->peer(), entry->peer_name)) {
    return answer(control::err_invalid_request, *problem);
  }
  return answer(entry->resource->set_net_options(options));
}

Reply Daemon::resource_options(const Request& request) {
  Entry* entry = find_resource(request.object);
  if (entry == nullptr) return unknown_resource();
  if (const auto problem = control::apply_options(request.options, entry->options)) {
    return answer(control::err_invalid_request, *problem);
  }
  entry->resource->set_options(entry->options);
  return Reply();
}

}  // namespace replicator
