// crm_simulate: what the cluster would do, without a cluster.
#include <fmt/format.h>
#include <getopt.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "ha/config/xml.hpp"
#include "ha/crm/status_text.hpp"
#include "ha/policy/plan.hpp"
#include "ha/policy/simulate.hpp"

namespace ha::crm {
namespace {

constexpr int exit_usage = 64;
constexpr int exit_data = 65;
constexpr int exit_no_input = 66;

struct Call {
  std::string file;
  std::string text;
  std::string quorum;
  std::string date;
  std::vector<std::string> nodes_up;
  std::vector<std::string> nodes_down;
  std::vector<std::string> nodes_failed;
  std::vector<std::string> operations;
  std::vector<std::string> failing;
  bool run = false;
  bool simulate = false;
  bool scores = false;
  bool quiet = false;

  [[nodiscard]] bool changes() const {
    return !nodes_up.empty() || !nodes_down.empty() || !nodes_failed.empty() || !operations.empty();
  }
};

constexpr const char* usage =
    "Usage: crm_simulate -x FILE [options]\n"
    "  -x, --xml-file=FILE      a configuration with status\n"
    "  -X, --xml-text=TEXT      the same as text\n"
    "  -p, --xml-pipe           the same on standard input\n"
    "  -R, --run                show what the cluster would do\n"
    "  -S, --simulate           do it, in thought, and show what comes of it\n"
    "  -s, --show-scores        show where resources would like to be, and how much\n"
    "  -Q, --quiet              show only scores\n"
    "  -u, --node-up=NODE       bring a node online first (may be repeated, as those below)\n"
    "  -d, --node-down=NODE     take a node offline first\n"
    "  -f, --node-fail=NODE     let a node fail first\n"
    "  -i, --op-inject=SPEC     RESOURCE_TASK_INTERVAL@NODE=RESULT: a result that came in\n"
    "  -F, --op-fail=SPEC       the same form: a result that will come in\n"
    "  -q, --quorum=BOOL        with or without quorum\n"
    "  -t, --set-datetime=DATE  pretend it is then\n";

int read_options(int argc, char** argv, Call& call) {
  const option options[] = {{"xml-file", required_argument, nullptr, 'x'},
                            {"xml-text", required_argument, nullptr, 'X'},
                            {"xml-pipe", no_argument, nullptr, 'p'},
                            {"run", no_argument, nullptr, 'R'},
                            {"simulate", no_argument, nullptr, 'S'},
                            {"show-scores", no_argument, nullptr, 's'},
                            {"quiet", no_argument, nullptr, 'Q'},
                            {"node-up", required_argument, nullptr, 'u'},
                            {"node-down", required_argument, nullptr, 'd'},
                            {"node-fail", required_argument, nullptr, 'f'},
                            {"op-inject", required_argument, nullptr, 'i'},
                            {"op-fail", required_argument, nullptr, 'F'},
                            {"quorum", required_argument, nullptr, 'q'},
                            {"set-datetime", required_argument, nullptr, 't'},
                            {"live-check", no_argument, nullptr, 'L'},
                            {"verbose", no_argument, nullptr, 'V'},
                            {"version", no_argument, nullptr, '$'},
                            {"help", no_argument, nullptr, '?'},
                            {nullptr, 0, nullptr, 0}};
  int letter = 0;
  while ((letter = getopt_long(argc, argv, "x:X:pRSsQu:d:f:i:F:q:t:LV$?", options, nullptr)) !=
         -1) {
    switch (letter) {
      case 'x': call.file = optarg; break;
      case 'X': call.text = optarg; break;
      case 'p': call.file = "/dev/stdin"; break;
      case 'R': call.run = true; break;
      case 'S': call.simulate = true; break;
      case 's': call.scores = true; break;
      case 'Q': call.quiet = true; break;
      case 'u': call.nodes_up.emplace_back(optarg); break;
      case 'd': call.nodes_down.emplace_back(optarg); break;
      case 'f': call.nodes_failed.emplace_back(optarg); break;
      case 'i': call.operations.emplace_back(optarg); break;
      case 'F': call.failing.emplace_back(optarg); break;
      case 'q': call.quorum = optarg; break;
      case 't': call.date = optarg; break;
      case 'V': break;
      case 'L':
        std::fputs("crm_simulate: no cluster manager runs here; give a configuration with -x\n",
                   stderr);
        return exit_usage;
      case '$':
        std::puts("crm_simulate of Pollux, with the semantics of Pacemaker 2.1.5");
        return -1;
      default:
        std::fputs(usage, optopt != 0 && optopt != '?' ? stderr : stdout);
        return optopt != 0 && optopt != '?' ? exit_usage : -1;
    }
  }
  if (call.file.empty() && call.text.empty()) {
    std::fputs(usage, stderr);
    return exit_usage;
  }
  call.run = call.run || call.scores || !call.failing.empty();
  return 0;
}

std::optional<config::Cib> load(const Call& call, int& status) {
  std::string text = call.text;
  if (text.empty()) {
    std::ifstream in(call.file, std::ios::binary);
    if (!in) {
      fmt::print(stderr, "crm_simulate: cannot read {}\n", call.file);
      status = exit_no_input;
      return std::nullopt;
    }
    text.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  replicator::Result<config::Cib> cib = config::Cib::parse(text);
  if (cib) return std::move(*cib);
  fmt::print(stderr, "crm_simulate: {}: {}\n", call.file.empty() ? "the text" : call.file,
             cib.error().where());
  status = exit_data;
  return std::nullopt;
}

// Nothing is under way any more once the transition is over.
void settle(policy::Resource& resource) {
  resource.pending_task.clear();
  for (policy::Resource* child : resource.children)
    settle(*child);
}

class Session {
 public:
  Session(const Call& call, config::Cib cib) : call_(call), cib_(std::move(cib)) {
    wall_ = static_cast<policy::Seconds>(std::time(nullptr));
    if (call.scores) out_.be_plain();
  }

  int go() {
    announce_time();
    print_current();
    if (call_.changes()) change();
    int status = 0;
    if (call_.run || call_.simulate) status = plan();
    std::fputs(out_.text().c_str(), stdout);
    return status;
  }

 private:
  [[nodiscard]] policy::Seconds now() const {
    if (!call_.date.empty()) return policy::parse_date(call_.date).value_or(wall_);
    const auto recorded = policy::parse_number(cib_.root().value("execution-date"));
    return recorded && *recorded != 0 ? *recorded : wall_;
  }

  void announce_time() {
    if (!call_.quorum.empty()) cib_.root().set("have-quorum", call_.quorum);
    if (call_.quiet) return;
    if (!call_.date.empty()) {
      out_.item("Setting effective cluster time: " + call_.date);
      blank_next_ = false;
    } else if (now() != wall_) {
      out_.item("Using the original execution date of: " + policy::date_text(now()));
    }
  }

  void section() {
    if (blank_next_) out_.blank();
    blank_next_ = true;
  }

  void print_current() {
    if (call_.quiet) return;
    const auto cluster = policy::read_cluster(cib_, now());
    if (cluster->options.maintenance) {
      section();
      out_.blank();
      out_.item("              *** Resource management is DISABLED ***");
      out_.item("  The cluster will not attempt to start, stop or recover services");
    }
    const Counts counts = count_instances(*cluster);
    if (counts.disabled != 0 || counts.blocked != 0) {
      section();
      out_.item(fmt::format(
          "{} of {} resource instances DISABLED and {} BLOCKED from further action due to failure",
          counts.disabled, counts.instances, counts.blocked));
    }
    section();
    print_status(out_, *cluster, "Current cluster status");
  }

  void change() {
    section();
    const auto cluster = policy::read_cluster(cib_, now());
    out_.title("Performing Requested Modifications");
    config::Element& root = cib_.root();
    config::Element changed = root;
    for (const std::string& node : call_.nodes_up) {
      out_.item("Bringing node " + node + " online");
      policy::inject_node_state(changed, node, true);
    }
    for (const std::string& node : call_.nodes_down) {
      out_.item("Taking node " + node + " offline");
      policy::inject_node_state(changed, node, false);
      policy::wipe_node_history(changed, node);
    }
    for (const std::string& node : call_.nodes_failed) {
      out_.item("Failing node " + node);
      policy::inject_node_failure(changed, node);
    }
    for (const std::string& operation : call_.operations) {
      out_.item("Injecting " + operation + " into the configuration");
      if (!policy::inject_operation(changed, *cluster, operation, wall_)) {
        fmt::print(stderr, "Invalid operation spec: {}\n", operation);
      }
    }
    out_.end();
    root = std::move(changed);
  }

  int plan() {
    const auto cluster = policy::make_plan(cib_, now(), call_.scores);
    if (call_.scores) {
      section();
      out_.title("Allocation Scores");
      for (const std::string& line : cluster->score_lines)
        out_.item(line);
      out_.end();
    }
    if (!call_.quiet) {
      section();
      print_transition(out_, *cluster);
    }
    return call_.simulate ? execute(*cluster) : 0;
  }

  int execute(const policy::Cluster& cluster) {
    policy::Simulation done = policy::simulate(cluster, wall_, call_.failing);
    if (!done.complete)
      std::fputs("Transition failed: terminated\nAn invalid transition was produced\n", stderr);
    const int status = done.complete ? 0 : 1;
    if (call_.quiet && call_.scores) section();
    if (call_.quiet) return status;
    section();
    out_.title("Executing Cluster Transition");
    for (const std::string& line : done.lines)
      out_.item(line);
    out_.end();
    const policy::Seconds then = now();
    if (call_.date.empty() && then != wall_) {
      out_.item("Using the original execution date of: " + policy::date_text(then));
    }
    section();
    const config::Cib after(std::move(done.root));
    const auto cluster_after = policy::read_cluster(after, then);
    for (policy::Resource* resource : cluster_after->resources)
      settle(*resource);
    print_status(out_, *cluster_after, "Revised Cluster Status");
    return status;
  }

  const Call& call_;
  config::Cib cib_;
  policy::Seconds wall_ = 0;
  Outline out_;
  bool blank_next_ = false;
};

}  // namespace

int crm_simulate(int argc, char** argv) {
  Call call;
  if (const int status = read_options(argc, argv, call); status != 0)
    return status < 0 ? 0 : status;
  int status = 0;
  std::optional<config::Cib> cib = load(call, status);
  if (!cib) return status;
  return Session(call, std::move(*cib)).go();
}

}  // namespace ha::crm

int main(int argc, char** argv) { return ha::crm::crm_simulate(argc, argv); }
