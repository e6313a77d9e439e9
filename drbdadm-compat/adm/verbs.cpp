#include "adm/verbs.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "adm/bring_up.hpp"
#include "adm/handlers.hpp"
#include "adm/queries.hpp"
#include "command/setup_call.hpp"
#include "control/option_table.hpp"

namespace replicator::adm {
namespace {

using config::LocalResource;
using config::LocalVolume;

Step with_passed(const Context& context, Step step) {
  const std::vector<std::string>& passed = context.call.passed;
  step.arguments.insert(step.arguments.end(), passed.begin(), passed.end());
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
  return configured(context, volume, false) ? on_minor(context, resource, volume)
                                            : on_metadata(context, resource, volume);
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

int verb_disk_options(const Context& context, const LocalResource& /*resource*/,
                      const LocalVolume& volume) {
  return context.runner.run(with_passed(context, disk_options_step(volume, context.locals)));
}

// The configured size again, unless another one is asked for; then the meta data, which may have
// moved, is found at its new place from now on.
int verb_resize(const Context& context, const LocalResource& /*resource*/,
                const LocalVolume& volume) {
  Step step = minor_step("resize", volume);
  const config::Setting* size = volume.options.find("size");
  if (size != nullptr) step.arguments.push_back("--size=" + size->value);
  const int code = context.runner.run(with_passed(context, std::move(step)));
  if (code != 0 || volume.diskless()) return code;
  return context.runner.run(metadata_step("check-resize", volume));
}

int verb_wait(const Context& context, const LocalResource& resource, const LocalVolume& volume) {
  return context.runner.run(with_passed(context, wait_step(context.call.verb, resource, volume)));
}

bool has_addresses(const Context& context, const LocalResource& resource) {
  const std::string reason = config::unusable_because(resource);
  if (reason.empty()) return true;
  fmt::print(context.console.err, "{}: resource {}: {}\n", config::text(resource.resource->place),
             resource.name(), reason);
  return false;
}

int verb_connect(const Context& context, const Target& target) {
  if (!has_addresses(context, *target.resource)) return exit_config;
  return context.runner.run(with_passed(context, connect_step(*target.resource, context.locals)));
}

int verb_disconnect(const Context& context, const Target& target) {
  if (!has_addresses(context, *target.resource)) return exit_config;
  return context.runner.run(with_passed(context, disconnect_step(*target.resource)));
}

int verb_net_options(const Context& context, const Target& target) {
  if (!has_addresses(context, *target.resource)) return exit_config;
  return context.runner.run(
      with_passed(context, net_options_step(*target.resource, context.locals)));
}

int verb_resource_options(const Context& context, const Target& target) {
  return context.runner.run(
      with_passed(context, resource_options_step(*target.resource, context.locals)));
}

int verb_new_resource(const Context& context, const Target& target) {
  return context.runner.run(new_resource_step(*target.resource, context.locals));
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
     .each = verb_adjust},
    {.name = "attach", .each_volume = verb_attach},
    {.name = "detach", .each_volume = on_minor},
    {.name = "connect", .target = resource_once, .each = verb_connect},
    {.name = "disconnect", .target = resource_once, .each = verb_disconnect},
    {.name = "new-resource", .target = resource, .options = "", .each = verb_new_resource},
    {.name = "new-minor", .options = "", .each_volume = verb_new_minor},
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
    {.name = "new-current-uuid", .each_volume = on_minor},
    {.name = "disk-options", .each_volume = verb_disk_options},
    {.name = "syncer", .options = "", .each_volume = verb_disk_options},
    {.name = "net-options", .target = resource_once, .each = verb_net_options},
    {.name = "resource-options", .target = resource_once, .each = verb_resource_options},
    {.name = "create-md", .options = create_options, .each_volume = verb_create_md},
    {.name = "dump-md", .options = "force", .each_volume = on_metadata},
    {.name = "apply-al", .options = "force", .each_volume = on_metadata},
    {.name = "wipe-md", .options = "force", .each_volume = on_metadata},
    {.name = "show-gi", .options = "", .each_volume = on_device_or_metadata},
    {.name = "get-gi", .options = "", .each_volume = on_device_or_metadata},
    {.name = "role", .each_volume = on_minor},
    {.name = "state", .each_volume = on_minor},
    {.name = "cstate", .each_volume = on_minor},
    {.name = "dstate", .each_volume = verb_dstate},
    {.name = "status", .target = optional, .all = status_of},
    {.name = "sh-status", .target = optional, .all = status_of},
    {.name = "wait-connect", .each_volume = verb_wait},
    {.name = "wait-sync", .each_volume = verb_wait},
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
    {.name = "sh-nop", .target = none, .options = "", .all = verb_sh_nop},
    {.name = "sh-resources", .target = none, .options = "", .all = verb_sh_resources},
    {.name = "sh-mod-parms", .target = none, .options = "", .all = verb_sh_mod_parms},
    {.name = "sh-resource", .target = resource_once, .options = "", .each = verb_sh_resource},
    {.name = "sh-ip", .target = resource_once, .options = "", .each = verb_sh_ip},
    {.name = "sh-lr-of", .target = resource_once, .options = "", .each = verb_sh_lr_of},
    {.name = "sh-dev", .options = "", .each_volume = verb_sh_dev},
    {.name = "sh-minor", .options = "", .each_volume = verb_sh_minor},
    {.name = "sh-ll-dev", .options = "", .each_volume = verb_sh_ll_dev},
    {.name = "sh-md-dev", .options = "", .each_volume = verb_sh_md_dev},
    {.name = "sh-md-idx", .options = "", .each_volume = verb_sh_md_idx},
    {.name = "sh-udev", .options = "", .each_volume = verb_sh_udev}};

bool is_word_of(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t blank = std::min(words.find(' '), words.size());
    if (words.substr(0, blank) == word) return true;
    words.remove_prefix(std::min(blank + 1, words.size()));
  }
  return false;
}

bool accepts(const Verb& verb, std::string_view name) {
  if (verb.options != "@") return is_word_of(verb.options, name);
  const command::SetupCommand* command = command::find_setup_command(verb.name);
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

const std::string* unknown_option(const Verb& verb, const AdmCall& call) {
  for (const std::string& word : call.passed) {
    const std::size_t begin = std::min(word.find_first_not_of('-'), word.size());
    const std::string_view name = std::string_view(word).substr(begin, word.find('=') - begin);
    if (!accepts(verb, name)) return &word;
  }
  return nullptr;
}

}  // namespace replicator::adm
