// Cluster properties.
#include "ha/policy/stages.hpp"

namespace ha::policy {
namespace {

void flag(const Attributes& properties, std::string_view name, bool& option) {
  if (has(properties, name)) option = is_true(lookup(properties, name));
}

NoQuorum no_quorum_of(const Cluster& cluster) {
  const std::string_view word = lookup(cluster.properties, "no-quorum-policy", "stop");
  if (same(word, "ignore")) return NoQuorum::ignore;
  if (same(word, "freeze")) return NoQuorum::freeze;
  if (same(word, "demote")) return NoQuorum::demote;
  if (!same(word, "suicide") || !cluster.options.fencing) return NoQuorum::stop;
  // A partition that never had quorum must not kill itself.
  const bool panic = parse_number(cluster.cib->root().value("no-quorum-panic")).value_or(0) != 0;
  return panic || cluster.options.have_quorum ? NoQuorum::suicide : NoQuorum::stop;
}

void read_health(Cluster& cluster) {
  Options& options = cluster.options;
  options.health_strategy = lookup(cluster.properties, "node-health-strategy", "none");
  const auto score = [&](std::string_view name, std::string_view preset) {
    return parse_score(lookup(cluster.properties, name, preset));
  };
  if (same(options.health_strategy, "migrate-on-red")) {
    options.health = {-infinity, 0, 0};
  } else if (same(options.health_strategy, "only-green")) {
    options.health = {-infinity, -infinity, 0};
  } else if (any_of(options.health_strategy, {"progressive", "custom"})) {
    options.health = {score("node-health-red", "-INFINITY"), score("node-health-yellow", "0"),
                      score("node-health-green", "0")};
  }
}

bool asks_for_unfencing(const Element& element) {
  if (element.name == "nvpair" && any_of(element.value("name"), {"provides", "requires"}) &&
      element.value("value") == "unfencing") {
    return true;
  }
  for (const Element& child : element.children) {
    if (asks_for_unfencing(child)) return true;
  }
  return false;
}

}  // namespace

void read_options(Cluster& cluster) {
  const RuleContext context{.now = cluster.now};
  add_pairs(cluster.cib->section("crm_config"), "cluster_property_set", cluster.cib->root(),
            context, cluster.properties, false, "cib-bootstrap-options");
  Options& options = cluster.options;
  const Attributes& properties = cluster.properties;
  options.have_quorum = is_true(cluster.cib->root().value("have-quorum"));
  flag(properties, "enable-startup-probes", options.startup_probes);
  flag(properties, "have-watchdog", options.fencing_device);
  flag(properties, "stonith-enabled", options.fencing);
  options.fence_action = lookup(properties, "stonith-action", "reboot");
  if (options.fence_action == "poweroff") options.fence_action = "off";
  flag(properties, "concurrent-fencing", options.concurrent_fencing);
  options.priority_fencing_delay =
      interval_milliseconds(lookup(properties, "priority-fencing-delay", "0")) / 1000;
  flag(properties, "stop-all-resources", options.stop_all);
  flag(properties, "symmetric-cluster", options.symmetric);
  flag(properties, "stop-orphan-resources", options.stop_orphan_resources);
  flag(properties, "stop-orphan-actions", options.stop_orphan_actions);
  flag(properties, "remove-after-stop", options.remove_after_stop);
  flag(properties, "maintenance-mode", options.maintenance);
  flag(properties, "start-failure-is-fatal", options.start_failure_fatal);
  if (!options.fencing) options.startup_fencing = false;
  if (options.fencing) flag(properties, "startup-fencing", options.startup_fencing);
  flag(properties, "shutdown-lock", options.shutdown_lock);
  options.shutdown_lock_limit =
      interval_milliseconds(lookup(properties, "shutdown-lock-limit", "0")) / 1000;
  options.placement = lookup(properties, "placement-strategy", "default");
  options.unfencing = asks_for_unfencing(cluster.cib->section("resources")) ||
                      asks_for_unfencing(cluster.cib->section("rsc_defaults"));
  options.no_quorum = no_quorum_of(cluster);
  read_health(cluster);
}

}  // namespace ha::policy
