// What cl_status, hb_standby and hb_takeover ask for: one small function each. The answer's code is
// the exit code of the command, its lines are what it prints.
#include <algorithm>
#include <utility>

#include "ha/daemon/had.hpp"

namespace ha::daemon {

namespace control = replicator::control;
using control::Reply;
using control::Request;
using haresources::Holding;
using replicator::Task;

namespace {

Reply say(std::string line, int code = 0) {
  Reply reply;
  reply.code = code;
  reply.info.push_back(std::move(line));
  return reply;
}

Reply unknown_node() { return say("Error. May be due to incorrect node name", 1); }

std::string argument(const Request& request, std::size_t index) {
  return index < request.arguments.size() ? request.arguments[index] : std::string();
}

}  // namespace

Task<Reply> Had::handle(Request request, replicator::io::Stream& /*caller*/) {
  if (cluster_ && Cluster::knows(request.command))
    co_return co_await cluster_->command(std::move(request));
  Reply reply = answer(request);
  after_change();
  co_return reply;
}

Reply Had::answer(const Request& request) {
  const std::string& what = request.command;
  const std::string first = membership::lower_case(argument(request, 0));
  if (what == "hbstatus") return say("Heartbeat is running on this machine.");
  if (what == "listnodes") return list_nodes(first);
  if (what == "nodestatus") return node_status(first);
  if (what == "nodetype") return node_type(first);
  if (what == "listhblinks") return list_links(first);
  if (what == "hblinkstatus") return link_status(first, argument(request, 1));
  if (what == "rscstatus") return say(managing_ ? takeover_.resource_status() : "none");
  if (what == "standby" || what == "takeover") return move(what, first);
  if (what == "hbparameter") {
    const auto found = configuration_.cf.as_written.find(argument(request, 0));
    if (found == configuration_.cf.as_written.end()) return say("", 1);
    return say(found->second);
  }
  if (what == "confirm") {
    const bool waited_for = resetter_.confirm(first);
    return waited_for ? Reply() : say("nobody waits for the reset of " + first, 1);
  }
  if (Cluster::knows(what)) return say("no CIB rules here (ha.cf: crm yes)", 107);
  if (what == "stop") {
    shut_down();
    return Reply();
  }
  return say("unknown command", 1);
}

bool Had::is_ping_node(const std::string& node) const {
  const std::vector<std::string>& pings = membership_.config().ping_nodes;
  return std::find(pings.begin(), pings.end(), node) != pings.end();
}

Reply Had::list_nodes(const std::string& which) const {
  Reply reply;
  if (which != "ping") reply.info = membership_.config().nodes;
  if (which == "normal") return reply;
  for (const std::string& ping : membership_.config().ping_nodes)
    reply.info.push_back(ping);
  return reply;
}

Reply Had::node_status(const std::string& node) const {
  const Result<membership::NodeStatus> status = membership_.status(node);
  if (!status) return unknown_node();
  return say(text(*status), *status == membership::NodeStatus::dead ? 1 : 0);
}

Reply Had::node_type(const std::string& node) const {
  if (!membership_.status(node)) return unknown_node();
  return say(is_ping_node(node) ? "ping" : "normal");
}

Reply Had::list_links(const std::string& node) const {
  if (!membership_.status(node)) return unknown_node();
  Reply reply;
  if (is_ping_node(node)) {
    reply.info.push_back("\t" + node);
    return reply;
  }
  for (const std::string& link : membership_.config().links)
    reply.info.push_back("\t" + link);
  return reply;
}

Reply Had::link_status(const std::string& node, const std::string& link) const {
  const Result<bool> up = membership_.link_up(node, link);
  if (!up) return unknown_node();
  return say(*up ? "up" : "dead", *up ? 0 : 1);
}

Reply Had::move(const std::string& command, const std::string& which) {
  Result<Holding> groups = haresources::parse_holding(which);
  // Everything goes home: what is foreign leaves here, or what is local comes back.
  if (which == "failback") groups = command == "standby" ? Holding::foreign : Holding::local;
  if (!groups || *groups == Holding::none) return say("wrong resources(" + which + ").", 1);
  if (!managing_) return say("this node does not manage haresources", 1);
  const bool accepted =
      command == "standby" ? takeover_.standby(*groups, now()) : takeover_.takeover(*groups, now());
  return accepted ? Reply() : say("refused: resources are in flux, see the log", 1);
}

}  // namespace ha::daemon
