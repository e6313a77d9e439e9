// pollux-had of one node: membership, the rules of haresources and the scripts, or those of a
// cluster that a CIB describes, put together. It decides nothing by itself.
#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/server.hpp"
#include "ha/daemon/attendance.hpp"
#include "ha/daemon/cluster.hpp"
#include "ha/daemon/files.hpp"
#include "ha/daemon/guard.hpp"
#include "ha/daemon/log.hpp"
#include "ha/daemon/paths.hpp"
#include "ha/daemon/resetter.hpp"
#include "ha/haresources/groups.hpp"
#include "ha/haresources/takeover.hpp"
#include "ha/membership/flow.hpp"
#include "io/sync.hpp"
#include "uring/reactor.hpp"

namespace ha::daemon {

struct HadOptions {
  std::string config_folder = "/etc/ha.d";
  std::string state_folder = "/var/lib/heartbeat";
  std::string run_folder = default_run_folder;
  // Searched in this order for the scripts of haresources.
  std::vector<std::string> script_folders;
  std::string path;  // PATH of the scripts
  std::string cib_folder = "/var/lib/pollux/cib";
  // Searched for agents, as PROVIDER/TYPE.
  std::vector<std::string> ocf_folders;
  // Searched first for fence agents and stonith plugins.
  std::vector<std::string> fence_folders;
  // How often what is held is asked whether it runs; zero: never, as the original.
  Duration monitor;
  bool voter = false;  // counts for quorum, holds nothing
  bool reboot = true;  // after a stop that failed; else the resource is blocked here
};

class Had final : replicator::control::CommandHandler, haresources::Agents {
 public:
  Had(replicator::uring::Reactor& reactor, HadOptions options, Configuration configuration,
      Identity identity, Log& log);
  ~Had() override;
  Had(const Had&) = delete;
  Had& operator=(const Had&) = delete;

  replicator::Task<bool> start();
  // Gives everything up, says goodbye; done() when nothing is left to do.
  void shut_down();
  [[nodiscard]] bool done() const noexcept { return done_; }
  replicator::Task<void> stop();

 private:
  using Message = membership::Message;
  using Severity = membership::Severity;

  // had.cpp
  [[nodiscard]] fencing::Folders fence_folders() const;
  [[nodiscard]] std::unique_ptr<Cluster> make_cluster();
  void observe_cluster(const membership::Effects& effects);
  void end_at_once();
  Status open_links();
  void observe(membership::Effects effects);
  void on_event(const membership::Event& event);
  void lost(const std::string& node);
  void reset(const std::string& node);
  [[nodiscard]] std::string partner() const;
  void on_message(const Message& message);
  void carry_orders();
  void after_change();
  void begin_new_generation();
  void check_quorum();
  void compare_resources(const Message& message);
  void fail_hard();
  [[nodiscard]] Instant now() const noexcept;
  replicator::Task<void> work_loop();
  replicator::Task<void> keep_house();
  replicator::Task<void> look_after_resources();
  replicator::Task<void> say_goodbye(bool in_peace);
  void reload_keys();
  replicator::Task<haresources::ActionResult> run(const haresources::Resource& resource,
                                                  haresources::Action action) override;
  [[nodiscard]] std::string find_script(const std::string& name) const;

  // had_lease.cpp
  [[nodiscard]] Guard::Hooks guard_hooks();
  [[nodiscard]] bool holds() const;
  [[nodiscard]] bool withhold(const std::string& node);
  void after_look();
  void end_overdue();
  replicator::Task<void> freeze_and_end();

  // commands.cpp
  replicator::Task<replicator::control::Reply> handle(replicator::control::Request request,
                                                      replicator::io::Stream& caller) override;
  replicator::control::Reply answer(const replicator::control::Request& request);
  replicator::control::Reply list_nodes(const std::string& which) const;
  replicator::control::Reply node_status(const std::string& node) const;
  replicator::control::Reply node_type(const std::string& node) const;
  replicator::control::Reply list_links(const std::string& node) const;
  replicator::control::Reply link_status(const std::string& node, const std::string& link) const;
  replicator::control::Reply move(const std::string& command, const std::string& which);
  [[nodiscard]] bool is_ping_node(const std::string& node) const;

  replicator::uring::Reactor& reactor_;
  HadOptions options_;
  Configuration configuration_;
  Identity identity_;
  Log& log_;
  std::unique_ptr<replicator::io::DatagramNetwork> datagrams_;
  membership::Membership membership_;
  membership::Flow flow_;
  Guard guard_;
  Attendance attendance_;
  bool start_withheld_ = false;  // communication is up, but for one whose lease may not have ended
  Resetter resetter_;
  bool waits_at_start_ = false;  // for the reset of a node that was never heard
  haresources::Takeover takeover_;
  haresources::Groups groups_;
  std::unique_ptr<Cluster> cluster_;  // null: haresources rule
  replicator::control::Server server_;
  std::string resources_digest_;
  bool resources_differ_ = false;
  std::int64_t keys_changed_ = 0;
  std::deque<haresources::Work> works_;
  replicator::io::Event work_came_;
  Instant next_look_;
  bool carrying_ = false;
  bool managing_ = false;
  bool leaving_ = false;
  bool done_ = false;
  bool stopping_ = false;
  replicator::io::Op* resting_ = nullptr;
  replicator::io::Gate tasks_;
};

}  // namespace ha::daemon
