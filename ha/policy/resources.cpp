// Resources out of the configuration: templates filled in, meta-attributes inherited, clones
// multiplied.
#include <algorithm>

#include "ha/policy/merge_sort.hpp"
#include "ha/policy/stages.hpp"

namespace ha::policy {
namespace {

Resource* make_resource(Cluster& cluster, const Element& xml, Resource* parent, int instance);

// ---- templates ----

std::string operation_kind(const Element& operation) {
  std::string_view role = operation.value("role");
  if (role.empty() || any_of(role, {"Started", "Unpromoted", "Slave"})) role = "Unknown";
  return std::string(operation.value("name")) + "-" + std::string(role);
}

// The operations of the template count where the resource has none of the same kind.
void merge_operations(Element& made, const Element& from_template) {
  Element* own = made.child("operations");
  for (const Element& operation : from_template.children) {
    const bool known = std::any_of(
        own->children.begin(), own->children.end(),
        [&](const Element& other) { return operation_kind(other) == operation_kind(operation); });
    if (!known) own->children.push_back(operation);
  }
}

const Element* without_template(Cluster& cluster, const Element& xml) {
  const std::string* name = xml.get("template");
  if (name == nullptr) return &xml;
  const Element* found = cluster.cib->section("resources").find("template", *name);
  if (found == nullptr || *name == xml.id()) return nullptr;
  Element made = *found;
  made.name = xml.name;
  for (const auto& [key, value] : xml.attributes) {
    if (key != "template") made.set(key, value);
  }
  Element operations;
  const bool both = made.child("operations") != nullptr && xml.child("operations") != nullptr;
  if (both) {
    operations = *made.child("operations");
    std::erase_if(made.children, [](const Element& child) { return child.name == "operations"; });
  }
  made.children.insert(made.children.end(), xml.children.begin(), xml.children.end());
  if (both) merge_operations(made, operations);
  auto& users = cluster.templates[*name];
  if (std::find(users.begin(), users.end(), xml.id()) == users.end()) users.emplace_back(xml.id());
  cluster.made_elements.push_back(std::move(made));
  return &cluster.made_elements.back();
}

// ---- meta-attributes ----

RuleContext agent_context(const Cluster& cluster, const Element& xml) {
  RuleContext context{.now = cluster.now};
  context.agent = xml.value("type");
  if (const std::string* standard = xml.get("class")) context.standard = *standard;
  if (const std::string* provider = xml.get("provider")) context.provider = *provider;
  return context;
}

void read_meta(const Cluster& cluster, Resource& resource) {
  const Element& root = cluster.cib->root();
  const RuleContext context = agent_context(cluster, *resource.xml);
  for (const auto& [key, value] : resource.xml->attributes)
    resource.meta.emplace(key, value);
  add_pairs(*resource.xml, "meta_attributes", root, context, resource.meta);
  Attributes inherited;
  for (const Resource* up = resource.parent; up != nullptr; up = up->parent) {
    add_pairs(*up->xml, "meta_attributes", root, context, inherited);
  }
  resource.meta.insert(inherited.begin(), inherited.end());
  add_pairs(cluster.cib->section("rsc_defaults"), "meta_attributes", root, context, resource.meta);
  if (resource.parent != nullptr) {
    resource.meta.insert(resource.parent->meta.begin(), resource.parent->meta.end());
  }
}

void read_requires(const Cluster& cluster, Resource& resource) {
  const Options& options = cluster.options;
  std::string_view word = lookup(resource.meta, "requires");
  if (!any_of(word, {"nothing", "quorum", "fencing", "unfencing"})) {
    if (resource.fence_device) {
      word = "quorum";
    } else if (options.unfencing) {
      word = "unfencing";
    } else if (options.fencing) {
      word = "fencing";
    } else {
      word = options.no_quorum == NoQuorum::ignore ? "nothing" : "quorum";
    }
  }
  if (same(word, "unfencing") && (resource.fence_device || !options.fencing)) word = "quorum";
  resource.needs_quorum = same(word, "quorum");
  resource.needs_fencing = any_of(word, {"fencing", "unfencing"});
  resource.needs_unfencing = same(word, "unfencing");
}

void read_management(const Cluster& cluster, Resource& resource) {
  resource.managed = !cluster.options.maintenance;
  const std::string_view managed = lookup(resource.meta, "is-managed");
  if (!managed.empty() && !same(managed, "default")) resource.managed = is_true(managed);
  if (is_true(lookup(resource.meta, "maintenance")) || cluster.options.maintenance) {
    resource.managed = false;
    resource.maintenance = true;
  }
}

MultipleActive multiple_active_of(std::string_view word) {
  if (same(word, "stop_only")) return MultipleActive::stop_only;
  if (same(word, "block")) return MultipleActive::block;
  if (same(word, "stop_unexpected")) return MultipleActive::stop_unexpected;
  return MultipleActive::stop_start;
}

Score score_of(const Resource& resource, std::string_view name, Score otherwise) {
  const std::string_view text = lookup(resource.meta, name);
  return text.empty() || same(text, "default") ? otherwise : parse_score(text);
}

void apply_meta(Cluster& cluster, Resource& resource) {
  const Attributes& meta = resource.meta;
  resource.priority = parse_score(lookup(meta, "priority"));
  resource.critical = !has(meta, "critical") || is_true(lookup(meta, "critical"));
  resource.notify = is_true(lookup(meta, "notify"));
  resource.allow_migrate = is_true(lookup(meta, "allow-migrate"));
  read_management(cluster, resource);
  if (top_of(&resource)->is_clone()) {
    resource.unique = is_true(lookup(meta, "globally-unique"));
    resource.promotable = is_true(lookup(meta, "promotable"));
    if (resource.xml->name == "master") {
      resource.promotable = true;
      resource.meta["promotable"] = "true";
    }
  } else {
    resource.unique = true;
  }
  resource.restart_with_optional = same(lookup(meta, "restart-type"), "restart");
  resource.multiple_active = multiple_active_of(lookup(meta, "multiple-active"));
  resource.stickiness = score_of(resource, "resource-stickiness", 0);
  resource.migration_threshold = score_of(resource, "migration-threshold", infinity);
  if (resource.migration_threshold < 0) resource.migration_threshold = 1;
  if (same(resource.xml->value("class"), "stonith")) {
    cluster.options.fencing_device = true;
    resource.fence_device = true;
  }
  read_requires(cluster, resource);
  resource.failure_timeout = interval_milliseconds(lookup(meta, "failure-timeout", "0")) / 1000;
  Role role = Role::unknown;
  if (target_role(resource, role)) resource.next_role = role;
  Attributes capacity;
  add_pairs(*resource.xml, "utilization", cluster.cib->root(), {.now = cluster.now}, capacity);
  for (const auto& [name, value] : capacity) {
    resource.utilization[name] = static_cast<int>(parse_number(value).value_or(0));
  }
}

// ---- the kinds ----

void make_anonymous(Resource& resource) {
  resource.unique = false;
  resource.meta["globally-unique"] = "false";
  for (Resource* child : resource.children)
    make_anonymous(*child);
}

bool finish_primitive(Cluster& cluster, Resource& resource) {
  const std::string_view standard = resource.xml->value("class");
  Resource* top = top_of(&resource);
  const bool can_be_unique = any_of(standard, {"ocf", "stonith"});
  if (!can_be_unique && resource.unique && top->is_clone()) {
    top->clone_node_max = 1;
    top->clone_max = std::min(top->clone_max, static_cast<int>(cluster.nodes.size()));
    make_anonymous(*top);
    make_anonymous(resource);
  }
  return same(standard, "ocf") || !top->promotable;
}

bool finish_group(Cluster& cluster, Resource& group) {
  const auto set = [&](std::string_view name) {
    return parse_bool(lookup(group.meta, name, "true")).value_or(true);
  };
  group.ordered = set("ordered");
  group.collocated = set("collocated");
  for (const Element& child : group.xml->children) {
    if (child.name != "primitive") continue;
    Resource* member = make_resource(cluster, child, &group, group.instance);
    if (member != nullptr) group.children.push_back(member);
  }
  return true;
}

int count_of(const Resource& resource, std::string_view name, std::string_view old_name,
             int otherwise) {
  std::string_view text = lookup(resource.meta, name);
  if (text.empty()) text = lookup(resource.meta, old_name);
  if (text.empty()) return otherwise;
  constexpr long long most =
      1000;  // far beyond any cluster, so that nobody can make us build millions
  return static_cast<int>(std::clamp(parse_number(text).value_or(0), 0LL, most));
}

bool finish_clone(Cluster& cluster, Resource& clone) {
  if (clone.promotable) {
    clone.promoted_max = count_of(clone, "promoted-max", "master-max", 1);
    clone.promoted_node_max = count_of(clone, "promoted-node-max", "master-node-max", 1);
  }
  clone.clone_node_max = count_of(clone, "clone-node-max", "", 1);
  clone.clone_max =
      count_of(clone, "clone-max", "", std::max(1, static_cast<int>(cluster.nodes.size())));
  clone.ordered = is_true(lookup(clone.meta, "ordered"));
  clone.interleave = is_true(lookup(clone.meta, "interleave"));
  if (!clone.unique && clone.clone_node_max > 1) clone.clone_node_max = 1;
  for (const Element& child : clone.xml->children) {
    if (child.name != "primitive" && child.name != "group") continue;
    clone.child_xml = &child;
    break;
  }
  if (clone.child_xml == nullptr) return false;
  // Instances stay where they are unless something speaks for moving them.
  clone.meta.emplace("resource-stickiness", "1");
  clone.meta.emplace("globally-unique", clone.unique ? "true" : "false");
  for (int i = 0; i < std::max(1, clone.clone_max); ++i) {
    if (make_instance(cluster, clone) == nullptr) return false;
  }
  return true;
}

Resource* make_resource(Cluster& cluster, const Element& xml, Resource* parent, int instance) {
  if (xml.id().empty()) return nullptr;
  const Element* full = without_template(cluster, xml);
  if (full == nullptr) return nullptr;
  Resource& resource = cluster.resource_store.emplace_back();
  resource.xml = full;
  resource.parent = parent;
  resource.instance = instance;
  resource.id = xml.id();
  if (instance >= 0) resource.id += ":" + std::to_string(instance);
  if (const Element* operations = full->child("operations"); operations != nullptr) {
    resource.operations = resolve(*operations, cluster.cib->root());
  }
  if (full->name == "group") resource.kind = Kind::group;
  else if (full->name == "clone" || full->name == "master") resource.kind = Kind::clone;
  else if (full->name != "primitive") return nullptr;
  read_meta(cluster, resource);
  apply_meta(cluster, resource);
  const bool good = resource.kind == Kind::primitive ? finish_primitive(cluster, resource)
                    : resource.kind == Kind::group   ? finish_group(cluster, resource)
                                                     : finish_clone(cluster, resource);
  if (!good) return nullptr;
  if (cluster.options.symmetric) add_location_score(cluster, resource, nullptr, 0);
  return &resource;
}

void mark_orphan(Resource& resource) {
  resource.orphan = true;
  for (Resource* child : resource.children)
    mark_orphan(*child);
}

}  // namespace

Resource* make_instance(Cluster& cluster, Resource& clone) {
  const bool surplus = clone.instances_made >= clone.clone_max;
  Resource* made = make_resource(cluster, *clone.child_xml, &clone, clone.instances_made);
  if (made == nullptr) return nullptr;
  ++clone.instances_made;
  clone.children.push_back(made);
  if (surplus) mark_orphan(*made);
  return made;
}

Resource* make_orphan(Cluster& cluster, const Element& history) {
  Element& xml = cluster.made_elements.emplace_back();
  xml.name = "primitive";
  xml.attributes = history.attributes;
  Resource* made = make_resource(cluster, xml, nullptr, -1);
  if (made == nullptr) return nullptr;
  made->orphan = true;
  cluster.resources.push_back(made);
  return made;
}

Attributes resource_parameters(const Cluster& cluster, const Resource& resource, const Node* node) {
  Attributes parameters;
  const RuleContext context{.now = cluster.now,
                            .node = node == nullptr ? nullptr : &node->attributes};
  const Resource* up = &resource;
  for (; up != nullptr; up = up->parent) {
    add_pairs(*up->xml, "instance_attributes", cluster.cib->root(), context, parameters);
  }
  add_pairs(cluster.cib->section("rsc_defaults"), "instance_attributes", cluster.cib->root(),
            context, parameters);
  return parameters;
}

bool target_role(const Resource& resource, Role& role) {
  const std::string_view word = lookup(resource.meta, "target-role");
  if (word.empty() || any_of(word, {"started", "default"})) return false;
  const Role wanted = parse_role(word);
  if (wanted == Role::unknown) return false;
  // Being promoted is allowed by default; only promotable clones can be kept from it.
  if (wanted > Role::started && (!top_of(&resource)->promotable || wanted > Role::unpromoted))
    return false;
  role = wanted;
  return true;
}

bool is_disabled(const Resource& resource) {
  const Role wanted = parse_role(lookup(resource.meta, "target-role"));
  return wanted == Role::stopped || (wanted == Role::unpromoted && top_of(&resource)->promotable);
}

void read_resources(Cluster& cluster) {
  for (const Element& xml : cluster.cib->section("resources").children) {
    if (xml.name == "template") {
      cluster.templates.try_emplace(std::string(xml.id()));
      continue;
    }
    if (Resource* made = make_resource(cluster, xml, nullptr, -1); made != nullptr) {
      cluster.resources.push_back(made);
    }
  }
  merge_sort(cluster.resources,
             [](const Resource* a, const Resource* b) { return b->priority - a->priority; });
}

}  // namespace ha::policy
