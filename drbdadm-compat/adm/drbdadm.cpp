#include "adm/drbdadm.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "adm/handlers.hpp"
#include "adm/help.hpp"
#include "adm/plan_command.hpp"
#include "adm/verbs.hpp"
#include "config/parser.hpp"
#include "config/usual_place.hpp"

namespace replicator::adm {
namespace {

using config::Config;
using config::LocalVolume;

std::string config_path(const AdmCall& call, Tools& tools) {
  if (!call.config_file.empty()) return call.config_file;
  if (is_handler(call.verb) && !call.targets.empty()) {
    const std::string remembered = tools.remembered_config(call.targets.front());
    if (!remembered.empty()) return remembered;
  }
  return config::usual_place(tools.files());
}

// `drbdadm help [VERB]`; scripts ask by the exit code whether a verb is known.
int help(const AdmCall& call, Console console) {
  const std::string& topic =
      call.verb == "help" && !call.targets.empty() ? call.targets.front() : std::string();
  const Verb* verb = find_verb(topic);
  fmt::print(console.out, "{}", verb == nullptr ? help_text() : help_text(*verb));
  return topic.empty() || verb != nullptr ? 0 : exit_usage;
}

// What keeps this call from being carried out, before anything is read: a message, or nothing.
std::string refusal(const AdmCall& call, const Verb* verb) {
  if (call.verb.empty()) return "try 'drbdadm help'\nNo command specified";
  if (verb == nullptr) return "drbdadm: Unknown command '" + call.verb + "'";
  if (const std::string* word = unknown_option(*verb, call)) {
    return "drbdadm: unrecognized option '" + *word + "'\ntry 'drbdadm help'";
  }
  const bool wants_target =
      verb->target != TargetKind::none && verb->target != TargetKind::optional;
  if (wants_target && call.targets.empty()) {
    return "USAGE: drbdadm " + call.verb +
           " {all|RESOURCE[/VOLUME]|minor-N}...\nNo resource names specified";
  }
  if (call.plan && !can_plan(call.verb)) {
    return "drbdadm: there is no plan for '" + call.verb + "', only for what can harm data";
  }
  return {};
}

// A disk that would wait for one that is not here does not wait.
void tell_of_lost_order(const Locals& locals, std::FILE* err) {
  for (const config::LocalResource& local : locals) {
    if (local.ignored()) continue;
    for (const LocalVolume& volume : local.volumes) {
      const config::Setting* after = volume.options.find("resync-after");
      if (after == nullptr || after->value == "-1" ||
          config::resync_after_minor(locals, after->value)) {
        continue;
      }
      fmt::print(err,
                 "{}: in resource {}:\n\tresource '{}' mentioned in 'resync-after' option is not "
                 "known on this host.\n",
                 config::text(after->place), local.name(), after->value);
      break;
    }
  }
}

// "all" of nothing is more often a mistake than meant.
std::string nothing_at_all(const Verb& verb, const AdmCall& call, const Targets& targets,
                           const Config& config, const std::string& node) {
  if (!targets.list.empty() || call.targets.empty() || verb.target == TargetKind::none ||
      verb.target == TargetKind::optional) {
    return {};
  }
  if (config.resources.empty()) return "no resources defined!";
  return "WARN: no normal resources defined for this host (" + node +
         ")!?\nMisspelled name of the local machine with the 'on' keyword ?";
}

std::string wrong_targets(const Verb& verb, const Targets& targets) {
  if (!targets.problem.empty()) return targets.problem;
  if (verb.target != TargetKind::resource) return {};
  for (const Target& target : targets.list) {
    if (target.volume == nullptr) continue;
    return std::string(verb.name) +
           " operates on whole resources, but you specified a specific volume!";
  }
  return {};
}

int run_target(const Context& context, const Verb& verb, const Target& target) {
  if (verb.each != nullptr) return verb.each(context, target);
  int highest = 0;
  for (const LocalVolume* volume : target.volumes()) {
    const int code = verb.each_volume(context, *target.resource, *volume);
    highest = std::max(highest, code);
    if (code != 0) break;
  }
  return highest;
}

// Who brings a resource up says where its handlers are written.
void remember(const Context& context, const std::vector<Target>& targets) {
  constexpr std::array<std::string_view, 6> verbs_that_bring_up{
      "up", "adjust", "attach", "new-resource", "new-minor", "connect"};
  const std::string& path = context.config_path;
  if (context.runner.dry_run() || path == "-") return;
  if (std::find(verbs_that_bring_up.begin(), verbs_that_bring_up.end(), context.call.verb) ==
      verbs_that_bring_up.end()) {
    return;
  }
  for (const std::string& object : handler_objects(targets))
    context.tools.remember_config(object, context.tools.files().resolve(path));
}

int run_verb(const Context& context, const Verb& verb, const std::vector<Target>& targets) {
  if (verb.all != nullptr) return verb.all(context, targets);
  int highest = 0;
  for (const Target& target : targets) {
    context.runner.announce(target.resource->name());
    const int code = run_target(context, verb, target);
    if (code >= exit_fatal) return code;
    highest = std::max(highest, code);
  }
  return highest;
}

}  // namespace

int run_drbdadm(std::span<const std::string> words, Tools& tools, Console console) {
  const AdmCall call = parse_adm_call(words);
  if (call.version) {
    fmt::print(console.out, "{}", version_text());
    return 0;
  }
  if (call.help || call.verb == "help") return help(call, console);
  if (call.verb == "hidden-commands") {
    fmt::print(console.out, "{}", hidden_commands_text());
    return 0;
  }
  if (!call.problem.empty()) {
    fmt::print(console.err, "{}\n", call.problem);
    return call.problem_code;
  }
  const Verb* verb = find_verb(call.verb);
  const std::string refused = refusal(call, verb);
  if (!refused.empty()) {
    fmt::print(console.err, "{}\n", refused);
    return exit_usage;
  }
  config::Diagnostics diagnostics;
  std::string path = config_path(call, tools);
  // Messages and sh-status name it from anywhere.
  if (path != "-" && !path.starts_with('/')) path = tools.files().resolve(path);
  // What nobody has written down has no handlers.
  const bool asked_by_daemon = is_handler(call.verb) && call.config_file.empty();
  if (asked_by_daemon && !tools.files().read(path)) return 0;
  const Config config = config::load_with(tools.files(), path, call.config_to_test, diagnostics);
  fmt::print(console.err, "{}", diagnostics.text());
  if (diagnostics.failed()) return diagnostics.exit_code();
  const config::HostFacts host = tools.host();
  const Locals locals = config::resolve(config, host, call.peer);
  tell_of_lost_order(locals, console.err);
  if (verb->target == TargetKind::none && !call.targets.empty()) {
    fmt::print(console.err, "This command will ignore resource names!\n");
  }
  Targets targets;
  if (verb->target != TargetKind::none) targets = select_targets(call.targets, locals);
  std::string wrong = wrong_targets(*verb, targets);
  if (wrong.empty()) wrong = nothing_at_all(*verb, call, targets, config, host.node_name);
  if (!wrong.empty()) {
    if (asked_by_daemon) return 0;
    fmt::print(console.err, "{}\n", wrong);
    return exit_usage;
  }
  StepRunner runner(tools, console, call.dry_run, call.verbose > 0, call.variable);
  const Context context{call, tools, runner, config, locals, host, console, path};
  if (call.plan) return print_plans(context, targets.list);
  remember(context, targets.list);
  return run_verb(context, *verb, targets.list);
}

}  // namespace replicator::adm
