// The verbs of drbdadm, one row each: what they apply to, which options they pass on, and what they
// do.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "adm/context.hpp"

namespace replicator::adm {

enum class TargetKind : std::uint8_t {
  none,          // takes no target
  optional,      // no target means everything
  resource,      // whole resources only
  volume,        // each volume of what is named
  resource_once  // a volume may be named, the resource is meant
};

struct Verb {
  std::string_view name;
  TargetKind target = TargetKind::volume;
  // Names of the options that may be passed on; "@" stands for those of the drbdsetup command of
  // the same name, "=NAME" for those of another one.
  std::string_view options = "@";
  // One call for all targets, or one for each: exactly one of the two is set.
  int (*all)(const Context&, const std::vector<Target>&) = nullptr;
  int (*each)(const Context&, const Target&) = nullptr;
  int (*each_volume)(const Context&, const config::LocalResource&,
                     const config::LocalVolume&) = nullptr;
};

std::span<const Verb> verbs() noexcept;
const Verb* find_verb(std::string_view name) noexcept;

// Options that the verb passes on, without the dashes: "force", "size=...".
std::vector<std::string> options_of(const Verb& verb);
// The first passed-on option that this verb does not know; null when all are fine.
const std::string* unknown_option(const Verb& verb, const AdmCall& call);

}  // namespace replicator::adm
