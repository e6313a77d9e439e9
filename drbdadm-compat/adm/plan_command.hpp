// `drbdadm --plan VERB …`: gathers what is known, and prints what would happen.
#pragma once

#include <vector>

#include "adm/context.hpp"
#include "adm/plan.hpp"

namespace replicator::adm {

// Changes nothing; exit code 0 unless the configuration is unusable.
int print_plans(const Context& context, const std::vector<Target>& targets);

}  // namespace replicator::adm
