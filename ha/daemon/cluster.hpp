// The part of pollux-had that runs a cluster described by a CIB: the controller, the agents of this
// node, the fence devices, and the configuration's file, put together. It decides nothing itself.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "control/messages.hpp"
#include "ha/controller/controller.hpp"
#include "ha/daemon/files.hpp"
#include "ha/daemon/log.hpp"
#include "ha/executor/agents.hpp"
#include "ha/executor/operations.hpp"
#include "ha/fencing/fencer.hpp"
#include "io/sync.hpp"
#include "uring/reactor.hpp"

namespace ha::daemon {

struct ClusterOptions {
  std::string cib_folder = "/var/lib/pollux/cib";
  std::string run_folder;
  executor::AgentFolders agents;
  fencing::Folders fencing;
  bool voter = false;
};

class Cluster final : executor::Runner {
 public:
  // What is asked of the rest of the daemon.
  struct Hooks {
    std::function<void(membership::Message)> send;
    std::function<void()> flush;      // what was sent goes out
    std::function<void(bool)> leave;  // everything is stopped here; true: for certain
    std::function<void()> fenced;     // everything is to end at once
  };

  Cluster(replicator::uring::Reactor& reactor, ClusterOptions options,
          const Configuration& configuration, Hooks hooks, Log& log);
  ~Cluster() override;

  void start();
  replicator::Task<void> stop();
  void shut_down();

  void on_event(const membership::Event& event);
  void on_message(const membership::Message& message);
  // Something is active on this node, or may be.
  [[nodiscard]] bool holds() const { return controller_->holds(); }
  // After the events and messages of one packet.
  void see(controller::View view);

  // cib-query, cib-edit, attribute-set, attribute-get, cleanup, confirm, crm-status. Data: "text".
  replicator::Task<replicator::control::Reply> command(replicator::control::Request request);
  [[nodiscard]] static bool knows(const std::string& command);

 private:
  using Severity = membership::Severity;

  replicator::Task<controller::Outcome> run(controller::Operation operation) override;
  void carry();
  [[nodiscard]] Instant now() const noexcept;
  replicator::Task<void> follow_clock();
  replicator::Task<void> store_in_order();
  replicator::Task<void> fence(controller::FenceOrder order);
  replicator::Task<controller::Outcome> run_device(controller::Operation operation);
  replicator::Result<controller::Element> asked(const replicator::control::Request& request) const;
  replicator::Task<replicator::control::Reply> ask(controller::Element what);
  void attribute_get(const replicator::control::Request& request,
                     replicator::control::Reply& reply) const;

  replicator::uring::Reactor& reactor_;
  ClusterOptions options_;
  Hooks hooks_;
  Log& log_;
  std::string own_name_;
  std::unique_ptr<controller::Controller> controller_;
  fencing::Fencer fencer_;
  std::set<std::string> devices_in_use_;  // fence devices that were started here
  executor::Operations operations_;
  std::deque<controller::StoreOrder> stores_;
  bool storing_ = false;
  std::uint64_t clients_ = 0;
  std::map<std::uint64_t, controller::Answer> answers_;
  replicator::io::Event answered_;
  bool carrying_ = false;
  bool stopping_ = false;
  replicator::io::Op* sleeping_ = nullptr;
  replicator::io::Gate tasks_;
};

}  // namespace ha::daemon
