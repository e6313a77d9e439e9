#include "ha/daemon/had.hpp"

#include <fmt/format.h>
#include <linux/reboot.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/crc32c.hpp"
#include "ha/executor/script.hpp"

namespace ha::daemon {

namespace io = replicator::io;
using haresources::Holding;
using membership::EventKind;
using membership::LogLine;
using replicator::Task;

namespace {

constexpr Duration house_keeping = Duration::milliseconds(250);
constexpr Duration goodbye_time = Duration::seconds(1);
constexpr Duration status_deadline = Duration::seconds(60);
constexpr Duration action_deadline = Duration::seconds(600);

// What the commands and the other nodes call a link: its interface.
std::vector<std::string> link_names(const membership::HaCf& cf) {
  std::vector<std::string> names;
  for (const membership::Medium& medium : cf.media) {
    if (std::find(names.begin(), names.end(), medium.interface) == names.end()) {
      names.push_back(medium.interface);
    }
  }
  return names;
}

membership::Stamp stamp() {
  membership::Stamp result;
  result.seconds = static_cast<std::uint64_t>(time(nullptr));
  double load[3] = {0, 0, 0};
  if (getloadavg(load, 3) == 3) {
    result.load = fmt::format("{:.2f} {:.2f} {:.2f}", load[0], load[1], load[2]);
  }
  return result;
}

membership::MembershipConfig membership_config(const Configuration& configuration,
                                               const Identity& identity, bool voter,
                                               std::uint64_t random) {
  const membership::HaCf& cf = configuration.cf;
  membership::MembershipConfig config;
  config.own_name = configuration.own_node;
  config.own_uuid = identity.uuid;
  config.nodes = cf.nodes;
  config.links = link_names(cf);
  for (const membership::PingNode& ping : cf.ping_nodes)
    config.ping_nodes.push_back(ping.name);
  config.keepalive = cf.keepalive;
  config.warntime = cf.warntime;
  config.deadtime = cf.deadtime;
  config.initdead = cf.initdead;
  config.deadping = cf.deadping;
  config.hopfudge = cf.hopfudge;
  config.request_delay = Duration::milliseconds(
      static_cast<std::int64_t>(50 + random % (cf.max_rexmit_delay_ms - 49)));
  config.generation = identity.generation;
  config.log_bad_packets = cf.log_bad_packets;
  config.voter = voter;
  config.lease = cf.lease;
  return config;
}

haresources::TakeoverConfig takeover_config(const Configuration& configuration) {
  haresources::TakeoverConfig config;
  config.own_name = configuration.own_node;
  config.fencing = !configuration.cf.stonith_lines.empty();
  config.auto_failback = configuration.cf.auto_failback != membership::AutoFailback::off;
  return config;
}

std::string digest_of(const std::vector<haresources::Group>& groups) {
  std::string all;
  for (const haresources::Group& group : groups)
    all += group.text() + "\n";
  return fmt::format("{:08x}", replicator::crc32c(std::as_bytes(std::span<const char>(all))));
}

}  // namespace

Had::Had(replicator::uring::Reactor& reactor, HadOptions options, Configuration configuration,
         Identity identity, Log& log)
    : reactor_(reactor),
      options_(std::move(options)),
      configuration_(std::move(configuration)),
      identity_(std::move(identity)),
      log_(log),
      datagrams_(reactor_.datagrams()),
      membership_(membership_config(configuration_, identity_, options_.voter,
                                    reactor_.world().entropy.next64()),
                  configuration_.keys, stamp),
      flow_(reactor_.world().clock, *datagrams_, membership_,
            [this](membership::Effects effects) { observe(std::move(effects)); }),
      guard_(reactor_.world().clock, configuration_.cf, configuration_.own_node, membership_,
             options_.voter, guard_hooks()),
      attendance_(membership_, guard_),
      resetter_(reactor_, fence_folders(), log_, [this](const std::string& node) { reset(node); }),
      takeover_(takeover_config(configuration_)),
      groups_(configuration_.own_node, configuration_.groups, *this, reactor_.world().clock,
              [this](Severity severity, const std::string& text) { log_.write(severity, text); }),
      cluster_(make_cluster()),
      server_(reactor_.world(), *this),
      resources_digest_(digest_of(configuration_.groups)) {
  managing_ = !configuration_.by_cib && !options_.voter;
  authkeys_changed(options_.config_folder, keys_changed_);
}

Had::~Had() = default;

fencing::Folders Had::fence_folders() const {
  fencing::Folders folders;
  const std::vector<std::string>& own = options_.fence_folders;
  folders.agents.insert(folders.agents.begin(), own.begin(), own.end());
  folders.plugins.insert(folders.plugins.begin(), own.begin(), own.end());
  folders.path = options_.path;
  return folders;
}

std::unique_ptr<Cluster> Had::make_cluster() {
  if (!configuration_.by_cib) return nullptr;
  ClusterOptions options;
  options.cib_folder = options_.cib_folder;
  options.run_folder = options_.run_folder;
  options.voter = options_.voter;
  options.agents.ocf = options_.ocf_folders;
  options.fencing = fence_folders();
  options.agents.heartbeat = options_.script_folders;
  options.agents.path = options_.path;
  options.agents.log_facility = configuration_.cf.log_facility;
  Cluster::Hooks hooks;
  hooks.send = [this](Message message) {
    if (!membership_.send(std::move(message), now()))
      log_.write(Severity::error, "a message is too long and was not sent");
  };
  hooks.flush = [this] { flow_.flush(); };
  hooks.leave = [this](bool in_peace) { tasks_.start(say_goodbye(in_peace)); };
  hooks.fenced = [this] { end_at_once(); };
  return std::make_unique<Cluster>(reactor_, std::move(options), configuration_, std::move(hooks),
                                   log_);
}

Instant Had::now() const noexcept { return reactor_.world().clock.now(); }

// --- Start -----------------------------------------------------------------------------------

Status Had::open_links() {
  std::vector<membership::LinkPlan> links;
  const std::vector<std::string>& names = membership_.config().links;
  const std::vector<std::string> own = own_addresses();
  for (const membership::Medium& medium : configuration_.cf.media) {
    const auto name = std::find(names.begin(), names.end(), medium.interface);
    // The same file serves on all nodes: a line for this one is for the others.
    const std::string to = io::host_text(medium.destination);
    if (medium.kind == membership::MediumKind::unicast &&
        std::find(own.begin(), own.end(), to) != own.end()) {
      continue;
    }
    membership::LinkPlan plan;
    plan.link = static_cast<std::size_t>(name - names.begin());
    plan.path.kind = medium.kind == membership::MediumKind::unicast ? io::DatagramKind::unicast
                     : medium.kind == membership::MediumKind::broadcast
                         ? io::DatagramKind::broadcast
                         : io::DatagramKind::multicast;
    plan.path.interface = medium.interface;
    plan.path.to = medium.destination;
    plan.path.port = medium.port;
    plan.path.ttl = medium.ttl;
    plan.path.loop = medium.loop;
    links.push_back(std::move(plan));
    log_.write(Severity::info, fmt::format("UDP heartbeat started on port {} interface {}",
                                           medium.port, medium.interface));
  }
  std::vector<membership::PingPlan> pings;
  for (std::size_t i = 0; i < configuration_.cf.ping_nodes.size(); ++i) {
    for (const io::Address& address : configuration_.cf.ping_nodes[i].addresses) {
      membership::PingPlan plan;
      plan.node = i;
      plan.path.kind = io::DatagramKind::echo;
      plan.path.to = address;
      pings.push_back(std::move(plan));
    }
  }
  return flow_.open(links, pings);
}

Task<bool> Had::start() {
  mkdir(options_.run_folder.c_str(), 0755);
  const Status listening = server_.claim(options_.run_folder + "/control.sock");
  if (!listening.ok()) {
    log_.write(Severity::error,
               fmt::format("control socket in {}: {}", options_.run_folder,
                           listening.fault() == Fault::busy ? "heartbeat is already running"
                                                            : replicator::text(listening.fault())));
    co_return false;
  }
  const Status opened = open_links();
  if (!opened.ok()) {
    log_.write(Severity::error,
               fmt::format("cannot open heartbeat path [{}]: {} (errno {})", flow_.failed_path(),
                           replicator::text(opened.fault()), opened.error_number()));
    co_return false;
  }
  log_.write(Severity::info, fmt::format("Heartbeat generation: {}", identity_.generation));
  if (managing_) {
    std::vector<membership::StonithLine> lines = configuration_.cf.stonith_lines;
    std::string own_node = configuration_.own_node;
    const bool prepared = co_await resetter_.prepare(std::move(lines), std::move(own_node));
    if (!prepared) co_return false;
    const bool idle = co_await groups_.make_idle();
    if (!idle) co_return false;
  }
  if (!guard_.open()) co_return false;
  server_.serve_clients();
  if (cluster_) cluster_->start();
  flow_.start();
  guard_.start();
  after_change();
  tasks_.start(work_loop());
  tasks_.start(keep_house());
  co_return true;
}

// --- What the membership says ----------------------------------------------------------------

void Had::observe(membership::Effects effects) {
  for (const LogLine& line : effects.log)
    log_.write(line.severity, line.text);
  if (cluster_) return observe_cluster(effects);
  for (const membership::Event& event : effects.events)
    on_event(event);
  for (const Message& message : effects.messages)
    on_message(message);
  carry_orders();
}

// Who is there is known before what they say.
void Had::observe_cluster(const membership::Effects& effects) {
  for (const membership::Event& event : effects.events) {
    const bool died = event.kind == EventKind::node_died && !event.left;
    if (!died || !withhold(event.node)) cluster_->on_event(event);
  }
  cluster_->see(attendance_.view());
  for (const Message& message : effects.messages) {
    // A node whose lease has ended stops, whatever others want.
    if (!guard_.cut_off()) cluster_->on_message(message);
  }
  cluster_->see(attendance_.view());
}

void Had::on_event(const membership::Event& event) {
  check_quorum();
  if (!managing_) return;
  const bool alone = membership_.no_partner();
  // What is heard is not off; what was about to be done to it is not done.
  if (!alone && !resetter_.node().empty()) {
    resetter_.cancel();
    if (waits_at_start_) {
      waits_at_start_ = false;
      takeover_.communication_up(false, now());
    }
  }
  switch (event.kind) {
    case EventKind::communication_up:
      start_withheld_ = alone && withhold(partner());
      if (start_withheld_) return;
      waits_at_start_ = alone && resetter_.configured();
      if (waits_at_start_) return lost(partner());
      return takeover_.communication_up(alone, now());
    case EventKind::node_died:
      if (!is_ping_node(event.node) && !event.left && alone && !withhold(event.node))
        lost(event.node);
      return;
    case EventKind::node_restarted:
      if (!membership_.is_voter(event.node)) takeover_.partner_restarted();
      return;
    case EventKind::returned:
      // With a lease one side kept it, and the other one has let go of everything.
      if (guard_.leased()) return takeover_.partner_restarted();
      return takeover_.start_again("the cluster was partitioned");
    case EventKind::was_paused:
      if (!alone) takeover_.start_again("this node was not running, others may have taken over");
      return;
    default: return;
  }
}

// Nothing is taken over from a node that may still run (H2).
void Had::lost(const std::string& node) {
  const bool harmless =
      membership_.is_voter(node) || (!waits_at_start_ && takeover_.other_gave_up());
  if (resetter_.configured() && !harmless && takeover_.phase() != haresources::Phase::shutdown)
    return resetter_.begin(node);
  takeover_.node_died(node, now());
}

void Had::reset(const std::string& node) {
  Message message("stonith");
  message.set("node", node).set("result", "OK");
  membership_.send(std::move(message), now());
  if (waits_at_start_) takeover_.communication_up(true, now());
  else takeover_.node_died(node, now());
  waits_at_start_ = false;
  after_change();
}

// The first of the others that may hold resources.
std::string Had::partner() const {
  for (const std::string& node : configuration_.cf.nodes) {
    if (node != configuration_.own_node && !membership_.is_voter(node)) return node;
  }
  return std::string();
}

void Had::check_quorum() {
  if (!membership_.communication_up()) return;
  takeover_.set_quorum(attendance_.quorum());
}

void Had::on_message(const Message& message) {
  check_quorum();
  if (message.type() == "stonith" && message.text("result") == "OK" &&
      membership::lower_case(message.text("node")) == configuration_.own_node) {
    log_.write(Severity::error, fmt::format("CRIT: {} had this node reset", message.text("src")));
    end_at_once();
  }
  if (!managing_ || membership_.is_voter(membership::lower_case(message.text("src")))) return;
  compare_resources(message);
  takeover_.message(message, now());
}

void Had::compare_resources(const Message& message) {
  const std::string_view theirs = message.text("haresources");
  const bool differ = !theirs.empty() && theirs != resources_digest_;
  if (differ && !resources_differ_) {
    log_.write(Severity::error,
               fmt::format("haresources of {} is not the same as here: both nodes may start the "
                           "same resources",
                           message.text("src")));
  }
  if (!theirs.empty()) resources_differ_ = differ;
}

// --- What the rules of takeover say ----------------------------------------------------------

void Had::carry_orders() {
  if (carrying_) return;
  carrying_ = true;
  for (;;) {
    haresources::Orders orders = takeover_.take_orders();
    for (const LogLine& line : orders.log)
      log_.write(line.severity, line.text);
    if (orders.reboot) fail_hard();
    for (Message& message : orders.messages) {
      if (message.type() == "starting" || message.type() == "resource") {
        message.set("haresources", resources_digest_);
      }
      membership_.send(std::move(message), now());
    }
    for (haresources::Work& work : orders.works)
      works_.push_back(std::move(work));
    if (!works_.empty()) work_came_.notify_all();
    if (orders.new_start) begin_new_generation();
    if (orders.gone) tasks_.start(say_goodbye(true));
    const bool quiet = orders.messages.empty() && orders.works.empty() && orders.log.empty() &&
                       !orders.new_start && !orders.gone;
    if (quiet) break;
  }
  carrying_ = false;
}

void Had::after_change() {
  carry_orders();
  flow_.flush();
}

void Had::begin_new_generation() {
  ++identity_.generation;
  const Status stored = store_generation(options_.state_folder, identity_.generation);
  if (!stored.ok()) log_.write(Severity::error, "cannot store the generation");
  log_.write(Severity::info, fmt::format("Heartbeat generation: {}", identity_.generation));
  membership_.begin_generation(identity_.generation, now());
}

// A resource that could not be stopped may still be used here: the other node may have it only when
// this one is certainly off. Nothing is flushed before, as that may hang on the very thing that
// could not be stopped.
void Had::fail_hard() {
  if (!options_.reboot) {
    log_.write(Severity::error,
               "CRIT: this node goes on, and keeps what it could not stop: nothing is handed over");
    return;
  }
  log_.write(Severity::error, "CRIT: Killing heartbeat ungracefully!");
  ::reboot(LINUX_REBOOT_CMD_RESTART);
  // Not permitted: the other node hears nothing any more and takes over, as if this one were off.
  _exit(70);
}

// The others go on without this node: nothing that it does may last.
void Had::end_at_once() {
  log_.write(Severity::error, "CRIT: Killing heartbeat ungracefully!");
  if (options_.reboot) ::reboot(LINUX_REBOOT_CMD_RESTART);
  _exit(70);
}

Task<void> Had::work_loop() {
  while (!stopping_) {
    const bool look = options_.monitor > Duration() && now() >= next_look_;
    if (works_.empty() && look) {
      co_await look_after_resources();
      continue;
    }
    if (works_.empty()) {
      io::Event::Wait wait(work_came_);
      co_await wait;
      continue;
    }
    const haresources::Work work = works_.front();
    works_.pop_front();
    const bool good = co_await groups_.carry_out(work);
    takeover_.work_done(work, good, now());
    after_change();
  }
}

// Between works, so that nothing is asked while it is being started or stopped.
Task<void> Had::look_after_resources() {
  next_look_ = now() + options_.monitor;
  if (!takeover_.stable() || takeover_.phase() != haresources::Phase::stable) co_return;
  const Holding held = takeover_.thought_running();
  const Holding failed = co_await groups_.failed_of(held);
  // What changed hands meanwhile is not what was asked.
  if (failed == Holding::none || takeover_.thought_running() != held) co_return;
  takeover_.resource_failed(failed, now());
  after_change();
}

std::string Had::find_script(const std::string& name) const {
  for (const std::string& folder : options_.script_folders) {
    const std::string path = folder + "/" + name;
    struct stat about{};
    if (stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) &&
        access(path.c_str(), X_OK) == 0) {
      return path;
    }
  }
  return std::string();
}

Task<haresources::ActionResult> Had::run(const haresources::Resource& resource,
                                         haresources::Action action) {
  haresources::ActionResult result;
  result.path = find_script(resource.script);
  if (result.path.empty()) co_return result;
  result.found = true;
  executor::ScriptCall call;
  call.path = result.path;
  call.arguments = resource.arguments;
  call.arguments.emplace_back(text(action));
  call.environment.push_back("PATH=" + options_.path);
  call.environment.push_back("HA_CURHOST=" + configuration_.own_node);
  const bool asks = action == haresources::Action::status;
  call.deadline = asks ? status_deadline : action_deadline;
  if (!asks) {
    log_.write(Severity::info,
               fmt::format("Running {} {}", result.path, fmt::join(call.arguments, " ")));
  }
  executor::ScriptResult ended = co_await executor::run_script(reactor_, std::move(call));
  result.exit_code = ended.timed_out ? 124 : ended.exit_code;
  result.output = std::move(ended.output);
  if (!asks && !ended.good() && !result.output.empty()) {
    log_.write(Severity::info, fmt::format("{} said: {}", result.path, one_line(result.output)));
  }
  if (ended.timed_out) {
    log_.write(Severity::error, fmt::format("{} took too long and was killed", result.path));
  }
  co_return result;
}

// --- Time, keys, goodbye ---------------------------------------------------------------------

Task<void> Had::keep_house() {
  while (!stopping_) {
    if (now() >= takeover_.next_tick()) takeover_.tick(now());
    reload_keys();
    after_change();
    if (options_.monitor > Duration() && now() >= next_look_) work_came_.notify_all();
    io::Op op;
    resting_ = &op;
    reactor_.world().clock.sleep(op, house_keeping);
    co_await op;
    resting_ = nullptr;
  }
}

void Had::reload_keys() {
  if (!authkeys_changed(options_.config_folder, keys_changed_)) return;
  membership::AuthKeysFile file = load_auth_keys(options_.config_folder);
  for (const membership::Diagnostic& diagnostic : file.diagnostics)
    log_.write(diagnostic.severity, membership::text(diagnostic));
  if (!file.keys) {
    log_.write(Severity::error, "authkeys is not usable, the keys in use stay");
    return;
  }
  log_.write(Severity::info, "authkeys was read again");
  membership_.set_keys(std::move(*file.keys));
}

void Had::shut_down() {
  log_.write(Severity::info, fmt::format("Heartbeat shutdown in progress. ({})", getpid()));
  if (cluster_) cluster_->shut_down();
  else if (managing_) takeover_.shut_down(now());
  else if (!leaving_) tasks_.start(say_goodbye(true));
  after_change();
}

Task<void> Had::say_goodbye(bool in_peace) {
  if (leaving_) co_return;
  leaving_ = true;
  if (in_peace) membership_.leave(now());
  flow_.flush();
  io::Op op;
  reactor_.world().clock.sleep(op, goodbye_time);
  co_await op;
  guard_.disarm();
  log_.write(Severity::info,
             fmt::format("{} Heartbeat shutdown complete.", configuration_.own_node));
  done_ = true;
}

Task<void> Had::stop() {
  stopping_ = true;
  work_came_.notify_all();
  if (resting_ != nullptr) reactor_.world().clock.wake(*resting_);
  if (cluster_) {
    co_await cluster_->stop();
  }
  co_await guard_.stop();
  co_await resetter_.stop();
  co_await server_.stop();
  co_await flow_.stop();
  co_await tasks_.close();
}

}  // namespace ha::daemon
