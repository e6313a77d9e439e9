// Where the configuration is when nobody says so.
#pragma once

#include <string>

#include "config/files.hpp"

namespace replicator::config {

// The first that exists of the names that DRBD's tools look for; /etc/drbd.conf when none does.
std::string usual_place(Files& files);

}  // namespace replicator::config
