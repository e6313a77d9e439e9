// The pieces of the stage that makes actions.
#pragma once

#include "ha/policy/stages.hpp"

namespace ha::policy {

void create_actions_of(Cluster& cluster, Resource& resource);
void create_for_group(Cluster& cluster, Resource& group);  // collective_actions.cpp
void create_for_clone(Cluster& cluster, Resource& clone);
void create_recurring(Cluster& cluster, Resource& resource);                 // recurring.cpp
void create_migration(Cluster& cluster, Resource& resource, Node& current);  // migration.cpp

// Pseudo-actions before and after one kind of action; null when the clone wants no notifications
// (notify.cpp).
std::unique_ptr<Notification> make_notification(Cluster& cluster, Resource& resource,
                                                std::string_view task, Action* action,
                                                Action* complete);
void create_notify_actions(Cluster& cluster, Resource& clone, const Notification* notification);
void notify_after_fencing(Cluster& cluster, Resource& resource, Action& fencing);

}  // namespace ha::policy
