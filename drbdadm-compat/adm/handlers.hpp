// `drbdadm HANDLER {minor-N|RESOURCE}`: what the daemon calls when something happens that the
// administrator wants to know or to have a say in. Runs what the configuration has under that name,
// with its exit code; without a handler there is nothing to do and all is well.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "adm/context.hpp"

namespace replicator::adm {

[[nodiscard]] bool is_handler(std::string_view verb) noexcept;
// The names under which the daemon may ask for what these targets are: "minor-0", "r0".
std::vector<std::string> handler_objects(const std::vector<Target>& targets);
// NAME=VALUE of everything a handler is told.
std::vector<std::pair<std::string, std::string>> handler_environment(
    const Target& target, const std::string& config_path);

int verb_handler(const Context& context, const Target& target);

}  // namespace replicator::adm
