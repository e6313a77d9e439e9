#include "adm/bring_up.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "adm/adjust.hpp"
#include "adm/usable.hpp"

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

bool is_up(const ResourceShow& running) {
  const auto attached = [](const control::VolumeShow& volume) {
    return volume.backing.has_value();
  };
  return running.has_connection ||
         std::any_of(running.volumes.begin(), running.volumes.end(), attached);
}

bool has_volume(const ResourceShow& running, std::uint32_t number) {
  return std::any_of(running.volumes.begin(), running.volumes.end(),
                     [&](const control::VolumeShow& volume) { return volume.volume == number; });
}

// One resource on its way through the stages, which all resources go through together.
struct Plan {
  const LocalResource* resource = nullptr;
  Adjustment work;
  bool already_up = false;
  int code = 0;
};

Plan plan_up(const LocalResource& resource, const Locals& all, const ResourceShow* running) {
  Plan plan;
  plan.resource = &resource;
  plan.already_up = running != nullptr && is_up(*running);
  if (running == nullptr) plan.work.of(Stage::create).push_back(new_resource_step(resource, all));
  for (const LocalVolume& volume : resource.volumes) {
    if (running == nullptr || !has_volume(*running, volume.number)) {
      plan.work.of(Stage::create).push_back(new_minor_step(resource, volume));
    }
    if (volume.diskless()) continue;
    plan.work.of(Stage::attach).push_back(metadata_step("apply-al", volume));
    plan.work.of(Stage::attach).push_back(attach_step(volume, all));
  }
  plan.work.of(Stage::connect).push_back(connect_step(resource, all));
  return plan;
}

// What the tool for meta data refuses is not a failure of the driver: scripts know it by code 1.
int code_of(const Step& step, int code) {
  return code != 0 && step.tool == Tool::drbdmeta ? exit_usage : code;
}

void run_stage(const Context& context, Plan& plan, Stage stage) {
  context.runner.announce(plan.resource->name());
  for (const Step& step : plan.work.of(stage)) {
    if (plan.code != 0) return;
    plan.code = code_of(step, context.runner.run(step));
  }
}

// Stops at once when a tool could not be run; otherwise a resource that fails is left where it is,
// and the others go on.
int run_stages(const Context& context, std::vector<Plan>& plans) {
  int highest = 0;
  for (const Stage stage : all_stages) {
    for (Plan& plan : plans) {
      run_stage(context, plan, stage);
      if (plan.code >= exit_fatal) return plan.code;
    }
  }
  for (const Plan& plan : plans)
    highest = std::max(highest, plan.code);
  return highest;
}

AdjustOptions adjust_options(const AdmCall& call) {
  AdjustOptions options;
  for (const std::string& word : call.passed) {
    options.skip_disk |= word == "--skip-disk";
    options.skip_net |= word == "--skip-net";
  }
  return options;
}

// Resources that cannot run here are told of and left out.
std::vector<Plan> plan_adjust(const Context& context, const std::vector<Target>& targets,
                              int& code) {
  const std::vector<ResourceShow> running = context.tools.running();
  const AdjustOptions options = adjust_options(context.call);
  std::vector<Plan> plans;
  for (const Target& target : targets) {
    const LocalResource& resource = *target.resource;
    if (!(options.skip_net ? usable(context, resource) : can_connect(context, resource))) {
      code = exit_config;
      continue;
    }
    Plan plan;
    plan.resource = &resource;
    plan.work = adjust(resource, context.locals, find(running, resource.name()), options);
    if (context.call.verbose >= 3) {
      for (const std::string& line : plan.work.reasons)
        fmt::print(context.console.out, "{}: {}\n", resource.name(), line);
    }
    plans.push_back(std::move(plan));
  }
  return plans;
}

// One line for each stage in which there is something to do, as the init script shows it.
struct Progress {
  Stage stage;
  const char* words;
};
constexpr std::array progress_lines{
    Progress{Stage::release, "release"},           Progress{Stage::create, "create res"},
    Progress{Stage::devices, "prepare disk"},      Progress{Stage::disks, "adjust disk options"},
    Progress{Stage::attach, "adjust disk"},        Progress{Stage::net_options, "adjust net"},
    Progress{Stage::connect, "attempt to connect"}};

// "r0:failed(attach:10)": the step and its code.
std::string failure_text(const Plan& plan, Stage stage, std::size_t step) {
  return plan.resource->name() + ":failed(" + plan.work.of(stage)[step].verb() + ":" +
         std::to_string(plan.code) + ")";
}

std::string run_showing(const Context& context, Plan& plan, Stage stage) {
  const std::vector<Step>& steps = plan.work.of(stage);
  if (steps.empty() || plan.code != 0) return {};
  context.runner.announce(plan.resource->name());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    plan.code = code_of(steps[i], context.runner.run(steps[i]));
    if (plan.code != 0) return " " + failure_text(plan, stage, i);
  }
  return " " + plan.resource->name();
}

}  // namespace

int verb_up(const Context& context, const std::vector<Target>& targets) {
  std::vector<ResourceShow> running;
  if (!context.runner.dry_run()) running = context.tools.running();
  std::vector<Plan> plans;
  int highest = 0;
  for (const Target& target : targets) {
    if (!can_connect(context, *target.resource)) {
      highest = std::max(highest, exit_config);
      continue;
    }
    plans.push_back(
        plan_up(*target.resource, context.locals, find(running, target.resource->name())));
  }
  highest = std::max(highest, run_stages(context, plans));
  for (const Plan& plan : plans) {
    if (plan.code == 0 || !plan.already_up) continue;
    highest = std::max(highest, exit_config);
    fmt::print(context.console.err, "{0}: already up; use 'drbdadm adjust {0}'\n",
               plan.resource->name());
  }
  return highest;
}

int verb_adjust(const Context& context, const std::vector<Target>& targets) {
  int code = 0;
  std::vector<Plan> plans = plan_adjust(context, targets, code);
  return std::max(code, run_stages(context, plans));
}

// For the console of a machine that boots: what failed is told here and does not keep the others,
// nor the boot, from going on.
int verb_adjust_with_progress(const Context& context, const std::vector<Target>& targets) {
  if (context.runner.dry_run()) return verb_adjust(context, targets);
  int code = 0;
  std::vector<Plan> plans = plan_adjust(context, targets, code);
  std::string shown;
  for (const Progress& line : progress_lines) {
    std::string names;
    for (Plan& plan : plans)
      names += run_showing(context, plan, line.stage);
    if (names.empty()) continue;
    fmt::print(context.console.out, "{}\n     {}:{}", shown.empty() ? "[" : "", line.words, names);
    std::fflush(context.console.out);
    shown = names;
  }
  if (!shown.empty()) fmt::print(context.console.out, "\n]\n");
  return 0;
}

int verb_down(const Context& context, const Target& target) {
  return context.runner.run(Step{Tool::drbdsetup, {"down", target.resource->name()}});
}

}  // namespace replicator::adm
