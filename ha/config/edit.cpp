#include "ha/config/edit.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace ha::config {
namespace {

using replicator::failure;
using replicator::Fault;
using replicator::Status;

constexpr std::array<std::string_view, 9> configuration_sections = {
    "crm_config",  "nodes", "resources", "constraints",      "rsc_defaults",
    "op_defaults", "tags",  "acls",      "fencing-topology",
};

bool is_section(std::string_view name) {
  return name == "cib" || name == "configuration" || name == "status" || name == "alerts" ||
         std::find(configuration_sections.begin(), configuration_sections.end(), name) !=
             configuration_sections.end();
}

Element* find_below(Element& under, std::string_view name, std::string_view id) {
  for (Element& child : under.children) {
    if (child.name == name && (id.empty() || child.id() == id)) return &child;
    if (Element* found = find_below(child, name, id); found != nullptr) return found;
  }
  return nullptr;
}

bool remove_below(Element& under, std::string_view name, std::string_view id) {
  const auto fits = [&](const Element& child) { return child.name == name && child.id() == id; };
  if (std::erase_if(under.children, fits) != 0) return true;
  return std::any_of(under.children.begin(), under.children.end(),
                     [&](Element& child) { return remove_below(child, name, id); });
}

// What has an id is the same object where the ids are the same; what has none, where the names are.
void merge(Element& into, const Element& from) {
  for (const auto& [name, value] : from.attributes)
    into.set(name, value);
  if (!from.text.empty()) into.text = from.text;
  for (const Element& child : from.children) {
    const auto same = [&](const Element& other) {
      return other.name == child.name && other.id() == child.id();
    };
    const auto found = std::find_if(into.children.begin(), into.children.end(), same);
    if (found == into.children.end()) into.children.push_back(child);
    else merge(*found, child);
  }
}

// Where the change takes place.
Element* scope_of(Element& root, const Edit& edit) {
  const std::string_view name = edit.scope.empty() ? std::string_view("cib") : edit.scope;
  return section_of(root, name);
}

Status replace(Element& root, Element& scope, const Element& content) {
  if (content.name == "cib") {
    const Version mine = version_of(root);
    const Version theirs = version_of(content);
    if (std::pair(theirs.admin_epoch, theirs.epoch) < std::pair(mine.admin_epoch, mine.epoch)) {
      return Status(Fault::incompatible, "Update was older than existing configuration");
    }
    Element status = std::exchange(root.child_or_new("status"), {});
    root = content;
    root.child_or_new("status") = std::move(status);
    root.child("status")->name = "status";
    return Status();
  }
  if (is_section(content.name)) {
    Element* section = section_of(root, content.name);
    if (section == nullptr)
      section = &root.child_or_new("configuration").child_or_new(content.name);
    *section = content;
    return Status();
  }
  Element* found = find_below(scope, content.name, content.id());
  if (found == nullptr) scope.children.push_back(content);
  else *found = content;
  return Status();
}

Status create(Element& root, Element& scope, const Element& content) {
  if (is_section(content.name)) {
    Element* section = section_of(root, content.name);
    if (section == nullptr) return Status(Fault::not_found, "No such section");
    for (const Element& child : content.children) {
      if (find_below(*section, child.name, child.id()) != nullptr)
        return Status(Fault::exists, "File exists");
      section->children.push_back(child);
    }
    return Status();
  }
  if (content.id().empty()) return Status(Fault::malformed, "the object has no id");
  if (find_below(root, content.name, content.id()) != nullptr)
    return Status(Fault::exists, "File exists");
  scope.children.push_back(content);
  return Status();
}

Status modify(Element& root, Element& scope, const Edit& edit) {
  const Element& content = edit.content;
  Element* found = nullptr;
  if (content.name == "cib") found = &root;
  else if (is_section(content.name)) found = section_of(root, content.name);
  else found = find_below(scope, content.name, content.id());
  if (found != nullptr) merge(*found, content);
  else if (edit.allow_create || &scope != &root) scope.children.push_back(content);
  else return Status(Fault::not_found, "No such device or address");
  return Status();
}

Status remove(Element& root, Element& scope, const Element& content) {
  if (is_section(content.name)) {
    Element* section = section_of(root, content.name);
    if (section == nullptr) return Status();
    for (const Element& child : content.children)
      remove_below(*section, child.name, child.id());
    return Status();
  }
  remove_below(scope, content.name, content.id());
  return Status();
}

Status change(Element& root, const Edit& edit) {
  Element* scope = scope_of(root, edit);
  if (scope == nullptr) return Status(Fault::not_found, "No such section");
  switch (edit.kind) {
    case EditKind::replace: return replace(root, *scope, edit.content);
    case EditKind::create: return create(root, *scope, edit.content);
    case EditKind::modify: return modify(root, *scope, edit);
    case EditKind::remove: return remove(root, *scope, edit.content);
  }
  return Status();
}

bool of_status(const Edit& edit) {
  return edit.scope == "status" || edit.content.name == "status" ||
         edit.content.name == "node_state";
}

}  // namespace

Element empty_cib() {
  Element configuration{"configuration", {}, {}, {}};
  for (const std::string_view name : {"crm_config", "nodes", "resources", "constraints"})
    configuration.children.push_back({std::string(name), {}, {}, {}});
  return {"cib",
          {{"crm_feature_set", "3.16.1"},
           {"validate-with", "pacemaker-3.9"},
           {"epoch", "0"},
           {"num_updates", "0"},
           {"admin_epoch", "0"}},
          {std::move(configuration), {"status", {}, {}, {}}},
          {}};
}

replicator::Result<Element> apply(const Element& root, const Edit& edit) {
  if (edit.content.name.empty()) return failure(Fault::malformed, "nothing to apply");
  Element changed = root;
  const Status done = change(changed, edit);
  if (!done.ok()) return tl::unexpected(done);
  if (changed.child("configuration") == nullptr || changed.child("status") == nullptr)
    return failure(Fault::malformed, "no configuration, or no status");
  const Version before = version_of(root);
  const Version given = version_of(changed);
  Version version = before;
  if (of_status(edit)) ++version.num_updates;
  else version = {given.admin_epoch, given.epoch + 1, 0};
  set_version(changed, version);
  return changed;
}

Element* section_of(Element& root, std::string_view name) noexcept {
  if (name == "cib" || name == "all") return &root;
  if (name == "status" || name == "configuration") return root.child(name);
  Element* configuration = root.child("configuration");
  return configuration == nullptr ? nullptr : configuration->child(name);
}

void set_version(Element& root, const Version& version) {
  root.set("admin_epoch", std::to_string(version.admin_epoch));
  root.set("epoch", std::to_string(version.epoch));
  root.set("num_updates", std::to_string(version.num_updates));
}

Version version_of(const Element& root) noexcept {
  return version_from(root.value("admin_epoch"), root.value("epoch"), root.value("num_updates"));
}

Element& pairs_of(Element& owner, std::string_view set_name, std::string_view set_id) {
  Element& set = owner.child_or_new(set_name);
  if (set.get("id") == nullptr) set.set("id", set_id);
  return set;
}

void set_pair(Element& set, std::string_view name, const std::string* value) {
  const auto fits = [&](const Element& pair) {
    return pair.name == "nvpair" && pair.value("name") == name;
  };
  if (value == nullptr) {
    std::erase_if(set.children, fits);
    return;
  }
  const auto found = std::find_if(set.children.begin(), set.children.end(), fits);
  if (found != set.children.end()) {
    found->set("value", *value);
    return;
  }
  std::string id = std::string(set.id()) + "-" + std::string(name);
  std::replace(id.begin(), id.end(), '#', '.');
  set.children.push_back(
      {"nvpair", {{"id", std::move(id)}, {"name", std::string(name)}, {"value", *value}}, {}, {}});
}

const std::string* find_pair(const Element& owner, std::string_view set_name,
                             std::string_view name) noexcept {
  for (const Element& set : owner.children) {
    if (set.name != set_name) continue;
    for (const Element& pair : set.children) {
      if (pair.name == "nvpair" && pair.value("name") == name) return pair.get("value");
    }
  }
  return nullptr;
}

}  // namespace ha::config
