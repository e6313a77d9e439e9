// The cluster manager of one node, for a cluster that is described by a CIB: a pure state machine.
// Messages, results, requests and times go in; orders come out (take_orders()). One node is the
// coordinator (DC): it alone changes the configuration and the status, plans, and says who does
// what. The others join it, do what it says, and have copies.
//   H4   what waits for fencing waits until it succeeded
//   H9   one planner: a node obeys the coordinator that it joined, in that one's term
//   H10  a node that joins tells what it did; what it never did is probed
//   H17  a copy is taken whole, never an older one; a change is on disk before it counts
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ha/config/edit.hpp"
#include "ha/controller/records.hpp"
#include "ha/controller/transition.hpp"
#include "ha/membership/letters.hpp"
#include "ha/membership/membership.hpp"
#include "ha/words.hpp"

namespace ha::controller {

using membership::Letter;
using membership::Severity;

struct ControllerConfig {
  std::string own_name;
  std::vector<std::string> nodes;
  bool voter = false;     // counts for quorum, holds nothing, never coordinates
  std::string plan_uuid;  // of the plans that this life of the program makes
  // A coordinator may be there that was not heard yet.
  Duration election_wait = Duration::milliseconds(1500);
  Duration announce_every = Duration::milliseconds(500);
  // How long a new coordinator waits for those who are there to join it.
  Duration join_patience = Duration::seconds(10);
  // Changes of the status go out together, this far apart.
  Duration copy_every = Duration::milliseconds(50);
};

// Another node, as the membership sees it.
struct Member {
  bool active = false;  // its manager has begun
  bool voter = false;
  bool operator==(const Member&) const = default;
};

struct View {
  bool communication_up = false;
  bool quorum = false;
  // The lease has ended: whatever the configuration says about quorum, everything stops here (H7).
  bool cut_off = false;
  std::map<std::string, Member, std::less<>> others;  // those that are there
  bool operator==(const View&) const = default;
};

struct FenceOrder {
  std::string id;
  std::string target;
  std::string action;      // reboot, off, on
  std::int64_t delay = 0;  // seconds, before anything is done
};

struct StoreOrder {
  std::uint64_t ticket = 0;
  std::string text;
};

struct Answer {
  std::uint64_t client = 0;
  Fault fault = Fault::none;
  std::string text;
};

struct Orders {
  std::vector<membership::LogLine> log;
  std::vector<membership::Message> messages;
  std::vector<Operation> operations;  // "cancel" and "delete": the monitors end
  std::vector<FenceOrder> fencings;
  std::vector<StoreOrder> stores;
  std::vector<Answer> answers;
  bool leave = false;
  bool in_peace =
      true;             // nothing runs here, for all that is known; else the others are not told so
  bool fenced = false;  // others took this node for lost: nothing may go on here
  [[nodiscard]] bool empty() const noexcept {
    return log.empty() && messages.empty() && operations.empty() && fencings.empty() &&
           stores.empty() && answers.empty() && !leave && !fenced;
  }
};

class Controller {
 public:
  Controller(ControllerConfig config, Element cib, std::function<Seconds()> wall);

  // Who is there. What the membership told about a node since the last view comes first.
  void see(View view, Instant now);
  void node_lost(const std::string& node, bool left, Instant now);
  void node_restarted(const std::string& node, Instant now);
  // This node did not run for so long that others may have gone on without it.
  void was_paused(Instant now);
  void message(const membership::Message& message, Instant now);

  void operation_done(const Operation& operation, const Outcome& outcome, Instant now);
  void fencing_done(const FenceOrder& order, bool good, const std::string& by, Instant now);
  void stored(std::uint64_t ticket, const Status& status, Instant now);

  // What a command asks for; answered by an Answer with that number.
  //   <query scope="…"/>                    the tree or a section of it
  //   <edit kind="…" scope="…" allow-create="1">OBJECT</edit>
  //   <attribute node="…" name="…" [value="…"] lifetime="reboot|forever"/>   node="": property
  //   <cleanup [resource="…"] [node="…"]/>
  //   <confirm node="…"/>                   it is off for sure
  //   <status/>                             coordinator, state, quorum
  void request(std::uint64_t client, const Element& what, Instant now);
  void shut_down(Instant now);

  void tick(Instant now);
  [[nodiscard]] Instant next_tick() const noexcept;
  [[nodiscard]] Orders take_orders();

  [[nodiscard]] const std::string& coordinator() const noexcept { return dc_; }
  [[nodiscard]] bool coordinates() const noexcept { return duty_ != nullptr; }
  [[nodiscard]] bool ready() const noexcept { return duty_ != nullptr && duty_->ready; }
  [[nodiscard]] bool idle() const noexcept {
    return ready() && !duty_->transition && !duty_->replan;
  }
  [[nodiscard]] const Element& cib() const noexcept { return cib_; }
  // Something is active here, or may be.
  [[nodiscard]] bool holds() const { return any_active(own_history_); }
  // Of a node, for as long as it lives; what was asked for here counts at once.
  [[nodiscard]] const std::string* attribute(const std::string& node,
                                             const std::string& name) const noexcept;

 private:
  struct Origin {
    std::string node;
    std::uint64_t client = 0;  // 0: the manager itself
  };
  struct PendingEdit {
    Origin origin;
    config::Edit edit;
    std::optional<Element> attribute;  // instead of the edit, which is made when it is its turn
    Element result;                    // while it is being stored
  };
  struct Fencing {
    int step = 0;
    FenceOrder order;
    std::string executor;
  };
  // What a coordinator keeps beside the configuration.
  struct Duty {
    std::map<std::string, std::string> joined;  // with what they joined by
    std::set<std::string> fenced;               // and still heard
    std::set<std::string> dismissed;            // empty, and told that they may leave
    // Nodes that are there and have not joined: until when nothing is planned without them.
    std::map<std::string, Instant> awaited;
    Instant integrate_until;
    bool ready = false;
    bool replan = false;
    bool changed = false;  // others do not have it yet
    Instant next_copy;
    Instant next_announcement;
    Instant next_check = Instant::never();
    std::unique_ptr<Transition> transition;
    std::map<int, Instant> deadlines;  // of steps in progress
    std::map<std::string, Fencing> fencings;
    std::map<std::string, int> fence_failures;
    std::deque<PendingEdit> edits;
    bool storing = false;
  };
  struct Forwarded {
    std::uint64_t client = 0;
    Instant until;
  };

  // controller.cpp: election, joining, what the coordinator says
  void log(Severity severity, std::string text);
  void send(const std::string& to, const char* kind, const Element& body);
  void receive(const Letter& letter, Instant now);
  void elect(Instant now);
  void lose_coordinator(const char* why, Instant now);
  void on_announcement(const std::string& from, const Element& body, Instant now);
  void join(Instant now);
  void on_copy(const Element& body, Instant now);
  void on_operation(const Element& body);
  void forget(const Operation& operation);
  void report(const Operation& operation, const Outcome& outcome, const Element* record);
  [[nodiscard]] bool from_coordinator(const std::string& from, const Element& body) const;
  void store_copy();

  // requests.cpp
  void answer(const Origin& origin, Fault fault, std::string text);
  void query(std::uint64_t client, const Element& what);
  void forward(std::uint64_t client, const Element& what, Instant now);
  void on_request(const Origin& origin, const Element& what, Instant now);
  void on_reply(const Element& body);
  void set_attribute(const Origin& origin, const Element& what, Instant now);
  void clean_up(const Origin& origin, const Element& what);
  void confirm(const Origin& origin, const std::string& node, Instant now);
  void push_edit(Origin origin, config::Edit edit, Instant now);
  [[nodiscard]] Result<config::Edit> attribute_edit(const Element& what) const;
  void next_edit(Instant now);
  void edit_stored(const Status& status, Instant now);

  // coordinator.cpp
  void begin_duty(Instant now);
  void announce(Instant now);
  void on_join(const std::string& from, const Element& body, Instant now);
  void check_ready(Instant now);
  [[nodiscard]] bool awaits_joins(Instant now);
  [[nodiscard]] bool complete(Element& root) const;
  void refresh_standing();
  void on_result(const std::string& from, const Element& body);
  void changed();
  void copy(Instant now);
  void replan() {
    if (duty_) duty_->replan = true;
  }
  void consider(Instant now);
  void make_plan(Instant now);
  void schedule_check(const policy::Cluster& cluster, Instant now);
  void begin(const Step& step, Instant now);
  void begin_fencing(const Step& step, Instant now);
  void finish(int step, bool good);
  void steps_of_lost_node(const std::string& node, Instant now);
  void on_fenced(const std::string& from, const Element& body, Instant now);
  void fencing_ended(const std::string& id, bool good, Instant now);
  void note_fenced(const std::string& target);
  void expire_steps(Instant now);
  [[nodiscard]] std::string fence_executor(const std::string& target) const;
  [[nodiscard]] bool present(const std::string& node) const;
  [[nodiscard]] std::string property(std::string_view name) const;

  ControllerConfig config_;
  Element cib_;
  std::function<Seconds()> wall_;
  Element own_history_{"lrm_resources", {}, {}, {}};
  std::map<std::string, std::string> own_attributes_;
  int call_ = 0;
  View view_;
  std::string dc_;
  std::uint64_t term_ = 0;
  bool joined_ = false;
  bool joined_ever_ = false;
  Instant elect_at_ = Instant::never();
  std::uint64_t joins_ = 0;
  std::string join_;  // what this node's last join is called; empty: it has to join
  Instant next_join_;
  bool leaving_ = false;
  bool left_ = false;
  Instant leave_at_ = Instant::never();  // whatever still runs
  std::unique_ptr<Duty> duty_;
  int transitions_ = 0;
  std::uint64_t letters_ = 0;
  std::uint64_t tickets_ = 0;
  std::uint64_t copy_ticket_ = 0;  // of a copy being stored
  Instant store_again_ = Instant::never();
  std::uint64_t forwards_ = 0;
  std::map<std::uint64_t, Forwarded> forwarded_;
  membership::Letters inbox_;
  std::deque<Letter> own_letters_;  // to this node itself
  bool receiving_ = false;
  Orders orders_;
};

}  // namespace ha::controller
