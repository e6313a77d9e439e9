// The commands that only look: status, what is configured, generations, one side of a possible
// split brain, why a resource is as it is, and what happens to it. None of them takes a turn; those
// that wait for a state hold nobody up.
#include <utility>

#include "control/explanation_json.hpp"
#include "control/node_report_json.hpp"
#include "control/status_json.hpp"
#include "daemon/daemon.hpp"
#include "daemon/replies.hpp"

namespace replicator {

// Holds the answer until the state is reached; data {"timeout":true} when that takes too long. Ends
// when nobody waits for it any more.
Task<Reply> Daemon::wait_for(const Request& request, io::Stream& caller) {
  Place place = find_minor(request.object);
  if (place.volume == nullptr) co_return unknown_minor();
  const bool sync = request.command == "wait-sync";
  const bool after_split_brain = flag(request, "wait-after-sb");
  const VolumeState first = place.volume->state();
  std::uint32_t seconds = 0;
  const char* which =
      first.peer_disk == DiskState::outdated ? "outdated-wfc-timeout" : "wfc-timeout";
  parse_number(value(request, which), seconds);
  const Instant until =
      seconds == 0 ? Instant::never() : reactor_.world().clock.now() + Duration::seconds(seconds);
  for (;;) {
    place = find_minor(request.object);
    if (place.volume == nullptr) co_return unknown_minor();
    const VolumeState& now = place.volume->state();
    const bool ended = now.connection == ConnectionState::stand_alone && !after_split_brain;
    const bool reached = sync ? now.connection == ConnectionState::connected
                              : now.connection >= ConnectionState::connected;
    if (reached || ended) break;
    if (reactor_.world().clock.now() >= until || !caller.alive()) {
      Reply reply;
      reply.data = control::DataObject().add("timeout", true).text();
      co_return reply;
    }
    io::Op op;
    reactor_.world().clock.sleep(op, Duration::milliseconds(50));
    co_await op;
  }
  co_return Reply();
}

Reply Daemon::events(const Request& request) {
  std::uint32_t minor = 0;
  if (parse_number(request.object, minor) && find_object(request.object) == nullptr) {
    return unknown_minor();
  }
  if (!events_.full()) return Reply();
  return answer(control::err_invalid_request, "too many watch already; end one of them");
}

bool Daemon::streams(const Request& request) const { return request.command == "events2"; }

// A resource that is not there may come.
Task<void> Daemon::stream(Request request, io::Stream& caller) {
  std::string name = request.object == "all" ? std::string() : request.object;
  const Entry* entry = find_object(name);
  if (entry != nullptr) name = entry->resource->name();
  co_await events_.serve(std::move(name), std::move(request.options), caller);
}

Reply Daemon::status(const Request& request) {
  std::vector<ResourceStatus> all = all_status();
  Reply reply;
  if (request.object.empty() || request.object == "all") {
    reply.data = control::encode_status(all);
    return reply;
  }
  const Entry* entry = find_object(request.object);
  if (entry == nullptr) {
    std::uint32_t minor = 0;
    return parse_number(request.object, minor) ? unknown_minor() : unknown_resource();
  }
  std::erase_if(all, [&](const ResourceStatus& s) { return s.name != entry->resource->name(); });
  reply.data = control::encode_status(all);
  return reply;
}

Reply Daemon::show(const Request& request) {
  std::vector<control::ResourceShow> shown;
  const bool all = request.object.empty() || request.object == "all";
  const Entry* wanted = all ? nullptr : find_object(request.object);
  if (!all && wanted == nullptr) return unknown_resource();
  for (const auto& [name, entry] : resources_) {
    if (!all && entry.get() != wanted) continue;
    control::ResourceShow item;
    item.name = name;
    item.options = entry->options;
    item.peer_name = entry->peer_name;
    const Connection* connection = entry->resource->connection();
    if (connection != nullptr && !connection->ended()) {
      item.has_connection = true;
      item.peer = connection->peer();
      item.net = connection->options();
    }
    for (const std::unique_ptr<Volume>& volume : entry->resource->volumes()) {
      control::VolumeShow one;
      one.volume = volume->number();
      one.minor = volume->minor();
      if (volume->backing() != nullptr) one.backing = volume->backing_config();
      one.disk = volume->disk_options();
      item.volumes.push_back(std::move(one));
    }
    shown.push_back(std::move(item));
  }
  Reply reply;
  reply.data = control::encode_show(shown);
  return reply;
}

Reply Daemon::generations(const Request& request) {
  const Place place = find_minor(request.object);
  if (place.volume == nullptr) return unknown_minor();
  const BackingDevice* backing = place.volume->backing();
  if (backing == nullptr) return answer(control::err_no_disk);
  const Superblock& superblock = backing->superblock();
  control::GenerationShow shown;
  shown.generations[0] = superblock.generations.current;
  shown.generations[1] = superblock.generations.bitmap;
  shown.generations[2] = superblock.generations.history[0];
  shown.generations[3] = superblock.generations.history[1];
  shown.consistent = (superblock.flags & md_flag_consistent) != 0;
  shown.was_up_to_date = (superblock.flags & md_flag_was_up_to_date) != 0;
  shown.primary = (superblock.flags & md_flag_primary) != 0;
  shown.connected = (superblock.flags & md_flag_connected) != 0;
  shown.full_sync = (superblock.flags & md_flag_full_sync) != 0;
  shown.peer_outdated = (superblock.flags & md_flag_peer_outdated) != 0;
  shown.crashed_primary = (superblock.flags & md_flag_crashed_primary) != 0;
  Reply reply;
  reply.data = control::encode_generations(shown);
  return reply;
}

// Without ranges, which are asked for volume by volume and page by page.
Task<Daemon::Reply> Daemon::report(const Request& request) {
  // The report has it as it was when it was last asked for.
  const UndoStore::Space space = co_await undo_files_.space();
  static_cast<void>(space);
  const Entry* entry = find_resource(request.object);
  if (entry == nullptr) co_return unknown_resource();
  NodeReport report = entry->resource->report();
  if (report.peer_name.empty()) report.peer_name = entry->peer_name;
  Reply reply;
  reply.data = control::encode_report(report);
  co_return reply;
}

Reply Daemon::explain(const Request& request) {
  const Entry* entry = find_resource(request.object);
  if (entry == nullptr) return unknown_resource();
  constexpr std::size_t lines_shown = 20;
  ResourceExplanation explanation = entry->resource->explanation();
  if (options_.recent_lines != nullptr) {
    explanation.log = options_.recent_lines->about(request.object, lines_shown);
  }
  Reply reply;
  reply.data = control::encode_explanation(explanation);
  return reply;
}

Reply Daemon::marked_ranges(const Request& request) {
  const Place place = find_minor(request.object);
  if (place.volume == nullptr) return unknown_minor();
  const BackingDevice* backing = place.volume->backing();
  if (backing == nullptr) return answer(control::err_no_disk);
  std::uint64_t from = 0;
  if (request.arguments.size() != 1 || !parse_number(request.arguments[0], from)) {
    return malformed("marked-ranges MINOR BLOCK");
  }
  Reply reply;
  reply.data =
      control::encode_runs(marked_runs(backing->bitmap(), from, control::max_runs_per_reply));
  return reply;
}

}  // namespace replicator
