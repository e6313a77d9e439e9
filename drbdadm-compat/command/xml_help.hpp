// `drbdsetup xml-help COMMAND`: arguments and options of a command as DRBD's tool describes them to
// the shells of cluster managers.
#pragma once

#include <string>

#include "command/setup_call.hpp"

namespace replicator::command {

std::string xml_help(const SetupCommand& command);

}  // namespace replicator::command
