#include "ha/daemon/cluster.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "ha/config/store.hpp"
#include "ha/config/xml.hpp"
#include "ha/policy/plan.hpp"

namespace ha::daemon {

namespace control = replicator::control;
namespace io = replicator::io;
using controller::Element;
using controller::Operation;
using controller::Outcome;
using replicator::Task;

namespace {

constexpr Duration longest_sleep = Duration::milliseconds(500);
constexpr Duration shortest_sleep = Duration::milliseconds(2);

policy::Seconds wall() { return static_cast<policy::Seconds>(time(nullptr)); }

std::string random_uuid() {
  unsigned char bytes[16] = {};
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
    // Different from that of every other life will do.
    const timespec now = [] {
      timespec clock{};
      clock_gettime(CLOCK_REALTIME, &clock);
      return clock;
    }();
    std::memcpy(bytes, &now, sizeof bytes);
  }
  std::string text;
  for (std::size_t i = 0; i < sizeof bytes; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", bytes[i]);
  }
  return text;
}

controller::ControllerConfig controller_config(const Configuration& configuration, bool voter) {
  controller::ControllerConfig config;
  config.own_name = configuration.own_node;
  config.nodes = configuration.cf.nodes;
  config.voter = voter;
  config.plan_uuid = random_uuid();
  return config;
}

// A command's text that is too long for a line of the control socket comes in a file.
Result<std::string> text_of(const control::Request& request, const std::string& run_folder) {
  const auto inline_text = request.options.find("xml");
  if (inline_text != request.options.end()) return inline_text->second;
  const auto file = request.options.find("file");
  if (file == request.options.end()) return failure(Fault::malformed, "nothing to apply");
  const std::string& name = file->second;
  if (name.empty() || name.find('/') != std::string::npos) return failure(Fault::malformed, "file");
  const int fd = open((run_folder + "/" + name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return failure(Fault::not_found, "file", errno);
  std::string text;
  char buffer[65536];
  ssize_t got = 0;
  while (text.size() <= config::max_xml_bytes && (got = read(fd, buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<std::size_t>(got));
  close(fd);
  return text;
}

std::string option(const control::Request& request, std::string_view name) {
  const auto found = request.options.find(name);
  return found == request.options.end() ? std::string() : found->second;
}

std::string argument(const control::Request& request, std::size_t index) {
  return index < request.arguments.size() ? request.arguments[index] : std::string();
}

// The codes of the commands are those that Pacemaker's have.
int exit_code(Fault fault) {
  switch (fault) {
    case Fault::none: return 0;
    case Fault::not_found: return 105;
    case Fault::exists: return 108;
    case Fault::incompatible: return 103;
    case Fault::malformed: return 65;
    case Fault::timed_out: return 124;
    case Fault::not_permitted: return 4;
    case Fault::closed: return 107;
    default: return 1;
  }
}

}  // namespace

Cluster::Cluster(replicator::uring::Reactor& reactor, ClusterOptions options,
                 const Configuration& configuration, Hooks hooks, Log& log)
    : reactor_(reactor),
      options_(std::move(options)),
      hooks_(std::move(hooks)),
      log_(log),
      own_name_(configuration.own_node),
      fencer_(reactor, options_.fencing,
              [this](Severity severity, const std::string& text) {
                log_.write(severity, one_line(text));
              }),
      operations_(
          reactor.world().clock, *this,
          [this](const Operation& operation, const Outcome& outcome) {
            controller_->operation_done(operation, outcome, now());
            carry();
          },
          wall) {
  config::LoadedCib loaded = config::load_cib(options_.cib_folder);
  for (const std::string& remark : loaded.remarks)
    log_.write(Severity::warning, remark);
  Element root = loaded.root ? std::move(*loaded.root) : config::empty_cib();
  const config::Version version = config::version_of(root);
  log_.write(Severity::info, fmt::format("The configuration has version {}.{}.{}",
                                         version.admin_epoch, version.epoch, version.num_updates));
  controller_ = std::make_unique<controller::Controller>(
      controller_config(configuration, options_.voter), std::move(root), wall);
}

Cluster::~Cluster() = default;

Instant Cluster::now() const noexcept { return reactor_.world().clock.now(); }

void Cluster::start() {
  // Where agents keep their state; it is empty after each boot.
  mkdir("/run/resource-agents", 01755);
  operations_.start();
  tasks_.start(follow_clock());
}

void Cluster::shut_down() {
  controller_->shut_down(now());
  carry();
}

Task<void> Cluster::stop() {
  stopping_ = true;
  answered_.notify_all();
  if (sleeping_ != nullptr) reactor_.world().clock.wake(*sleeping_);
  fencer_.stop();
  co_await operations_.stop();
  co_await tasks_.close();
}

// --- What the membership says ------------------------------------------------------------------

void Cluster::on_event(const membership::Event& event) {
  switch (event.kind) {
    case membership::EventKind::node_died:
      controller_->node_lost(event.node, event.left, now());
      break;
    case membership::EventKind::node_restarted:
      controller_->node_restarted(event.node, now());
      break;
    case membership::EventKind::was_paused: controller_->was_paused(now()); break;
    default: return;
  }
}

void Cluster::on_message(const membership::Message& message) {
  controller_->message(message, now());
}

void Cluster::see(controller::View view) {
  controller_->see(std::move(view), now());
  carry();
}

// --- What the controller orders ----------------------------------------------------------------

void Cluster::carry() {
  if (carrying_) return;
  carrying_ = true;
  for (;;) {
    controller::Orders orders = controller_->take_orders();
    if (orders.empty()) break;
    for (const membership::LogLine& line : orders.log)
      log_.write(line.severity, line.text);
    if (orders.fenced) hooks_.fenced();
    for (membership::Message& message : orders.messages)
      hooks_.send(std::move(message));
    for (Operation& operation : orders.operations)
      operations_.submit(std::move(operation));
    for (controller::StoreOrder& order : orders.stores)
      stores_.push_back(std::move(order));
    if (!stores_.empty() && !storing_) tasks_.start(store_in_order());
    for (controller::FenceOrder& order : orders.fencings)
      tasks_.start(fence(std::move(order)));
    for (controller::Answer& answer : orders.answers) {
      const std::uint64_t client = answer.client;
      answers_[client] = std::move(answer);
    }
    answered_.notify_all();
    if (orders.leave) hooks_.leave(orders.in_peace);
  }
  carrying_ = false;
  hooks_.flush();
  if (sleeping_ != nullptr) reactor_.world().clock.wake(*sleeping_);
}

Task<void> Cluster::follow_clock() {
  while (!stopping_) {
    controller_->tick(now());
    carry();
    const Instant latest = now() + longest_sleep;
    const Instant soonest = now() + shortest_sleep;
    const Instant until = std::max(soonest, std::min(latest, controller_->next_tick()));
    io::Op op;
    sleeping_ = &op;
    reactor_.world().clock.sleep_until(op, until);
    co_await op;
    sleeping_ = nullptr;
  }
}

// Each in a thread of its own, as a disk may take its time; one after the other.
Task<void> Cluster::store_in_order() {
  storing_ = true;
  while (!stores_.empty()) {
    const controller::StoreOrder order = std::move(stores_.front());
    stores_.pop_front();
    Status status;
    io::Op op;
    const auto store = [this, &order, &status] {
      status = config::store_cib(options_.cib_folder, order.text);
    };
    reactor_.run_blocking(op, store);
    co_await op;
    controller_->stored(order.ticket, status, now());
    carry();
  }
  storing_ = false;
}

// A fence device "runs" where it is watched over; it is used wherever it is needed.
Task<Outcome> Cluster::run_device(Operation operation) {
  Outcome outcome;
  outcome.execution = policy::Execution::done;
  const bool probe = operation.task == "monitor" && operation.interval == 0;
  if (operation.task == "stop") {
    devices_in_use_.erase(operation.resource);
    co_return outcome;
  }
  if (probe && !devices_in_use_.contains(operation.resource)) {
    outcome.result = policy::ocf::not_running;
    co_return outcome;
  }
  fencing::Device device;
  const config::Cib cib(controller_->cib());
  for (fencing::Device& each : fencing::devices_of(*policy::read_cluster(cib, wall()))) {
    if (each.id == operation.resource) device = std::move(each);
  }
  // What was asked of it counts, even if the configuration changed since.
  if (device.id.empty()) {
    device.id = operation.resource;
    device.type = operation.type;
  }
  const bool good = co_await fencer_.monitor(std::move(device), operation.timeout);
  outcome.result = good ? policy::ocf::ok : 1;
  if (good) devices_in_use_.insert(operation.resource);
  co_return outcome;
}

Task<Outcome> Cluster::run(Operation operation) {
  if (operation.standard == "stonith") co_return co_await run_device(std::move(operation));
  std::optional<executor::ScriptCall> call =
      executor::agent_call(operation, options_.agents, executor::executable);
  if (!call) {
    Outcome missing = executor::no_agent(operation);
    co_return missing;
  }
  const bool asks = operation.task == "monitor" && operation.interval > 0;
  if (!asks) log_.write(Severity::info, fmt::format("executing {}", operation.key()));
  executor::ScriptCall script = std::move(*call);
  const executor::ScriptResult result = co_await executor::run_script(reactor_, std::move(script));
  Outcome outcome = executor::agent_outcome(operation, result);
  if (!asks || outcome.result != operation.expected) {
    log_.write(Severity::info, fmt::format("finished {} rc={}", operation.key(), outcome.result));
  }
  const bool strange = outcome.result != operation.expected && outcome.result != 7;
  if (strange && !result.output.empty()) {
    log_.write(Severity::info,
               fmt::format("{} said: {}", operation.key(), one_line(result.output)));
  }
  co_return outcome;
}

Task<void> Cluster::fence(controller::FenceOrder order) {
  const config::Cib cib(controller_->cib());
  const std::unique_ptr<policy::Cluster> cluster = policy::read_cluster(cib, wall());
  fencing::Request request;
  request.target = order.target;
  request.action = order.action;
  request.delay = order.delay * 1000;
  request.timeout =
      policy::parse_milliseconds(policy::lookup(cluster->properties, "stonith-timeout", "60s"))
          .value_or(60'000);
  std::vector<fencing::Device> devices = fencing::devices_of(*cluster);
  std::vector<fencing::Level> levels = fencing::levels_of(*cluster, order.target);
  const fencing::FenceResult result =
      co_await fencer_.fence(std::move(request), std::move(devices), std::move(levels));
  if (stopping_) co_return;
  controller_->fencing_done(order, result.good, result.device, now());
  carry();
}

// --- Commands ----------------------------------------------------------------------------------

bool Cluster::knows(const std::string& command) {
  for (const char* known : {"cib-query", "cib-edit", "attribute-set", "attribute-get", "cleanup",
                            "confirm", "crm-status"}) {
    if (command == known) return true;
  }
  return false;
}

Result<Element> Cluster::asked(const control::Request& request) const {
  const std::string& what = request.command;
  if (what == "cib-query") return Element{"query", {{"scope", option(request, "scope")}}, {}, {}};
  if (what == "crm-status") return Element{"status", {}, {}, {}};
  if (what == "cleanup") {
    return Element{
        "cleanup", {{"resource", argument(request, 0)}, {"node", option(request, "node")}}, {}, {}};
  }
  if (what == "confirm") return Element{"confirm", {{"node", argument(request, 0)}}, {}, {}};
  if (what == "attribute-set") {
    std::string node = option(request, "node");
    const std::string section = option(request, "section");
    if (node.empty() && section.empty()) node = own_name_;
    Element set{
        "attribute",
        {{"node", node},
         {"name", argument(request, 0)},
         {"lifetime",
          option(request, "lifetime") == "forever" || !section.empty() ? "forever" : "reboot"}},
        {},
        {}};
    if (request.arguments.size() > 1) set.set("value", request.arguments[1]);
    return set;
  }
  const Result<std::string> text = text_of(request, options_.run_folder);
  if (!text) return tl::unexpected(text.error());
  const Result<Element> content = config::parse_xml(*text);
  if (!content) return tl::unexpected(content.error());
  return Element{"edit",
                 {{"kind", option(request, "kind")},
                  {"scope", option(request, "scope")},
                  {"allow-create", option(request, "allow-create")}},
                 {*content},
                 {}};
}

Task<control::Reply> Cluster::command(control::Request request) {
  control::Reply reply;
  if (request.command == "attribute-get") {
    attribute_get(request, reply);
    co_return reply;
  }
  Result<Element> what = asked(request);
  if (!what) {
    reply.code = exit_code(what.error().fault());
    reply.info.emplace_back(what.error().where());
    co_return reply;
  }
  Element question = std::move(*what);
  co_return co_await ask(std::move(question));
}

Task<control::Reply> Cluster::ask(Element what) {
  const std::uint64_t client = ++clients_;
  controller_->request(client, what, now());
  carry();
  while (!answers_.contains(client) && !stopping_) {
    io::Event::Wait wait(answered_);
    co_await wait;
  }
  control::Reply reply;
  const auto found = answers_.find(client);
  if (found == answers_.end()) {
    reply.code = exit_code(Fault::closed);
    co_return reply;
  }
  reply.code = exit_code(found->second.fault);
  if (found->second.fault == Fault::none) {
    reply.data = control::DataObject().add("text", found->second.text).text();
  } else {
    reply.info.push_back(found->second.text);
  }
  answers_.erase(found);
  co_return reply;
}

void Cluster::attribute_get(const control::Request& request, control::Reply& reply) const {
  const Element& cib = controller_->cib();
  const std::string name = argument(request, 0);
  std::string node = option(request, "node");
  if (node.empty()) node = own_name_;
  const std::string* value = nullptr;
  const Element* configuration = cib.child("configuration");
  if (!option(request, "section").empty()) {
    const Element* section = configuration->child("crm_config");
    if (section != nullptr) value = config::find_pair(*section, "cluster_property_set", name);
  } else if (option(request, "lifetime") == "forever") {
    const Element* nodes = configuration->child("nodes");
    const std::vector<Element> none;
    for (const Element& entry : nodes == nullptr ? none : nodes->children) {
      if (policy::same(entry.value("uname"), node))
        value = config::find_pair(entry, "instance_attributes", name);
    }
  } else {
    value = controller_->attribute(node, name);
  }
  if (value == nullptr) {
    reply.code = exit_code(Fault::not_found);
    reply.info.emplace_back("No such device or address");
    return;
  }
  reply.data = control::DataObject().add("text", *value).text();
}

}  // namespace ha::daemon
