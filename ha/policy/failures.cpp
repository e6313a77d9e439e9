// Fail counts: node attributes "fail-count-RESOURCE#OPERATION_INTERVAL", and when they expire.
#include <algorithm>

#include "ha/policy/actions.hpp"
#include "ha/policy/operation_record.hpp"
#include "ha/policy/stages.hpp"

namespace ha::policy {
namespace {

std::size_t digits_at(std::string_view text) {
  const std::size_t end = text.find_first_not_of("0123456789");
  return end == text.npos ? text.size() : end;
}

// What follows the resource's name: an instance number if the instances share one name, then the
// operation, which attributes written by old versions do not have.
bool rest_fits(std::string_view rest, bool unique, bool legacy) {
  if (!unique && rest.starts_with(':')) {
    const std::size_t count = digits_at(rest.substr(1));
    if (count == 0) return false;
    rest.remove_prefix(count + 1);
  }
  if (legacy) return rest.empty();
  const std::size_t underscore = rest.rfind('_');
  if (rest.size() < 4 || rest.front() != '#' || underscore == rest.npos || underscore < 2)
    return false;
  const std::string_view interval = rest.substr(underscore + 1);
  return !interval.empty() && digits_at(interval) == interval.size();
}

bool attribute_fits(std::string_view attribute, std::string_view prefix, std::string_view name,
                    bool unique, bool legacy) {
  if (!attribute.starts_with(prefix)) return false;
  attribute.remove_prefix(prefix.size());
  if (!attribute.starts_with(name)) return false;
  return rest_fits(attribute.substr(name.size()), unique, legacy);
}

bool failure_matches(std::string_view name, const Element& configured, const Element& recorded) {
  const std::string_view task = configured.value("name");
  const std::uint32_t interval = interval_milliseconds(configured.value("interval", "0"));
  if (parse_number(recorded.value("interval", "0")).value_or(0) != interval) return false;
  if (!same(task, recorded.value("operation"))) return false;
  if (same(recorded.id(), operation_key(name, "last_failure"))) return true;
  if (!same(recorded.id(), operation_key(name, task, interval))) return false;
  return parse_number(recorded.value("rc-code")).value_or(0) !=
         expected_result(recorded.value("transition-key")).value_or(-1);
}

bool any_recorded(const Cluster& cluster, const Node& node, std::string_view name,
                  const Element& configured) {
  for (const Element& state : cluster.cib->status().children) {
    if (state.name != "node_state" || state.value("uname") != node.name) continue;
    const Element* history = state.find("lrm_resource", name);
    if (history == nullptr) continue;
    for (const Element& recorded : history->children) {
      if (recorded.name == "lrm_rsc_op" && failure_matches(name, configured, recorded)) return true;
    }
  }
  return false;
}

// A failure that blocks the resource has to be seen by a human: it does not expire.
bool blocks(const Cluster& cluster, const Node& node, const Resource& resource,
            const Element* operation) {
  if (resource.operations == nullptr) return false;
  const std::string_view name = without_instance(resource.id);
  return std::any_of(resource.operations->children.begin(), resource.operations->children.end(),
                     [&](const Element& configured) {
                       if (configured.name != "op" || configured.value("on-fail") != "block")
                         return false;
                       return operation != nullptr ? failure_matches(name, configured, *operation)
                                                   : any_recorded(cluster, node, name, configured);
                     });
}

}  // namespace

Failures failures_of(Cluster& cluster, const Node& node, Resource& resource, bool effective,
                     const Element* operation) {
  std::string_view name = resource.history_name.empty() ? resource.id : resource.history_name;
  if (!resource.unique) name = without_instance(name);
  const std::string* version = cluster.cib->root().get("crm_feature_set");
  const bool legacy = version == nullptr || compare_versions(*version, "3.0.13") < 0;
  Failures failures;
  for (auto at = node.attributes.lower_bound("fail-count-"); at != node.attributes.end(); ++at) {
    if (!at->first.starts_with("fail-count-")) break;
    if (!attribute_fits(at->first, "fail-count-", name, resource.unique, legacy)) continue;
    failures.count = add(failures.count, parse_score(at->second));
  }
  if (failures.count <= 0) return {};
  for (auto at = node.attributes.lower_bound("last-failure-"); at != node.attributes.end(); ++at) {
    if (!at->first.starts_with("last-failure-")) break;
    if (!attribute_fits(at->first, "last-failure-", name, resource.unique, legacy)) continue;
    failures.last = std::max<Seconds>(failures.last, parse_number(at->second).value_or(0));
  }
  if (resource.failure_timeout > 0 && blocks(cluster, node, resource, operation))
    resource.failure_timeout = 0;
  if (effective && failures.last > 0 && resource.failure_timeout > 0 &&
      cluster.now > failures.last + resource.failure_timeout) {
    failures.count = 0;
  }
  return failures;
}

Action* clear_failures(Cluster& cluster, Resource& resource, Node& node) {
  return &get_action(cluster, resource, "clear_failcount", &node, false);
}

}  // namespace ha::policy
