#include "adm/bring_up.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "adm/adjust.hpp"

namespace replicator::adm {
namespace {

using config::LocalResource;
using config::LocalVolume;
using control::ResourceShow;

const ResourceShow* find(const std::vector<ResourceShow>& running, const std::string& name) {
  for (const ResourceShow& resource : running) {
    if (resource.name == name) return &resource;
  }
  return nullptr;
}

bool has_volume(const ResourceShow& running, std::uint32_t number) {
  return std::any_of(running.volumes.begin(), running.volumes.end(),
                     [&](const control::VolumeShow& volume) { return volume.volume == number; });
}

bool is_up(const ResourceShow& running) {
  const auto attached = [](const control::VolumeShow& volume) {
    return volume.backing.has_value();
  };
  return running.has_connection ||
         std::any_of(running.volumes.begin(), running.volumes.end(), attached);
}

// Devices exist before any option refers to them (resync-after), hence the stages.
struct UpPlan {
  const LocalResource* resource = nullptr;
  std::vector<Step> create;
  std::vector<Step> attach;
  std::vector<Step> connect;
  bool already_up = false;
  int code = 0;
};

UpPlan plan_up(const LocalResource& resource, const Locals& all, const ResourceShow* running) {
  UpPlan plan;
  plan.resource = &resource;
  plan.already_up = running != nullptr && is_up(*running);
  if (running == nullptr) plan.create.push_back(new_resource_step(resource, all));
  for (const LocalVolume& volume : resource.volumes) {
    if (running == nullptr || !has_volume(*running, volume.number)) {
      plan.create.push_back(new_minor_step(resource, volume));
    }
    if (volume.diskless()) continue;
    plan.attach.push_back(metadata_step("apply-al", volume));
    plan.attach.push_back(attach_step(volume, all));
  }
  plan.connect.push_back(connect_step(resource, all));
  return plan;
}

bool usable(const Context& context, const LocalResource& resource) {
  const std::string reason = config::unusable_because(resource);
  if (reason.empty()) return true;
  fmt::print(context.console.err, "{}: resource {}: {}\n", config::text(resource.resource->place),
             resource.name(), reason);
  return false;
}

void run_stage(const Context& context, UpPlan& plan, const std::vector<Step>& steps) {
  for (const Step& step : steps) {
    if (plan.code != 0) return;
    plan.code = context.runner.run(step);
    // What the tool for meta data refuses is not a failure of the driver: scripts know it by
    // code 1.
    if (plan.code != 0 && step.tool == Tool::drbdmeta) plan.code = exit_usage;
  }
}

}  // namespace

int verb_up(const Context& context, const std::vector<Target>& targets) {
  std::vector<ResourceShow> running;
  if (!context.runner.dry_run()) running = context.tools.running();
  std::vector<UpPlan> plans;
  int highest = 0;
  for (const Target& target : targets) {
    if (!usable(context, *target.resource)) {
      highest = std::max(highest, exit_config);
      continue;
    }
    plans.push_back(
        plan_up(*target.resource, context.locals, find(running, target.resource->name())));
  }
  for (std::vector<Step> UpPlan::* stage : {&UpPlan::create, &UpPlan::attach, &UpPlan::connect}) {
    for (UpPlan& plan : plans) {
      run_stage(context, plan, plan.*stage);
      if (plan.code >= exit_fatal) return plan.code;
    }
  }
  for (const UpPlan& plan : plans) {
    highest = std::max(highest, plan.code);
    if (plan.code == 0 || !plan.already_up) continue;
    fmt::print(context.console.err, "{0}: already up; use 'drbdadm adjust {0}'\n",
               plan.resource->name());
  }
  return highest;
}

int verb_down(const Context& context, const Target& target) {
  return context.runner.run(Step{Tool::drbdsetup, {"down", target.resource->name()}});
}

int verb_adjust(const Context& context, const Target& target) {
  if (!usable(context, *target.resource)) return exit_config;
  AdjustOptions options;
  for (const std::string& word : context.call.passed) {
    options.skip_disk |= word == "--skip-disk";
    options.skip_net |= word == "--skip-net";
  }
  const std::vector<ResourceShow> running = context.tools.running();
  const Adjustment adjustment =
      adjust(*target.resource, context.locals, find(running, target.resource->name()), options);
  if (context.call.verbose >= 3) {
    for (const std::string& line : adjustment.reasons) {
      fmt::print(context.console.out, "{}: {}\n", target.resource->name(), line);
    }
  }
  return context.runner.run(adjustment.steps);
}

}  // namespace replicator::adm
