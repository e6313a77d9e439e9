// The difference between the configuration and what runs, as the steps that remove it
// (docs/operations.md#adjust). Pure. Data stay available where that is possible: options are
// changed in place, a disk is detached and a connection cut only when they themselves are different
// ones.
#pragma once

#include <string>
#include <vector>

#include "adm/steps.hpp"
#include "control/status_json.hpp"

namespace replicator::adm {

struct AdjustOptions {
  bool skip_disk = false;
  bool skip_net = false;
};

// `running` is null when the resource is not up; `others` are all running resources. The steps are
// in the order in which they must run; `reasons` says why, one line for each difference (`drbdadm
// -vvv adjust`).
struct Adjustment {
  std::vector<Step> steps;
  std::vector<std::string> reasons;
};
Adjustment adjust(const config::LocalResource& wanted, const Locals& all,
                  const control::ResourceShow* running, AdjustOptions options = {});

}  // namespace replicator::adm
