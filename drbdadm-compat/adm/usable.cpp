#include "adm/usable.hpp"

#include <fmt/core.h>

namespace replicator::adm {

bool usable(const Context& context, const config::LocalResource& resource) {
  const std::string reason = config::unusable_because(resource);
  if (reason.empty()) return true;
  fmt::print(context.console.err, "{}: resource {}: {}\n", config::text(resource.resource->place),
             resource.name(), reason);
  return false;
}

bool can_connect(const Context& context, const config::LocalResource& resource) {
  if (!usable(context, resource)) return false;
  if (context.runner.dry_run() || context.config_path == "-" ||
      context.config.global.find("disable-ip-verification") != nullptr) {
    return true;
  }
  const auto foreign = config::foreign_address(resource, context.host);
  if (!foreign) return true;
  fmt::print(context.console.err, "{}: in resource {}, on {}:\n\tIP {} not found on this host.\n",
             config::text(foreign->place), resource.name(), context.host.node_name, foreign->ip);
  return false;
}

}  // namespace replicator::adm
