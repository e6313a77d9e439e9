// The resources and volumes of the configuration that a command line names.
#pragma once

#include <string>
#include <vector>

#include "adm/adm_call.hpp"
#include "adm/steps.hpp"

namespace replicator::adm {

struct Target {
  const config::LocalResource* resource = nullptr;
  const config::LocalVolume* volume = nullptr;  // null: all volumes of the resource

  // The volumes meant, by number.
  [[nodiscard]] std::vector<const config::LocalVolume*> volumes() const;
};

struct Targets {
  std::vector<Target> list;
  std::string problem;  // not empty: nothing may be done
};

// "all" stands for every resource that this host takes part in.
Targets select_targets(const std::vector<std::string>& words, const Locals& locals);

}  // namespace replicator::adm
