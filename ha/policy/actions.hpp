// Making actions and ordering them.
#pragma once

#include "ha/policy/cluster.hpp"

namespace ha::policy {

// What the configuration says about one operation of a resource, with all defaults filled in.
struct OperationPolicy {
  const Element* xml = nullptr;
  Needs needs = Needs::nothing;
  OnFail on_fail = OnFail::recover;
  Role fail_role = Role::started;
  std::string timeout;  // milliseconds
};
[[nodiscard]] OperationPolicy operation_policy(const Cluster& cluster, const Resource& resource,
                                               std::string_view key, std::string_view task,
                                               std::uint32_t interval);
[[nodiscard]] const Element* find_operation(const Resource& resource, std::string_view key,
                                            bool with_disabled);

// The action with this key on this node; made if it does not exist. An action asked for as not
// optional is required from then on.
Action& get_action(Cluster& cluster, Resource* resource, std::string_view key,
                   std::string_view task, std::uint32_t interval, Node* node, bool optional);
Action& get_action(Cluster& cluster, Resource& resource, std::string_view task, Node* node,
                   bool optional);
Action& pseudo_action(Cluster& cluster, Resource& resource, std::string_view task, bool optional,
                      bool runnable);
Action& named_pseudo_action(Cluster& cluster, std::string_view name);
Action& fence_action(Cluster& cluster, Node& node, std::string_view operation, bool optional,
                     const std::string& reason, bool delay = false);
Action& cancel_action(Cluster& cluster, Resource& resource, std::string_view task,
                      std::uint32_t interval, Node* node);
void schedule_cancel(Cluster& cluster, Resource& resource, std::string_view task,
                     std::uint32_t interval, Node* node);
void schedule_cleanup(Cluster& cluster, Resource& resource, Node& node, bool optional);
void trigger_unfencing(Cluster& cluster, const Resource* resource, Node* node,
                       const std::string& reason);
void order_after_unfencing(Cluster& cluster, const Resource& resource, Node& node, Action& action,
                           std::uint32_t flags);

// All with this key, oldest first. Those without a node are taken to be on the given one.
[[nodiscard]] std::vector<Action*> find_actions(const std::vector<Action*>& among,
                                                std::string_view key, Node* node);
// Only those that are on the node.
[[nodiscard]] std::vector<Action*> find_actions_on(const std::vector<Action*>& among,
                                                   std::string_view key, const Node* node);
[[nodiscard]] std::vector<Action*> resource_actions(const Resource& resource, Node* node,
                                                    std::string_view task,
                                                    bool exactly_there = false);
// The newest that fits; an empty key or task fits all.
[[nodiscard]] Action* find_first_action(const std::vector<Action*>& among, std::string_view key,
                                        std::string_view task, const Node* node);

void set_reason(Action& action, std::string_view reason, bool overwrite);

// False when they were in this order already.
bool order_actions(Action* first, Action* then, std::uint32_t flags);
void new_ordering(Cluster& cluster, OrderSide first, OrderSide then, std::uint32_t flags);
[[nodiscard]] OrderSide side(Resource& resource, std::string_view task);
[[nodiscard]] OrderSide side(Action& action);
void order_tasks(Cluster& cluster, Resource& first, std::string_view first_task, Resource& then,
                 std::string_view then_task, std::uint32_t flags);

}  // namespace ha::policy
