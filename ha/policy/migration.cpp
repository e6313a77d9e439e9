// Live migration: the source sends, the target receives, the source stops; the start is only a
// mark.
#include "ha/policy/actions.hpp"
#include "ha/policy/create_actions.hpp"

namespace ha::policy {

void create_migration(Cluster& cluster, Resource& resource, Node& current) {
  Action& start = get_action(cluster, resource, "start", resource.assigned, true);
  Action& stop = get_action(cluster, resource, "stop", &current, true);
  const bool half_done = resource.migration_target != nullptr;
  Action* send = half_done ? nullptr : &get_action(cluster, resource, "migrate_to", &current, true);
  Action& receive = get_action(cluster, resource, "migrate_from", resource.assigned, true);
  start.set(act::migrate_runnable | act::pseudo);
  stop.set(act::migrate_runnable);
  receive.set(act::migrate_runnable);
  if (send != nullptr) {
    send->set(act::migrate_runnable);
    send->needs = start.needs;
    order_tasks(cluster, resource, "monitor", resource, "migrate_to", order::optional);
    order_tasks(cluster, resource, "migrate_to", resource, "migrate_from",
                order::optional | order::implies_first_migratable);
    send->migrate_source = current.name;
    send->migrate_target = resource.assigned->name;
  } else {
    receive.needs = start.needs;
    order_tasks(cluster, resource, "monitor", resource, "migrate_from", order::optional);
  }
  order_tasks(cluster, resource, "migrate_from", resource, "stop",
              order::optional | order::implies_first_migratable);
  order_tasks(cluster, resource, "migrate_from", resource, "start",
              order::optional | order::implies_first_migratable | order::pseudo_needs_first);
  receive.migrate_source = current.name;
  receive.migrate_target = resource.assigned->name;
}

}  // namespace ha::policy
