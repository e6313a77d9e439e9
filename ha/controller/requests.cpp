// What commands and agents ask for, on the node where they ask and at the coordinator.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ha/config/store.hpp"
#include "ha/config/xml.hpp"
#include "ha/controller/controller.hpp"

namespace ha::controller {

namespace {

std::string written(const Element& element) { return config::format_xml(element); }

std::optional<config::Edit> edit_of(const Element& what) {
  if (what.children.size() != 1) return std::nullopt;
  config::Edit edit;
  const std::string_view kind = what.value("kind");
  if (kind == "replace") edit.kind = config::EditKind::replace;
  else if (kind == "create") edit.kind = config::EditKind::create;
  else if (kind == "modify") edit.kind = config::EditKind::modify;
  else if (kind == "remove") edit.kind = config::EditKind::remove;
  else return std::nullopt;
  edit.scope = what.value("scope");
  edit.allow_create = policy::is_true(what.value("allow-create"));
  edit.content = what.children.front();
  return edit;
}

}  // namespace

void Controller::answer(const Origin& origin, Fault fault, std::string text) {
  if (origin.client == 0) return;
  if (origin.node == config_.own_name) {
    orders_.answers.push_back({origin.client, fault, std::move(text)});
    return;
  }
  send(origin.node, "reply",
       {"reply",
        {{"client", std::to_string(origin.client)},
         {"fault", std::to_string(static_cast<int>(fault))},
         {"text", text}},
        {},
        {}});
}

const std::string* Controller::attribute(const std::string& node,
                                         const std::string& name) const noexcept {
  if (policy::same(node, config_.own_name)) {
    const auto own = own_attributes_.find(name);
    if (own != own_attributes_.end()) return &own->second;
  }
  return find_transient(cib_, node, name);
}

void Controller::request(std::uint64_t client, const Element& what, Instant now) {
  const Origin origin{config_.own_name, client};
  if (what.name == "query") {
    query(client, what);
  } else if (what.name == "status") {
    const char* state =
        duty_ ? (idle() ? "S_IDLE" : (duty_->ready ? "S_TRANSITION_ENGINE" : "S_INTEGRATION"))
              : (joined_ ? "S_NOT_DC" : "S_PENDING");
    answer(origin, Fault::none,
           fmt::format("{} {} {}", dc_.empty() ? "NONE" : dc_, state, view_.quorum ? 1 : 0));
  } else {
    const bool own_attribute = what.name == "attribute" && what.value("lifetime") == "reboot" &&
                               what.value("node") == config_.own_name;
    if (own_attribute) {
      // It is told again to whoever coordinates next.
      const std::string name(what.value("name"));
      if (const std::string* value = what.get("value")) own_attributes_[name] = *value;
      else own_attributes_.erase(name);
    }
    if (duty_) on_request(origin, what, now);
    else if (!dc_.empty()) forward(client, what, now);
    else if (own_attribute) answer(origin, Fault::none, "");
    else answer(origin, Fault::closed, "no node coordinates");
  }
  tick(now);
}

void Controller::query(std::uint64_t client, const Element& what) {
  const Origin origin{config_.own_name, client};
  const std::string_view scope = what.value("scope");
  const Element* section = config::section_of(cib_, scope.empty() ? "cib" : scope);
  if (section == nullptr) return answer(origin, Fault::not_found, "No such device or address");
  answer(origin, Fault::none, written(*section));
}

void Controller::on_request(const Origin& origin, const Element& what, Instant now) {
  if (what.name == "attribute") return set_attribute(origin, what, now);
  if (what.name == "cleanup") return clean_up(origin, what);
  if (what.name == "confirm")
    return confirm(origin, membership::lower_case(what.value("node")), now);
  if (what.name == "edit") {
    if (std::optional<config::Edit> edit = edit_of(what))
      return push_edit(origin, std::move(*edit), now);
  }
  answer(origin, Fault::malformed, "Invalid argument");
}

// --- Attributes of nodes -----------------------------------------------------------------------

void Controller::set_attribute(const Origin& origin, const Element& what, Instant now) {
  const std::string node = membership::lower_case(what.value("node"));
  const std::string* value = what.get("value");
  const std::string_view name = what.value("name");
  if (name.empty()) return answer(origin, Fault::malformed, "Invalid argument");
  if (what.value("lifetime") == "reboot") {
    const std::string* before = find_transient(cib_, node, name);
    const bool same = before == nullptr ? value == nullptr : value != nullptr && *value == *before;
    if (!same) {
      set_transient(node_state(cib_, node), name, value);
      changed();
      replan();
    }
    return answer(origin, Fault::none, "");
  }
  // For ever: part of the configuration.
  duty_->edits.push_back({origin, {}, what, {}});
  next_edit(now);
}

// The configuration as it is now, with the attribute: what others changed meanwhile stays (H17).
Result<config::Edit> Controller::attribute_edit(const Element& what) const {
  const std::string node = membership::lower_case(what.value("node"));
  const std::string* value = what.get("value");
  const std::string_view name = what.value("name");
  Element configuration = *cib_.child("configuration");
  if (node.empty()) {
    config::set_pair(config::pairs_of(configuration.child_or_new("crm_config"),
                                      "cluster_property_set", "cib-bootstrap-options"),
                     name, value);
  } else {
    Element& nodes = configuration.child_or_new("nodes");
    const auto found = std::find_if(
        nodes.children.begin(), nodes.children.end(),
        [&](const Element& entry) { return policy::same(entry.value("uname"), node); });
    if (found == nodes.children.end())
      return failure(Fault::not_found, "No such device or address");
    config::set_pair(
        config::pairs_of(*found, "instance_attributes", "nodes-" + std::string(found->id())), name,
        value);
  }
  return config::Edit{config::EditKind::replace, "", std::move(configuration), false};
}

// Somebody made sure that the node is off (H4).
void Controller::confirm(const Origin& origin, const std::string& node, Instant now) {
  if (find_node_state(cib_, node) == nullptr &&
      std::find(config_.nodes.begin(), config_.nodes.end(), node) == config_.nodes.end()) {
    return answer(origin, Fault::not_found, "No such device or address");
  }
  if (present(node)) {
    return answer(origin, Fault::not_permitted, "the node is heard: it is not off");
  }
  log(Severity::warning, fmt::format("{} is off, says an operator on {}", node, origin.node));
  const std::map<std::string, Fencing> fencings = duty_->fencings;
  bool waited_for = false;
  for (const auto& [id, fencing] : fencings) {
    if (fencing.order.target != node) continue;
    waited_for = true;
    fencing_ended(id, true, now);
  }
  if (!waited_for) note_fenced(node);
  answer(origin, Fault::none, "");
}

// Failures are forgotten and the state is asked anew; a group is cleaned up with all its members.
void Controller::clean_up(const Origin& origin, const Element& what) {
  const std::string_view resource = what.value("resource");
  const std::string node = membership::lower_case(what.value("node"));
  std::vector<std::string> names;
  const std::function<void(const Element&, bool)> collect = [&](const Element& at, bool inside) {
    const bool here = inside || resource.empty() || at.id() == resource;
    if (at.name == "primitive" && here) names.emplace_back(at.id());
    for (const Element& child : at.children)
      collect(child, here && at.name != "resources" && at.name != "configuration");
  };
  const Element* resources = cib_.child("configuration")->child("resources");
  if (resources != nullptr) collect(*resources, false);
  if (names.empty()) return answer(origin, Fault::not_found, "No such device or address");
  for (Element& state : cib_.child_or_new("status").children) {
    const std::string here = membership::lower_case(state.value("uname"));
    if (state.name != "node_state" || (!node.empty() && here != node)) continue;
    const Element histories = histories_of(state);
    for (const Element& history : histories.children) {
      const std::string id(history.id());
      const auto known = [&](const std::string& name) {
        return id == name || policy::without_instance(id) == name;
      };
      if (std::none_of(names.begin(), names.end(), known)) continue;
      clear_failure_counts(state, id);
      drop_resource(histories_of(state), id);
      Operation erase;
      erase.resource = id;
      erase.task = "delete";
      erase.node = here;
      if (present(here)) {
        send(here, "operate", {"operate", {{"term", std::to_string(term_)}}, {to_xml(erase)}, {}});
      }
    }
  }
  changed();
  replan();
  answer(origin, Fault::none, "");
}

// --- Changes of the configuration ---------------------------------------------------------------

void Controller::push_edit(Origin origin, config::Edit edit, Instant now) {
  duty_->edits.push_back({std::move(origin), std::move(edit), {}, {}});
  next_edit(now);
}

// One after the other: applied, then stored, then it counts.
void Controller::next_edit(Instant now) {
  while (!duty_->storing && !duty_->edits.empty()) {
    PendingEdit& pending = duty_->edits.front();
    Result<config::Edit> edit = pending.attribute ? attribute_edit(*pending.attribute)
                                                  : Result<config::Edit>(std::move(pending.edit));
    Result<Element> result =
        edit ? config::apply(cib_, *edit) : Result<Element>(tl::unexpected(edit.error()));
    if (!result) {
      answer(pending.origin, result.error().fault(), result.error().where());
      duty_->edits.pop_front();
      continue;
    }
    result->set("cib-last-written", std::to_string(wall_()));
    result->set("update-origin",
                pending.origin.node.empty() ? config_.own_name : pending.origin.node);
    const bool of_status =
        config::version_of(*result).epoch == config::version_of(cib_).epoch &&
        config::version_of(*result).admin_epoch == config::version_of(cib_).admin_epoch;
    if (!of_status) static_cast<void>(complete(*result));
    pending.result = std::move(*result);
    duty_->storing = true;
    if (of_status) {
      // Nothing of it is kept on disk.
      edit_stored(Status(), now);
      continue;
    }
    orders_.stores.push_back({++tickets_, config::stored_text(pending.result)});
  }
}

void Controller::edit_stored(const Status& status, Instant now) {
  PendingEdit pending = std::move(duty_->edits.front());
  duty_->edits.pop_front();
  duty_->storing = false;
  const bool own = pending.origin.client == 0;
  if (!status.ok() && !own) {
    answer(pending.origin, status.fault(), "the configuration can't be stored");
    return next_edit(now);
  }
  if (!status.ok()) store_again_ = now + Duration::seconds(10);
  const config::Version before = config::version_of(cib_);
  const config::Version version = config::version_of(pending.result);
  if (version.epoch != before.epoch || version.admin_epoch != before.admin_epoch) {
    // The status went on while it was being stored.
    Element live = std::move(*cib_.child("status"));
    cib_ = std::move(pending.result);
    cib_.child_or_new("status") = std::move(live);
  } else {
    cib_ = std::move(pending.result);
  }
  refresh_standing();
  duty_->next_copy = now;
  replan();
  answer(pending.origin, Fault::none, "");
  next_edit(now);
}

}  // namespace ha::controller
