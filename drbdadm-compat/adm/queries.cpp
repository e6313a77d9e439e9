#include "adm/queries.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "config/dump_xml.hpp"
#include "control/status_json.hpp"

namespace replicator::adm {

using config::LocalResource;
using config::LocalVolume;

namespace {
int say(const Context& context, const std::string& line) {
  fmt::print(context.console.out, "{}\n", line);
  return 0;
}
}  // namespace

namespace {
// With -d what is in force: each resource with what it takes from `common`.
config::DumpStyle style_of(const Context& context) {
  return context.runner.dry_run() ? config::DumpStyle::inherited : config::DumpStyle::as_written;
}
}  // namespace

namespace {
// Then what all have in common is printed, too.
bool means_everything(const Context& context) {
  const std::vector<std::string>& targets = context.call.targets;
  return targets.empty() || std::find(targets.begin(), targets.end(), "all") != targets.end();
}
}  // namespace

int verb_dump(const Context& context, const std::vector<Target>& targets) {
  const std::string& node = context.host.node_name;
  if (means_everything(context)) {
    fmt::print(context.console.out, "{}",
               config::dump(context.config, context.locals, node, style_of(context)));
    return 0;
  }
  for (const Target& target : targets) {
    fmt::print(context.console.out, "{}",
               config::dump_resource(*target.resource, node, style_of(context)));
  }
  return 0;
}

int verb_dump_xml(const Context& context, const std::vector<Target>& targets) {
  if (means_everything(context)) {
    fmt::print(context.console.out, "{}",
               config::dump_xml(context.config, context.locals, style_of(context)));
    return 0;
  }
  for (const Target& target : targets) {
    fmt::print(context.console.out, "{}",
               config::dump_xml_resource(*target.resource, style_of(context)));
  }
  return 0;
}

int verb_sh_nop(const Context& /*context*/, const std::vector<Target>& /*targets*/) { return 0; }

int verb_sh_resources(const Context& context, const std::vector<Target>& /*targets*/) {
  std::string names;
  for (const LocalResource& local : context.locals) {
    if (local.ignored()) continue;
    if (!names.empty()) names += ' ';
    names += local.name();
  }
  return names.empty() ? 0 : say(context, names);
}

int verb_sh_resource(const Context& context, const Target& target) {
  return say(context, target.resource->name());
}

// Minors need no preparation here; the answer is what scripts pass to modprobe.
int verb_sh_mod_parms(const Context& context, const std::vector<Target>& /*targets*/) {
  const config::Setting* count = context.config.global.find("minor-count");
  return say(context, "minor_count=" + (count == nullptr ? std::string("32") : count->value));
}

int verb_sh_ip(const Context& context, const LocalResource& resource,
               const LocalVolume& /*volume*/) {
  const auto& address = resource.local_address;
  return say(context, address ? address->ip : "");
}

int verb_sh_lr_of(const Context& context, const Target& target) {
  fmt::print(context.console.err, "'{}' is not a stacked resource.\n", target.resource->name());
  return exit_usage;
}

int verb_sh_dev(const Context& context, const LocalResource& /*resource*/,
                const LocalVolume& volume) {
  return say(context, volume.device);
}

int verb_sh_minor(const Context& context, const LocalResource& /*resource*/,
                  const LocalVolume& volume) {
  return say(context, std::to_string(volume.minor));
}

int verb_sh_ll_dev(const Context& context, const LocalResource& /*resource*/,
                   const LocalVolume& volume) {
  return say(context, volume.disk);
}

int verb_sh_md_dev(const Context& context, const LocalResource& /*resource*/,
                   const LocalVolume& volume) {
  return say(context, volume.meta_disk);
}

int verb_sh_md_idx(const Context& context, const LocalResource& /*resource*/,
                   const LocalVolume& volume) {
  return say(context, control::index_text(volume.meta_index));
}

int verb_sh_udev(const Context& context, const LocalResource& resource, const LocalVolume& volume) {
  const bool numbered =
      !volume.implicit || context.config.global.find("udev-always-use-vnr") != nullptr;
  say(context, "RESOURCE=" + resource.name() +
                   (numbered ? "/" + std::to_string(volume.number) : std::string()));
  say(context, "DEVICE=drbd" + std::to_string(volume.minor));
  constexpr std::string_view prefix = "/dev/";
  const bool below_dev = volume.disk.starts_with(prefix);
  return say(context, "DISK=" + (below_dev ? volume.disk.substr(prefix.size()) : volume.disk));
}

}  // namespace replicator::adm
