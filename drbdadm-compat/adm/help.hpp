// What drbdadm says about itself: help, help VERB, hidden-commands, --version. The last one and the
// lines behind "OPTIONS FOR" are read by programs (agents, shell completion).
#pragma once

#include <string>

#include "adm/verbs.hpp"

namespace replicator::adm {

std::string help_text();
std::string help_text(const Verb& verb);
std::string hidden_commands_text();
// Shell assignments.
std::string version_text();

// Not offered, whatever the table of verbs says about it: what only DRBD 9 and its proxy have.
bool refused_verb(const Verb& verb) noexcept;

}  // namespace replicator::adm
