#include "adm/verbs.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "adm/bring_up.hpp"
#include "adm/handlers.hpp"
#include "adm/queries.hpp"
#include "adm/usable.hpp"
#include "adm/wait_interactive.hpp"
#include "command/setup_call.hpp"
#include "control/option_table.hpp"

namespace replicator::adm {
namespace {

using config::LocalResource;
using config::LocalVolume;

Step with_passed(const Context& context, Step step) {
  const std::vector<std::string>& passed = context.call.passed;
  step.arguments.insert(step.arguments.end(), passed.begin(), passed.end());
  const std::vector<std::string>& verbatim = context.call.verbatim;
  step.arguments.insert(step.arguments.end(), verbatim.begin(), verbatim.end());
  return step;
}

// `drbdsetup VERB MINOR`.
int on_minor(const Context& context, const LocalResource& /*resource*/, const LocalVolume& volume) {
  return context.runner.run(with_passed(context, minor_step(context.call.verb, volume)));
}

// `drbdmeta … VERB`.
int on_metadata(const Context& context, const LocalResource& resource, const LocalVolume& volume) {
  if (volume.diskless()) {
    fmt::print(context.console.err, "{}/{}: disk is 'none', it has no meta data\n", resource.name(),
               volume.number);
    return exit_usage;
  }
  return context.runner.run(with_passed(context, metadata_step(context.call.verb, volume)));
}

// New meta data get a random device identifier, so that a disk can be told from its copy.
int verb_create_md(const Context& context, const LocalResource& resource,
                   const LocalVolume& volume) {
  const int code = on_metadata(context, resource, volume);
  if (code != 0 || volume.diskless() || context.runner.dry_run()) return code;
  Step step = metadata_step("write-dev-uuid", volume);
  step.arguments.push_back(context.tools.random_identifier());
  return context.runner.run(step);
}

bool configured(const Context& context, const LocalVolume& volume, bool with_disk) {
  if (context.runner.dry_run()) return true;
  for (const control::ResourceShow& resource : context.tools.running()) {
    for (const control::VolumeShow& running : resource.volumes) {
      if (running.minor == volume.minor) return !with_disk || running.backing.has_value();
    }
  }
  return false;
}

// On the running device, or in the meta data of one that is not up.
int on_device_or_metadata(const Context& context, const LocalResource& resource,
                          const LocalVolume& volume) {
  return configured(context, volume, true) ? on_minor(context, resource, volume)
                                           : on_metadata(context, resource, volume);
}

int verb_dstate(const Context& context, const LocalResource& resource, const LocalVolume& volume) {
  if (configured(context, volume, false)) return on_minor(context, resource, volume);
  const int code = on_metadata(context, resource, volume);
  if (code == 0 && !context.runner.dry_run()) {
    fmt::print(context.console.err, "{}/{} is not up; this is what its meta data say\n",
               resource.name(), volume.number);
  }
  return code;
}

int verb_attach(const Context& context, const LocalResource& /*resource*/,
                const LocalVolume& volume) {
  if (volume.diskless()) return 0;
  const int code = context.runner.run(metadata_step("apply-al", volume));
  if (code != 0) return code;
  return context.runner.run(with_passed(context, attach_step(volume, context.locals)));
}

int verb_new_minor(const Context& context, const LocalResource& resource,
                   const LocalVolume& volume) {
  return context.runner.run(new_minor_step(resource, volume));
}

// Options that are given are set beside those that run; without any, those of the file hold again.
int apply_options(const Context& context, Step from_file, std::size_t objects) {
  if (context.call.passed.empty() && context.call.verbatim.empty()) {
    return context.runner.run(from_file);
  }
  from_file.arguments.resize(1 + objects);
  return context.runner.run(with_passed(context, std::move(from_file)));
}

int verb_disk_options(const Context& context, const LocalResource& /*resource*/,
                      const LocalVolume& volume) {
  return apply_options(context, disk_options_step(volume, context.locals), 1);
}

int verb_resize(const Context& context, const LocalResource& /*resource*/,
                const LocalVolume& volume) {
  std::vector<Step> steps = resize_steps(volume);
  steps.front() = with_passed(context, std::move(steps.front()));
  return context.runner.run(steps);
}

// `both`, or host names.
bool names_host(std::string_view words, std::string_view node) {
  while (!words.empty()) {
    const std::size_t blank = std::min(words.find(' '), words.size());
    const std::string_view word = words.substr(0, blank);
    if (word == "both" || config::same_host(word, node)) return true;
    words.remove_prefix(std::min(blank + 1, words.size()));
  }
  return false;
}

bool names_all(const AdmCall& call) {
  return std::find(call.targets.begin(), call.targets.end(), "all") != call.targets.end();
}

// What a boot script asks for: the nodes that `become-primary-on` names become Primary.
int verb_sh_b_pri(const Context& context, const Target& target) {
  const config::Setting* setting = target.resource->startup.find("become-primary-on");
  if (setting == nullptr || !names_host(setting->value, context.host.node_name)) return 0;
  int highest = 0;
  for (const LocalVolume* volume : target.volumes())
    highest = std::max(highest, context.runner.run(minor_step("primary", *volume)));
  return highest;
}

// A generation of one volume is of no use to another.
int verb_new_current_uuid(const Context& context, const Target& target) {
  const LocalResource& resource = *target.resource;
  if (target.volume == nullptr && resource.volumes.size() > 1 && !names_all(context.call)) {
    fmt::print(context.console.err,
               "new-current-uuid requires a specific volume id, but none is specified.\n"
               "Try 'new-current-uuid minor-<minor_number>' or 'new-current-uuid {}/<vnr>'\n",
               resource.name());
    return exit_usage;
  }
  int highest = 0;
  for (const LocalVolume* volume : target.volumes())
    highest = std::max(highest, on_minor(context, resource, *volume));
  return highest;
}

const char* refusal_of(std::string_view verb) {
  if (verb.starts_with("proxy-")) {
    return "DRBD Proxy is not supported; protocol A with on-congestion pull-ahead serves slow "
           "links";
  }
  return "a resource has one peer, as in DRBD 8.4; use connect, disconnect and adjust";
}

int verb_refused(const Context& context, const Target& /*target*/) {
  fmt::print(context.console.err, "drbdadm {}: {}\n", context.call.verb,
             refusal_of(context.call.verb));
  return exit_usage;
}

int verb_wait(const Context& context, const LocalResource& resource, const LocalVolume& volume) {
  return context.runner.run(with_passed(context, wait_step(context.call.verb, resource, volume)));
}

int verb_connect(const Context& context, const Target& target) {
  if (!can_connect(context, *target.resource)) return exit_config;
  return context.runner.run(with_passed(context, connect_step(*target.resource, context.locals)));
}

// One that is not connected has what was asked for.
bool already_disconnected(const Context& context, const LocalResource& resource) {
  if (context.runner.dry_run()) return false;
  for (const control::ResourceShow& running : context.tools.running()) {
    if (running.name == resource.name()) return !running.has_connection;
  }
  return false;
}

int verb_disconnect(const Context& context, const Target& target) {
  if (!usable(context, *target.resource)) return exit_config;
  if (already_disconnected(context, *target.resource)) return 0;
  return context.runner.run(with_passed(context, disconnect_step(*target.resource)));
}

int verb_net_options(const Context& context, const Target& target) {
  if (!usable(context, *target.resource)) return exit_config;
  return apply_options(context, net_options_step(*target.resource, context.locals), 2);
}

int verb_resource_options(const Context& context, const Target& target) {
  return apply_options(context, resource_options_step(*target.resource, context.locals), 1);
}

int verb_new_resource(const Context& context, const Target& target) {
  return context.runner.run(new_resource_step(*target.resource, context.locals));
}

int sh_status_of(const Context& context, const std::vector<Target>& /*targets*/) {
  int highest = 0;
  fmt::print(context.console.out, "_drbd_version=8.4.11\n_drbd_api=1\n_config_file={}\n\n\n",
             shell_word(context.config_path));
  for (const LocalResource& local : context.locals) {
    if (local.ignored()) continue;
    const config::Resource& resource = *local.resource;
    fmt::print(context.console.out,
               "_conf_res_name={}\n_conf_file_line={}:{}\n\n_stacked_on=\n_stacked_on_device=\n"
               "_stacked_on_minor=\n",
               local.name(), shell_word(resource.file), resource.place.line);
    for (const LocalVolume& volume : local.volumes) {
      fmt::print(context.console.out, "_conf_volume={}\n", volume.number);
      std::fflush(context.console.out);
      highest = std::max(highest, context.runner.run(minor_step("sh-status", volume)));
    }
  }
  return highest;
}

int status_of(const Context& context, const std::vector<Target>& targets) {
  if (context.call.targets.empty()) {
    return context.runner.run(
        with_passed(context, Step{Tool::drbdsetup, {context.call.verb, "all"}}));
  }
  int highest = 0;
  for (const Target& target : targets) {
    const Step step{Tool::drbdsetup, {context.call.verb, target.resource->name()}};
    const int code = context.runner.run(with_passed(context, step));
    if (code >= exit_fatal) return code;
    highest = std::max(highest, code);
  }
  return highest;
}

constexpr std::string_view create_options =
    "force peer-max-bio-size al-stripes al-stripe-size-kB ignore-sanity-checks";

using enum TargetKind;
constexpr Verb table[] = {
    {.name = "up", .target = resource, .options = "", .all = verb_up},
    {.name = "down", .target = resource, .options = "", .each = verb_down},
    {.name = "adjust",
     .target = resource_once,
     .options = "skip-disk skip-net",
     .all = verb_adjust},
    {.name = "adjust-with-progress",
     .target = resource_once,
     .options = "skip-disk skip-net",
     .all = verb_adjust_with_progress},
    {.name = "attach", .each_volume = verb_attach},
    {.name = "detach", .each_volume = on_minor},
    {.name = "connect", .target = resource_once, .each = verb_connect},
    {.name = "disconnect", .target = resource_once, .each = verb_disconnect},
    {.name = "new-resource", .target = resource, .options = "", .each = verb_new_resource},
    {.name = "new-minor", .options = "", .each_volume = verb_new_minor},
    {.name = "sh-new-minor", .options = "", .each_volume = verb_new_minor},
    {.name = "del-minor", .each_volume = on_minor},
    {.name = "primary", .options = "force overwrite-data-of-peer o", .each_volume = on_minor},
    {.name = "secondary", .each_volume = on_minor},
    {.name = "invalidate", .each_volume = on_device_or_metadata},
    {.name = "invalidate-remote", .each_volume = on_minor},
    {.name = "outdate", .each_volume = on_device_or_metadata},
    {.name = "verify", .each_volume = on_minor},
    {.name = "pause-sync", .each_volume = on_minor},
    {.name = "resume-sync", .each_volume = on_minor},
    {.name = "suspend-io", .each_volume = on_minor},
    {.name = "resume-io", .each_volume = on_minor},
    {.name = "resize", .each_volume = verb_resize},
    {.name = "check-resize", .each_volume = on_metadata},
    {.name = "new-current-uuid", .target = volume, .each = verb_new_current_uuid},
    {.name = "disk-options", .each_volume = verb_disk_options},
    {.name = "syncer", .options = "", .each_volume = verb_disk_options},
    {.name = "peer-device-options", .options = "=disk-options", .each_volume = verb_disk_options},
    {.name = "net-options", .target = resource_once, .each = verb_net_options},
    {.name = "resource-options", .target = resource_once, .each = verb_resource_options},
    {.name = "create-md", .options = create_options, .each_volume = verb_create_md},
    {.name = "dump-md", .options = "force", .each_volume = on_metadata},
    {.name = "apply-al", .options = "force", .each_volume = on_metadata},
    {.name = "set-gi", .options = "force", .each_volume = on_metadata},
    {.name = "wipe-md", .options = "force", .each_volume = on_metadata},
    {.name = "show-gi", .options = "", .each_volume = on_device_or_metadata},
    {.name = "get-gi", .options = "", .each_volume = on_device_or_metadata},
    {.name = "role", .each_volume = on_minor},
    {.name = "state", .each_volume = on_minor},
    {.name = "cstate", .each_volume = on_minor},
    {.name = "dstate", .each_volume = verb_dstate},
    {.name = "status", .target = optional, .all = status_of},
    {.name = "sh-status", .target = none, .options = "", .all = sh_status_of},
    {.name = "wait-connect", .each_volume = verb_wait},
    {.name = "wait-sync", .each_volume = verb_wait},
    {.name = "wait-con-int", .target = none, .options = "=wait-connect", .all = verb_wait_con_int},
    {.name = "before-resync-target", .target = resource_once, .options = "", .each = verb_handler},
    {.name = "after-resync-target", .target = resource_once, .options = "", .each = verb_handler},
    {.name = "before-resync-source", .target = resource_once, .options = "", .each = verb_handler},
    {.name = "pri-on-incon-degr", .target = resource_once, .options = "", .each = verb_handler},
    {.name = "pri-lost-after-sb", .target = resource_once, .options = "", .each = verb_handler},
    {.name = "pri-lost", .target = resource_once, .options = "", .each = verb_handler},
    {.name = "fence-peer", .target = resource_once, .options = "", .each = verb_handler},
    {.name = "outdate-peer", .target = resource_once, .options = "", .each = verb_handler},
    {.name = "unfence-peer", .target = resource_once, .options = "", .each = verb_handler},
    {.name = "local-io-error", .target = resource_once, .options = "", .each = verb_handler},
    {.name = "initial-split-brain", .target = resource_once, .options = "", .each = verb_handler},
    {.name = "split-brain", .target = resource_once, .options = "", .each = verb_handler},
    {.name = "out-of-sync", .target = resource_once, .options = "", .each = verb_handler},
    {.name = "dump", .target = optional, .options = "", .all = verb_dump},
    {.name = "dump-xml", .target = optional, .options = "", .all = verb_dump_xml},
    {.name = "sh-nop", .target = none, .options = "", .all = verb_sh_nop},
    {.name = "sh-resources", .target = none, .options = "", .all = verb_sh_resources},
    {.name = "sh-mod-parms", .target = none, .options = "", .all = verb_sh_mod_parms},
    {.name = "sh-resource", .target = resource_once, .options = "", .each = verb_sh_resource},
    {.name = "sh-b-pri", .target = resource_once, .options = "", .each = verb_sh_b_pri},
    {.name = "sh-ip", .options = "", .each_volume = verb_sh_ip},
    {.name = "sh-lr-of", .target = resource_once, .options = "", .each = verb_sh_lr_of},
    {.name = "sh-dev", .options = "", .each_volume = verb_sh_dev},
    {.name = "sh-minor", .options = "", .each_volume = verb_sh_minor},
    {.name = "sh-ll-dev", .options = "", .each_volume = verb_sh_ll_dev},
    {.name = "sh-md-dev", .options = "", .each_volume = verb_sh_md_dev},
    {.name = "sh-md-idx", .options = "", .each_volume = verb_sh_md_idx},
    {.name = "sh-udev", .options = "", .each_volume = verb_sh_udev},
    {.name = "proxy-up", .target = resource_once, .options = "", .each = verb_refused},
    {.name = "proxy-down", .target = resource_once, .options = "", .each = verb_refused},
    {.name = "new-peer", .target = resource_once, .options = "", .each = verb_refused},
    {.name = "del-peer", .target = resource_once, .options = "", .each = verb_refused},
    {.name = "new-path", .target = resource_once, .options = "", .each = verb_refused},
    {.name = "del-path", .target = resource_once, .options = "", .each = verb_refused},
    {.name = "forget-peer", .target = resource_once, .options = "", .each = verb_refused}};

bool is_word_of(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t blank = std::min(words.find(' '), words.size());
    if (words.substr(0, blank) == word) return true;
    words.remove_prefix(std::min(blank + 1, words.size()));
  }
  return false;
}

bool accepts(const Verb& verb, std::string_view name) {
  const bool other = verb.options.starts_with('=');
  if (verb.options != "@" && !other) return is_word_of(verb.options, name);
  const command::SetupCommand* command =
      command::find_setup_command(other ? verb.options.substr(1) : verb.name);
  if (command == nullptr) return false;
  if (std::find(command->flags.begin(), command->flags.end(), name) != command->flags.end()) {
    return true;
  }
  return command->section != control::OptionSection::global &&
         control::find_option(command->section, name) != nullptr;
}

}  // namespace

std::span<const Verb> verbs() noexcept { return table; }

const Verb* find_verb(std::string_view name) noexcept {
  for (const Verb& verb : table) {
    if (verb.name == name) return &verb;
  }
  return nullptr;
}

std::vector<std::string> options_of(const Verb& verb) {
  std::vector<std::string> options;
  const bool other = verb.options.starts_with('=');
  if (verb.options != "@" && !other) {
    for (std::string_view words = verb.options; !words.empty();) {
      const std::size_t blank = std::min(words.find(' '), words.size());
      if (blank > 1) options.emplace_back(words.substr(0, blank));  // letters are of 8.3
      words.remove_prefix(std::min(blank + 1, words.size()));
    }
    return options;
  }
  const command::SetupCommand* command =
      command::find_setup_command(other ? verb.options.substr(1) : verb.name);
  if (command == nullptr) return options;
  for (const auto& [name, value] : command::options_of(*command))
    options.push_back(name + value);
  return options;
}

const std::string* unknown_option(const Verb& verb, const AdmCall& call) {
  for (const std::string& word : call.passed) {
    if (!word.starts_with('-')) continue;  // a value
    const std::size_t begin = std::min(word.find_first_not_of('-'), word.size());
    const std::string_view name = std::string_view(word).substr(begin, word.find('=') - begin);
    if (!accepts(verb, name)) return &word;
  }
  return nullptr;
}

}  // namespace replicator::adm
