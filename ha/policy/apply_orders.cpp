// From orderings between resources to orderings between actions, and what follows from them, until
// nothing changes.
#include "ha/policy/apply_orders.hpp"

#include <algorithm>

#include "ha/policy/actions.hpp"

namespace ha::policy {
namespace {

bool has_bit(std::uint32_t flags, std::uint32_t bit) noexcept { return (flags & bit) != 0; }

// ---- which actions an ordering is about ----

std::vector<Action*> actions_of(const Resource& resource, const OrderSide& wanted) {
  std::vector<Action*> found = find_actions(resource.actions, wanted.key, nullptr);
  if (found.empty()) {
    found = find_actions(resource.actions, operation_key(resource.id, wanted.task, wanted.interval),
                         nullptr);
  }
  return found;
}

void order_after(Action* first, const Resource& resource, const Ordering& ordering) {
  std::vector<Action*> thens;
  if (ordering.then.action != nullptr) thens.push_back(ordering.then.action);
  else thens = actions_of(resource, ordering.then);
  std::uint32_t flags = ordering.flags;
  if (first != nullptr && first->resource == &resource && first->is(act::dangling))
    flags &= ~order::implies_then;
  if (first == nullptr && !has_bit(flags, order::implies_then)) return;
  for (Action* then : thens) {
    if (first != nullptr) order_actions(first, then, flags);
    else then->clear(act::runnable);
  }
}

std::vector<Action*> first_actions(Cluster& cluster, Resource& resource, const Ordering& ordering) {
  if (ordering.first.action != nullptr) return {ordering.first.action};
  std::vector<Action*> found = actions_of(resource, ordering.first);
  if (!found.empty() || &resource == ordering.then.resource) return found;
  // What is down already needs no action to go down.
  const Role role = state_of(resource, true);
  const bool down = (role == Role::stopped && same(ordering.first.task, "stop")) ||
                    (role == Role::unpromoted && same(ordering.first.task, "demote"));
  if (down) return {};
  return {&get_action(cluster, &resource,
                      operation_key(resource.id, ordering.first.task, ordering.first.interval),
                      ordering.first.task, ordering.first.interval, nullptr, true)};
}

void apply_ordering(Cluster& cluster, const Ordering& ordering) {
  if (ordering.first.resource == nullptr) {
    if (ordering.then.resource != nullptr)
      order_after(ordering.first.action, *ordering.then.resource, ordering);
    else order_actions(ordering.first.action, ordering.then.action, ordering.flags);
    return;
  }
  const std::vector<Action*> firsts = first_actions(cluster, *ordering.first.resource, ordering);
  for (Action* first : firsts) {
    if (ordering.then.resource != nullptr) order_after(first, *ordering.then.resource, ordering);
    else if (ordering.then.action != nullptr)
      order_actions(first, ordering.then.action, ordering.flags);
  }
}

// ---- what follows from one link ----

bool is_start_of_group(const Action& action) {
  return action.resource != nullptr && action.resource->kind == Kind::group &&
         same(action.task, "start");
}

// "After the clone's start" means after all its instances have started, and were told so.
Action* completion_of(Action& action) {
  const Resource* resource = action.resource;
  if (resource == nullptr || !resource->collective() || action.interval > 0) return &action;
  if (action.key.find("notify") != std::string::npos) return &action;
  std::string_view done;
  if (any_of(action.task, {"start", "running"})) done = "running";
  else if (any_of(action.task, {"stop", "stopped"})) done = "stopped";
  else if (any_of(action.task, {"promote", "promoted"})) done = "promoted";
  else if (any_of(action.task, {"demote", "demoted"})) done = "demoted";
  else return &action;
  const bool told = resource->notify && resource->parent == nullptr;
  const std::string key =
      told ? notify_key(resource->id, "confirmed-post", done) : operation_key(resource->id, done);
  Action* found = find_first_action(resource->actions, key, {}, nullptr);
  return found == nullptr ? &action : found;
}

std::uint32_t flags_for_order(Action& action, const Node* node) {
  const std::uint32_t flags = action_flags(action, nullptr);
  if (action.resource == nullptr || node == nullptr || !action.resource->is_clone()) return flags;
  std::uint32_t there = action_flags(action, node);
  // That something is impossible on one node does not make it so for the clone.
  if (has_bit(flags, act::runnable)) there |= act::runnable;
  return there;
}

class LinkUpdate {
 public:
  LinkUpdate(Cluster& cluster, Action& first, Action& then, std::size_t link,
             std::uint32_t first_flags, std::uint32_t then_flags)
      : cluster_(cluster),
        first_(first),
        then_(then),
        link_(link),
        first_flags_(first_flags),
        then_flags_(then_flags),
        node_(then.node) {}

  unsigned run() {
    if (take(order::implies_then_on_node)) {
      flags() = (flags() & ~order::implies_then_on_node) | order::implies_then;
      node_ = first_.node;
    }
    if (take(order::implies_then)) implies_then();
    if (take(order::restart) && then_.resource != nullptr) {
      effect(order::restart, act::optional | act::runnable, first_flags_);
    }
    if (take(order::implies_first)) implies_first();
    if (take(order::promoted_implies_first)) {
      effect(order::promoted_implies_first, act::optional, first_flags_ & act::optional);
    }
    if (take(order::one_or_more)) one_or_more();
    if (take(order::needs_runnable_first)) needs_runnable_first();
    if (take(order::implies_first_migratable))
      effect(order::implies_first_migratable, act::optional, first_flags_);
    if (take(order::pseudo_needs_first))
      effect(order::pseudo_needs_first, act::optional, first_flags_);
    // Changes no flags, but instances that go together are ordered by it.
    if (take(order::optional)) effect(order::optional, act::runnable, first_flags_);
    if (take(order::asymmetric)) effect(order::asymmetric, act::runnable, first_flags_);
    printing();
    unmanaged_stop();
    return what_;
  }

 private:
  std::uint32_t& flags() { return then_.before[link_].flags; }
  bool take(std::uint32_t bit) { return has_bit(flags(), bit); }

  void effect(std::uint32_t kind, std::uint32_t filter, std::uint32_t first_flags) {
    const Action& owner = kind == order::implies_first ? first_ : then_;
    if (owner.resource == nullptr) return;
    what_ |= apply_effect(cluster_, {&first_, &then_, node_, first_flags, filter, kind});
  }

  void implies_then() {
    if (then_.resource != nullptr) {
      effect(order::implies_then, act::optional, first_flags_ & act::optional);
    } else if (!has_bit(first_flags_, act::optional) && then_.is(act::optional)) {
      then_.clear(act::optional);
      what_ |= changed::then;
    }
  }

  void implies_first() {
    if (first_.resource != nullptr) {
      effect(order::implies_first, act::optional, first_flags_);
    } else if (!has_bit(first_flags_, act::optional) && first_.is(act::runnable)) {
      first_.clear(act::runnable);
      what_ |= changed::first;
    }
  }

  void one_or_more() {
    if (then_.resource != nullptr || !has_bit(first_flags_, act::runnable)) return;
    ++then_.runnable_before;
    if (then_.runnable_before >= then_.required_runnable_before && !then_.is(act::runnable)) {
      then_.set(act::runnable);
      what_ |= changed::then;
    }
  }

  void needs_runnable_first() {
    if (then_.resource != nullptr) {
      effect(order::needs_runnable_first, act::runnable, first_flags_);
    } else if (!has_bit(first_flags_, act::runnable) && then_.is(act::runnable)) {
      then_.clear(act::runnable);
      what_ |= changed::then;
    }
  }

  void printing() {
    if (first_.is(act::runnable) && take(order::prints_then) &&
        !has_bit(first_flags_, act::optional)) {
      then_.set(act::print_always);
    }
    if (take(order::prints_first) && !has_bit(then_flags_, act::optional))
      first_.set(act::print_always);
  }

  // A stop that nobody may do, of something that failed, stands in the way of what waits for it.
  void unmanaged_stop() {
    if (!has_bit(flags(), order::implies_then | order::implies_first | order::restart)) return;
    const Resource* resource = first_.resource;
    if (resource == nullptr || resource->managed || !resource->blocked) return;
    if (first_.is(act::runnable) || !same(first_.task, "stop") || !then_.is(act::runnable)) return;
    then_.clear(act::runnable);
    what_ |= changed::then;
  }

  Cluster& cluster_;
  Action& first_;
  Action& then_;
  std::size_t link_;
  std::uint32_t first_flags_;
  std::uint32_t then_flags_;
  const Node* node_;
  unsigned what_ = changed::nothing;
};

unsigned update_link(Cluster& cluster, Action& then, std::size_t at) {
  Action* first = then.before[at].action;
  const Node* first_node = first->node;
  const Node* then_node = then.node;
  if (is_start_of_group(*first)) first_node = location_of(*first->resource, When::next);
  if (is_start_of_group(then)) then_node = location_of(*then.resource, When::next);
  if (has_bit(then.before[at].flags, order::same_node) && first_node != nullptr &&
      then_node != nullptr && first_node != then_node) {
    then.before[at].flags = order::none;
    return changed::nothing;
  }
  if (first->resource != nullptr && has_bit(then.before[at].flags, order::then_cancels_first) &&
      !then.is(act::optional)) {
    first->set(act::optional);
    if (first->task == "reload-agent") first->resource->reload = false;
  }
  Action* linked = first;
  if (first->resource != nullptr && then.resource != nullptr && first->resource != then.resource &&
      !is_ancestor(first->resource, then.resource)) {
    first = completion_of(*first);
  }
  unsigned what = changed::nothing;
  if (first == linked) {
    const std::uint32_t first_flags = flags_for_order(*first, then_node);
    const std::uint32_t then_flags = flags_for_order(then, first_node);
    what = LinkUpdate(cluster, *first, then, at, first_flags, then_flags).run();
  } else if (order_actions(first, &then, then.before[at].flags)) {
    what = changed::then;
    then.before[at].flags = order::none;
  }
  if ((what & changed::first) != 0) {
    for (std::size_t i = first->after.size(); i-- > 0;)
      update_for_orders(cluster, *first->after[i].action);
    update_for_orders(cluster, *first);
  }
  return what;
}

// ---- colocations with what cannot start ----

void mark_blocked(Cluster& cluster, Resource& resource, std::string_view task,
                  const Resource& because) {
  for (std::size_t i = resource.actions.size(); i-- > 0;) {
    Action& action = *resource.actions[i];
    if (!action.is(act::runnable) || !same(action.task, task)) continue;
    action.clear(act::runnable);
    set_reason(action, "colocation with " + because.id, false);
    block_colocated(cluster, action);
    update_for_orders(cluster, action);
  }
  for (Resource* child : resource.children)
    mark_blocked(cluster, *child, task, because);
}

bool possible_somewhere(const Resource& resource, std::string_view task) {
  return std::any_of(resource.children.begin(), resource.children.end(),
                     [&](const Resource* child) {
                       const Action* action = find_first_action(child->actions, {}, task, nullptr);
                       return action == nullptr || action->is(act::runnable);
                     });
}

// Orders that would go round in a circle only because of a migration.
void drop_impossible_loads(Cluster& cluster) {
  for (auto at = cluster.actions.rbegin(); at != cluster.actions.rend(); ++at) {
    Action& action = **at;
    if (action.resource == nullptr || !same(action.task, "migrate_to")) continue;
    for (Link& link : action.before) {
      if (link.flags == order::load && leads_back(action, action, link)) link.flags = order::none;
    }
  }
}

}  // namespace

void block_colocated(Cluster& cluster, Action& action) {
  if (action.is(act::runnable)) return;
  const bool start = action.task == "start";
  if ((!start && action.task != "promote") || action.resource == nullptr) return;
  Resource& resource = *top_of(action.resource);
  if (resource.with_this.empty() || possible_somewhere(resource, action.task)) return;
  const std::vector<const Colocation*> colocations = resource.with_this;
  for (const Colocation* colocation : colocations) {
    if (colocation->score < infinity) continue;
    if (!start && colocation->primary_role != Role::promoted) continue;
    const bool promotion = colocation->dependent_role == Role::promoted;
    mark_blocked(cluster, *colocation->dependent, promotion ? "promote" : "start",
                 *action.resource);
  }
}

void update_for_orders(Cluster& cluster, Action& then) {
  const std::uint32_t flags_before = then.flags;
  if (then.is(act::requires_any)) {
    then.runnable_before = 0;
    if (then.required_runnable_before == 0) then.required_runnable_before = 1;
    then.clear(act::runnable);
  }
  unsigned what = changed::nothing;
  for (std::size_t i = then.before.size(); i-- > 0;)
    what |= update_link(cluster, then, i) & changed::then;
  if (then.is(act::requires_any))
    what = flags_before == then.flags ? changed::nothing : changed::then;
  if (what == changed::nothing) return;
  if ((flags_before & act::runnable) != 0 && !then.is(act::runnable))
    block_colocated(cluster, then);
  update_for_orders(cluster, then);
  for (std::size_t i = then.after.size(); i-- > 0;)
    update_for_orders(cluster, *then.after[i].action);
}

void apply_orderings(Cluster& cluster) {
  for (std::size_t i = 0; i < cluster.orderings.size(); ++i) {
    const Ordering ordering = cluster.orderings[i];
    apply_ordering(cluster, ordering);
  }
  for (std::size_t i = cluster.actions.size(); i-- > 0;)
    block_colocated(cluster, *cluster.actions[i]);
  order_probes(cluster);
  for (std::size_t i = cluster.actions.size(); i-- > 0;)
    update_for_orders(cluster, *cluster.actions[i]);
  drop_impossible_loads(cluster);
}

}  // namespace ha::policy
