// What this daemon runs is remembered with each command, and brought back by a daemon that comes
// after it (docs/decisions/daemon-restore.md).
#include <utility>

#include "base/log.hpp"
#include "control/codes.hpp"
#include "daemon/daemon.hpp"
#include "daemon/replies.hpp"
#include "daemon/restore_decision.hpp"
#include "daemon/running_file.hpp"

namespace replicator {

namespace {

// Commands wait as long for what is restored; one disk that hangs delays only its own resource.
constexpr Duration patience_with_disks = Duration::seconds(10);
constexpr Duration patience_with_roles = Duration::seconds(5);
constexpr Duration patience_with_promotion = Duration::seconds(10);
constexpr Duration look_soon = Duration::milliseconds(5);
constexpr Duration look_later = Duration::milliseconds(100);

// The record outlives a successor that did not get far; what it says of the moment before does not.
bool left_a_moment_ago(const control::OptionMap& facts, Instant now) noexcept {
  constexpr Duration a_moment = Duration::seconds(30);
  const auto held = facts.find("held");
  std::int64_t since = 0;
  return held != facts.end() && parse_number(held->second, since) &&
         now - Instant(since) < a_moment;
}

void complain(const std::string& resource, const Request& request, const Reply& reply) {
  std::string why(control::code_text(reply.code));
  for (const std::string& line : reply.info)
    why += (why.empty() ? "" : "; ") + line;
  log::error("{}: not restored: {} {}: {}", resource, request.command, request.object, why);
}

}  // namespace

std::string Daemon::resource_of(const Request& request) {
  if (request.command == "new-resource") return request.object;
  const std::shared_ptr<Entry> entry = subject(request);
  return entry ? entry->resource->name() : std::string();
}

void Daemon::remember(const std::string& resource, const Request& request) {
  if (running_.note(resource, request)) save_running();
}

void Daemon::save_running() {
  const Status saved = write_running(options_.run_directory, running_);
  if (!saved.ok())
    log::error("{}{}: errno {}; a daemon after this one restores something else",
               options_.run_directory, running_file_name, saved.error_number());
}

Task<void> Daemon::restore() {
  const Result<RunningRecord> read = read_running(options_.run_directory);
  if (!read) {
    log::error("nothing is restored: {}{} is damaged ({}); `drbdadm up` brings resources up",
               options_.run_directory, running_file_name, read.error().where());
    remove_running(options_.run_directory);
    co_return;
  }
  running_ = *read;
  const std::vector<std::string> names = running_.resources();
  log::info("{} resource(s) to be restored", names.size());
  co_await restore_configuration();
  bool left = false;
  for (const std::string& name : names) {
    left = left || running_.left(name) != nullptr;
    restoring_.start(restore_role(name));
  }
  // Who asks for the state meanwhile waits: to a cluster manager a node that is Secondary for a
  // moment is one that has failed.
  if (left) co_await restored_within(patience_with_roles);
  running_.take_back();
  save_running();
}

// First what others refer to, then each resource by itself.
Task<void> Daemon::restore_configuration() {
  std::map<std::string, std::vector<Request>> of_resources;
  const std::vector<std::pair<std::string, Request>> all = running_.configuration();
  for (const auto& item : all) {
    const std::string& command = item.second.command;
    if (command != "new-resource" && command != "new-minor") {
      of_resources[item.first].push_back(item.second);
      continue;
    }
    const Reply done = co_await replay(item.second);
    if (!control::is_success(done.code)) complain(item.first, item.second, done);
  }
  for (auto& [name, requests] : of_resources)
    restoring_.start(restore_resource(name, std::move(requests)));
  co_await restored_within(patience_with_disks);
}

Task<Daemon::Reply> Daemon::replay(const Request& request) {
  if (request.command == "new-resource") co_return new_resource(request);
  if (request.command == "suspend-io") co_return suspension(request);
  co_return co_await carry_out(request);
}

Task<void> Daemon::restore_resource(std::string name, std::vector<Request> requests) {
  const std::shared_ptr<Entry> entry = share(find_resource(name));
  if (!entry) co_return;
  io::Semaphore::Take turn(entry->turn, 1);
  co_await turn;
  for (const Request& request : requests) {
    const Reply done = co_await replay(request);
    if (!control::is_success(done.code)) complain(name, request, done);
  }
}

Task<void> Daemon::restored_within(Duration patience) {
  const Instant until = reactor_.world().clock.now() + patience;
  while (!restoring_.empty() && reactor_.world().clock.now() < until) {
    io::Op pause;
    reactor_.world().clock.sleep(pause, look_soon);
    co_await pause;
  }
}

RestoreSituation Daemon::situation_of(Entry& entry, const control::OptionMap* left) const {
  RestoreSituation now;
  now.left_on_purpose = left != nullptr && left_a_moment_ago(*left, reactor_.world().clock.now());
  now.was_connected = left != nullptr && left->contains("connected");
  now.users_wait = users_wait(entry);
  const Connection* const connection = entry.resource->connection();
  now.two_primaries = connection != nullptr && connection->options().allow_two_primaries;
  now.connected = connection != nullptr;
  for (const std::unique_ptr<Volume>& volume : entry.resource->volumes()) {
    now.connected = now.connected && volume->state().connection >= ConnectionState::connected;
    now.peer_primary = now.peer_primary || volume->state().peer_role == Role::primary;
  }
  return now;
}

// Ends when the resource is Primary, or when an administrator has to decide, or has decided.
Task<void> Daemon::restore_role(std::string name) {
  const Instant begun = reactor_.world().clock.now();
  bool told = false;
  bool users_waited = false;
  while (!stop_requested_) {
    const std::shared_ptr<Entry> entry = share(find_resource(name));
    const Request* const wanted = running_.primary(name);
    if (!entry || wanted == nullptr || entry->resource->role() == Role::primary) break;
    const Request request = *wanted;
    const bool left = running_.left(name) != nullptr;
    RestoreSituation now = situation_of(*entry, running_.left(name));
    now.waited = reactor_.world().clock.now() - begun;
    now.users_waited = users_waited = users_waited || now.users_wait;
    const RestoreStep step = decide_restore(now);
    if (step == RestoreStep::promote) {
      const bool last = now.waited >= patience_with_promotion;
      const bool done = co_await promote_again(entry, request, last);
      if (done || last) break;
    }
    const bool decides = step == RestoreStep::leave_to_administrator;
    if (decides) {
      // Else a later upgrade found a Primary in the record.
      if (running_.demoted(name)) save_running();
      log::warning("{} was Primary and stays Secondary{}; `drbdadm primary {}` makes it Primary",
                   name, now.peer_primary ? ": the peer is Primary" : "", name);
      break;
    }
    if (!told && step == RestoreStep::wait)
      log::info(
          "{} was Primary: it is again when a peer is connected that is not, or at once by "
          "`drbdadm primary {}`; `drbdadm down {}` gives its users errors",
          name, name, name);
    told = told || step == RestoreStep::wait;
    io::Op pause;
    reactor_.world().clock.sleep(pause, left ? look_soon : look_later);
    co_await pause;
  }
}

// True when there is nothing more to do. What is not possible in the middle of a handshake is a
// moment later: only the last failure is told.
Task<bool> Daemon::promote_again(std::shared_ptr<Entry> entry, Request request, bool last) {
  io::Semaphore::Take turn(entry->turn, 1);
  co_await turn;
  const std::string name = entry->resource->name();
  // The command that had the turn may have been about just this.
  if (find_resource(name) != entry.get() || running_.primary(name) == nullptr) co_return true;
  // Nor without the peer what was decided with it.
  const RestoreSituation now = situation_of(*entry, running_.left(name));
  if (!now.left_on_purpose && !now.connected) co_return false;
  const Reply done = co_await primary(request);
  const bool promoted = control::is_success(done.code);
  if (promoted) {
    log::info("{} is Primary again", name);
    report_pauses(name);
  } else if (last) {
    complain(name, request, done);
  }
  co_return promoted;
}

// From the moment when the former daemon took no more requests.
void Daemon::report_pauses(const std::string& name) {
  const control::OptionMap* const left = running_.left(name);
  const auto held = left == nullptr ? control::OptionMap::const_iterator() : left->find("held");
  std::int64_t since = 0;
  if (left == nullptr || held == left->end() || !parse_number(held->second, since)) return;
  const Duration pause = reactor_.world().clock.now() - Instant(since);
  for (const auto& [number, exports] : find_resource(name)->exports) {
    if (!exports.device || !exports.device->promoted()) continue;
    pauses_.push_back("drbd" + std::to_string(exports.device->names().minor) +
                      ": its I/O waited for " + std::to_string(pause.milliseconds()) + " ms");
    log::info("{}", pauses_.back());
  }
}

}  // namespace replicator
