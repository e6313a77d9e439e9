// One calculation's working state: the cluster as the configuration and the status describe it,
// filled in by one stage after another until the actions and their order are known. It lives for
// one call and shares nothing (H8): all orders below are orders of configuration, of names or of
// creation, never of addresses.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ha/config/cib.hpp"
#include "ha/policy/calendar.hpp"
#include "ha/policy/role.hpp"
#include "ha/policy/score.hpp"

namespace ha::policy {

using config::Element;
using Attributes = std::map<std::string, std::string, std::less<>>;

struct Resource;
struct Action;

[[nodiscard]] std::string_view lookup(const Attributes& attributes, std::string_view name,
                                      std::string_view otherwise = {}) noexcept;
[[nodiscard]] bool has(const Attributes& attributes, std::string_view name) noexcept;

// ---- nodes ----

enum class Discovery { always, never, exclusive };

struct Node {
  std::size_t index = 0;  // rank by name
  std::string id;
  std::string name;
  bool ping = false;  // takes part in nothing
  Score base_score = 0;
  Attributes attributes;
  bool online = false;
  bool unclean = false;  // nobody knows what still runs there
  bool shutting_down = false;
  bool standby = false;
  bool standby_on_failure = false;
  bool maintenance = false;
  bool pending = false;  // a member that has not joined yet
  bool unseen = false;
  bool expected_up = false;
  bool is_dc = false;
  bool history_read = false;
  int placed = 0;  // resources assigned so far
  int priority = 0;
  std::vector<Resource*> running;
  std::map<std::string, int, std::less<>> free_capacity;
};

struct NodeScore {
  Node* node = nullptr;
  Score score = 0;
  Discovery discovery = Discovery::always;
  int count = 0;  // instances of a clone placed there
};

// Scores by node, in the order of the nodes' names. A node that is absent is not allowed.
class NodeTable {
 public:
  [[nodiscard]] NodeScore* find(const Node* node) noexcept;
  [[nodiscard]] const NodeScore* find(const Node* node) const noexcept;
  NodeScore& insert(const NodeScore& entry);
  void erase(const Node* node);
  void clear() { entries_.clear(); }
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  auto begin() noexcept { return entries_.begin(); }
  auto end() noexcept { return entries_.end(); }
  [[nodiscard]] auto begin() const noexcept { return entries_.begin(); }
  [[nodiscard]] auto end() const noexcept { return entries_.end(); }

 private:
  std::vector<NodeScore> entries_;
};

// ---- constraints ----

struct Location {
  std::string id;
  Resource* resource = nullptr;
  Role role = Role::unknown;  // unknown: any
  Discovery discovery = Discovery::always;
  std::vector<NodeScore> nodes;
};

struct Colocation {
  std::string id;
  std::string attribute;  // of nodes that count as the same place; empty: the node itself
  Resource* dependent = nullptr;
  Resource* primary = nullptr;
  Role dependent_role = Role::unknown;
  Role primary_role = Role::unknown;
  Score score = 0;
  bool influence = true;  // whether the dependent's wishes move an active primary
};

// The bits of an ordering say what follows for one action from the state of the other.
namespace order {
constexpr std::uint32_t none = 0;
constexpr std::uint32_t optional = 1U << 0U;  // only if both happen
constexpr std::uint32_t unless_migratable = 1U << 1U;
constexpr std::uint32_t implies_first = 1U << 2U;
constexpr std::uint32_t implies_then = 1U << 3U;
constexpr std::uint32_t promoted_implies_first = 1U << 4U;
constexpr std::uint32_t implies_first_migratable = 1U << 5U;
constexpr std::uint32_t needs_runnable_first = 1U << 6U;
constexpr std::uint32_t pseudo_needs_first = 1U << 7U;
constexpr std::uint32_t implies_then_on_node = 1U << 8U;
constexpr std::uint32_t restart = 1U << 9U;
constexpr std::uint32_t serialize = 1U << 10U;
constexpr std::uint32_t same_node = 1U << 11U;
constexpr std::uint32_t prints_first = 1U << 12U;
constexpr std::uint32_t prints_then = 1U << 13U;
constexpr std::uint32_t asymmetric = 1U << 14U;
constexpr std::uint32_t load = 1U << 15U;
constexpr std::uint32_t one_or_more = 1U << 16U;
constexpr std::uint32_t anti_colocation = 1U << 17U;
constexpr std::uint32_t preserve = 1U << 18U;
constexpr std::uint32_t then_cancels_first = 1U << 19U;
}  // namespace order

// One side of an ordering: an action, or the actions that a resource will have under a key.
struct OrderSide {
  Resource* resource = nullptr;
  std::string task;
  std::string key;
  Action* action = nullptr;
  std::uint32_t interval = 0;
};

struct Ordering {
  OrderSide first;
  OrderSide then;
  std::uint32_t flags = order::none;
};

// ---- actions ----

enum class OnFail { ignore, recover, migrate, block, stop, standby, fence, demote };
enum class Needs { nothing, quorum, fencing };

namespace act {
constexpr std::uint32_t pseudo = 1U << 0U;
constexpr std::uint32_t runnable = 1U << 1U;
constexpr std::uint32_t optional = 1U << 2U;
constexpr std::uint32_t print_always = 1U << 3U;
constexpr std::uint32_t migrate_runnable = 1U << 4U;
constexpr std::uint32_t in_graph = 1U << 5U;
constexpr std::uint32_t dangling = 1U << 6U;
constexpr std::uint32_t requires_any = 1U << 7U;
constexpr std::uint32_t reschedule = 1U << 8U;
constexpr std::uint32_t visiting = 1U << 9U;
constexpr std::uint32_t inputs_merged = 1U << 10U;
constexpr std::uint32_t on_dc = 1U << 11U;
constexpr std::uint32_t implied_by_fencing = 1U << 12U;
}  // namespace act

struct Link {
  Action* action = nullptr;
  std::uint32_t flags = order::none;
  bool used = false;  // part of the plan
};

struct Action {
  int id = 0;  // in order of creation; 0: not part of the calculation
  Resource* resource = nullptr;
  Node* node = nullptr;
  std::string task;
  std::string key;
  std::string canceled_task;  // of an action "cancel"
  std::string reason;
  std::uint32_t flags = 0;
  std::uint32_t interval = 0;
  int expected_result = 0;
  int priority = 0;
  Needs needs = Needs::nothing;
  OnFail on_fail = OnFail::recover;
  Role fail_role = Role::unknown;
  std::string timeout;  // milliseconds
  Attributes parameters;
  std::string fence_action;
  std::string notify_type;       // pre, post
  std::string notify_operation;  // what the notification is about
  std::string notify_key_type;
  std::string notify_key_operation;
  std::string migrate_source;
  std::string migrate_target;
  std::vector<Link> before;  // oldest first
  std::vector<Link> after;
  int runnable_before = 0;
  int required_runnable_before = 0;

  [[nodiscard]] bool is(std::uint32_t bits) const noexcept { return (flags & bits) == bits; }
  [[nodiscard]] bool any(std::uint32_t bits) const noexcept { return (flags & bits) != 0; }
  void set(std::uint32_t bits) noexcept { flags |= bits; }
  void clear(std::uint32_t bits) noexcept { flags &= ~bits; }
};

// The pseudo-actions around one kind of action of a clone that notifies its instances.
struct Notification {
  std::string task;
  Action* pre = nullptr;
  Action* pre_done = nullptr;
  Action* post = nullptr;
  Action* post_done = nullptr;
};

// ---- resources ----

enum class Kind { primitive, group, clone };
enum class MultipleActive { stop_start, stop_only, block, stop_unexpected };

struct Resource {
  std::string id;  // with the instance number: "drbd:1"
  Kind kind = Kind::primitive;
  const Element* xml = nullptr;
  const Element* operations = nullptr;
  Resource* parent = nullptr;
  std::vector<Resource*> children;
  int instance = -1;
  Attributes meta;
  std::string history_name;  // under which an instance runs, when that is not its id

  bool managed = true;
  bool maintenance = false;
  bool blocked = false;
  bool failed = false;
  bool needs_stop = false;  // the failure can only be cured by a stop
  bool failure_ignored = false;
  bool orphan = false;
  bool unique = false;
  bool promotable = false;
  bool notify = false;
  bool allow_migrate = false;
  bool critical = true;
  bool needs_fencing = false;
  bool needs_quorum = false;
  bool needs_unfencing = false;
  bool fence_device = false;
  bool start_pending = false;
  bool reload = false;
  bool restarting = false;
  bool stop_unexpected = false;
  bool exclusive_discovery = false;
  bool provisional = true;  // not assigned yet
  bool assigning = false;
  bool merging = false;

  Role role = Role::stopped;
  Role next_role = Role::unknown;
  int priority = 0;
  Score stickiness = 0;
  Score migration_threshold = infinity;
  std::int64_t failure_timeout = 0;  // seconds
  MultipleActive multiple_active = MultipleActive::stop_start;
  bool restart_with_optional = false;
  std::map<std::string, int, std::less<>> utilization;

  NodeTable allowed;
  std::vector<const Node*> known_on;
  std::vector<Node*> running_on;
  Node* assigned = nullptr;
  Score assigned_score = 0;
  Node* pending_node = nullptr;
  std::string pending_task;
  Node* migration_source = nullptr;  // of a migration that is half done
  Node* migration_target = nullptr;
  std::vector<Node*> dangling_migrations;
  Node* lock_node = nullptr;  // shut down there, and to be started nowhere else
  Seconds lock_time = 0;

  std::vector<const Colocation*> this_with;  // sorted
  std::vector<const Colocation*> with_this;
  std::vector<const Location*> locations;  // oldest first
  std::vector<const struct TicketConstraint*> tickets;
  std::vector<Action*> actions;  // oldest first

  // Clones
  const Element* child_xml = nullptr;
  int clone_max = 0;
  int clone_node_max = 1;
  int instances_made = 0;
  int promoted_max = 0;
  int promoted_node_max = 0;
  bool ordered = false;
  bool interleave = false;
  bool promotion_scores_added = false;
  bool promotion_sorted = false;
  int sort_index = 0;
  std::unique_ptr<Notification> start_notify;
  std::unique_ptr<Notification> stop_notify;
  std::unique_ptr<Notification> promote_notify;
  std::unique_ptr<Notification> demote_notify;

  // Groups
  bool collocated = true;

  [[nodiscard]] bool is_clone() const noexcept { return kind == Kind::clone; }
  [[nodiscard]] bool collective() const noexcept { return kind != Kind::primitive; }
  [[nodiscard]] std::string_view configured_id() const noexcept { return xml->id(); }
  [[nodiscard]] Resource* last_member() const noexcept {
    return children.empty() ? nullptr : children.back();
  }
  [[nodiscard]] bool knows(const Node* node) const noexcept;
  [[nodiscard]] bool runs_on(const Node* node) const noexcept;
};

struct Ticket {
  bool granted = false;
  bool standby = false;
};

enum class LossPolicy { stop, demote, fence, freeze };

struct TicketConstraint {
  const Ticket* ticket = nullptr;
  LossPolicy loss_policy = LossPolicy::stop;
  Role role = Role::unknown;
};

// ---- the whole ----

enum class NoQuorum { stop, ignore, freeze, demote, suicide };

struct Options {
  bool symmetric = true;
  bool fencing = true;
  bool fencing_device = false;  // one is configured
  bool startup_fencing = true;
  bool concurrent_fencing = false;
  bool startup_probes = true;
  bool maintenance = false;
  bool stop_all = false;
  bool stop_orphan_resources = true;
  bool stop_orphan_actions = true;
  bool remove_after_stop = false;
  bool start_failure_fatal = true;
  bool shutdown_lock = false;
  std::int64_t shutdown_lock_limit = 0;  // seconds
  bool have_quorum = false;
  bool unfencing = false;
  std::int64_t priority_fencing_delay = 0;
  NoQuorum no_quorum = NoQuorum::stop;
  std::string fence_action = "reboot";
  std::string placement = "default";
  std::string health_strategy = "none";
  HealthScores health;
};

// A failed operation, for those who print the status.
struct FailedOperation {
  std::string key;
  std::string node;  // where it ran, as the history says
  const Node* on = nullptr;
  int result = 0;
  bool masked_probe = false;
};

struct Cluster {
  const config::Cib* cib = nullptr;
  Seconds now = 0;
  Attributes properties;
  Options options;
  std::vector<std::unique_ptr<Node>> nodes;  // by name
  std::deque<Resource> resource_store;
  std::vector<Resource*> resources;  // top level, as they are considered
  std::deque<Element> made_elements;
  std::map<std::string, std::vector<std::string>, std::less<>> templates;
  std::map<std::string, std::vector<std::string>, std::less<>> tags;
  std::map<std::string, Ticket, std::less<>> tickets;
  std::deque<Location> locations;
  std::deque<Colocation> colocations;
  std::deque<TicketConstraint> ticket_constraints;
  std::vector<Ordering> orderings;
  std::deque<Action> action_store;
  std::vector<Action*> actions;  // oldest first
  std::vector<FailedOperation> failed_operations;
  std::set<const Element*> expired_monitors;  // to be started anew
  std::vector<std::string> score_lines;
  bool show_scores = false;
  std::vector<Action*> plan;  // what is to be done, in the order in which it was found
  int next_action = 1;
};

[[nodiscard]] Node* find_node(const Cluster& cluster, std::string_view name) noexcept;
[[nodiscard]] Node* find_node_by_id(const Cluster& cluster, std::string_view id) noexcept;

// Whether something may be placed there now; the score counts only where it is given.
[[nodiscard]] bool available(const Node* node) noexcept;
[[nodiscard]] bool available(const NodeScore& entry) noexcept;
[[nodiscard]] bool any_available(const NodeTable& table) noexcept;
[[nodiscard]] bool can_fence(const Cluster& cluster, const Node* node) noexcept;

[[nodiscard]] Resource* top_of(Resource* resource) noexcept;
[[nodiscard]] const Resource* top_of(const Resource* resource) noexcept;
[[nodiscard]] bool is_ancestor(const Resource* ancestor, const Resource* of) noexcept;
[[nodiscard]] bool in_anonymous_clone(const Resource* resource) noexcept;
[[nodiscard]] bool is_anonymous_clone(const Resource* resource) noexcept;
[[nodiscard]] bool is_unique_clone(const Resource* resource) noexcept;

// By id, or by the name under which an instance runs.
[[nodiscard]] Resource* find_resource(const Cluster& cluster, std::string_view id) noexcept;
[[nodiscard]] Resource* find_below(Resource* resource, std::string_view id) noexcept;
// The instance, or member of an instance, that is configured under this id.
[[nodiscard]] Resource* find_clone_member(Resource* resource, std::string_view id) noexcept;

enum class When { now, next, now_or_pending };
// Where the resource, with all that it consists of, is: the node if it is a single one.
[[nodiscard]] Node* location_of(const Resource& resource, When when,
                                std::vector<Node*>* all = nullptr);
[[nodiscard]] Role state_of(const Resource& resource, bool current) noexcept;
[[nodiscard]] bool is_active(const Resource& resource, bool all) noexcept;

struct Activity {
  Node* node = nullptr;  // the one that counts
  unsigned all = 0;
  unsigned clean = 0;
};
[[nodiscard]] Activity activity_of(const Resource& resource) noexcept;
[[nodiscard]] Node* current_node(const Resource& resource) noexcept;

// Adds to the score of one node (all nodes when null), here and in all that the resource consists
// of.
void add_location_score(Cluster& cluster, Resource& resource, Node* node, Score score);
void forbid_everywhere(const Cluster& cluster, Resource& resource);

void show_scores(Cluster& cluster, const Resource& resource, std::string_view stage);

}  // namespace ha::policy
