// up, down, adjust: verbs that build a resource up, step by step, for all named resources together.
#pragma once

#include "adm/context.hpp"

namespace replicator::adm {

int verb_up(const Context& context, const std::vector<Target>& targets);
int verb_down(const Context& context, const Target& target);
int verb_adjust(const Context& context, const std::vector<Target>& targets);
int verb_adjust_with_progress(const Context& context, const std::vector<Target>& targets);

}  // namespace replicator::adm
