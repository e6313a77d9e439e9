#include "adm/plan_command.hpp"

#include <fmt/core.h>

#include "adm/adjust.hpp"
#include "adm/usable.hpp"
#include "control/option_table.hpp"

namespace replicator::adm {
namespace {

// Of the options that are passed on: "--name", "--name=value".
std::optional<std::string> passed(const AdmCall& call, std::string_view name) {
  for (const std::string& word : call.passed) {
    const std::string_view text =
        std::string_view(word).substr(std::min(word.find_first_not_of('-'), word.size()));
    if (text.substr(0, text.find('=')) != name) continue;
    const std::size_t equals = word.find('=');
    return equals == std::string::npos ? std::string("yes") : word.substr(equals + 1);
  }
  return std::nullopt;
}

bool has(const AdmCall& call, std::string_view name) {
  return passed(call, name).value_or("no") != "no";
}

PlanRequest request_of(const Context& context, const Target& target) {
  const AdmCall& call = context.call;
  PlanRequest request;
  request.verb = call.verb;
  for (const config::LocalVolume* volume : target.volumes())
    request.volumes.push_back(volume->number);
  request.force = has(call, "force") || has(call, "overwrite-data-of-peer") || has(call, "o");
  request.discard_my_data = has(call, "discard-my-data");
  request.assume_clean = has(call, "assume-clean");
  const std::optional<std::string> size = passed(call, "size");
  DiskOptions options;
  if (size && !control::apply_options({{"size", *size}}, options))
    request.size_kib = options.size_sectors / 2;
  return request;
}

template <class Item>
const Item* find(const std::vector<Item>& items, const std::string& name) {
  for (const Item& item : items) {
    if (item.name == name) return &item;
  }
  return nullptr;
}

bool looks_at_disks(std::string_view verb) { return verb == "create-md" || verb == "resize"; }

}  // namespace

int print_plans(const Context& context, const std::vector<Target>& targets) {
  const std::vector<ResourceStatus> status = context.tools.status();
  const std::vector<control::ResourceShow> shown = context.tools.running();
  for (const Target& target : targets) {
    const config::LocalResource& resource = *target.resource;
    if (!usable(context, resource)) return exit_config;
    PlanFacts facts;
    facts.node = context.host.node_name;
    facts.resource = resource.name();
    if (!resource.peer_name.empty()) facts.peer = resource.peer_name;
    facts.status = find(status, resource.name());
    facts.shown = find(shown, resource.name());
    for (const config::LocalVolume* volume : target.volumes()) {
      if (!looks_at_disks(context.call.verb) || volume->diskless()) continue;
      facts.disks[volume->number] = context.tools.look_at_disk(*volume);
    }
    if (context.call.verb == "adjust") {
      const AdjustOptions options{has(context.call, "skip-disk"), has(context.call, "skip-net")};
      Adjustment wanted = adjust(resource, context.locals, facts.shown, options);
      for (const Stage stage : all_stages)
        facts.steps.insert(facts.steps.end(), wanted.of(stage).begin(), wanted.of(stage).end());
      facts.reasons = std::move(wanted.reasons);
    }
    fmt::print(context.console.out, "{}", plan_text(request_of(context, target), facts));
  }
  return 0;
}

}  // namespace replicator::adm
