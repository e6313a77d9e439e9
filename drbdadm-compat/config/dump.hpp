// Canonical text of a configuration: parses again and gives the same text.
#pragma once

#include <string>

#include "config/model.hpp"
#include "config/resolve.hpp"

namespace replicator::config {

// The whole configuration, nothing inherited. `locals` are its resources on `node`.
std::string dump(const Config& config, const std::vector<LocalResource>& locals,
                 const std::string& node);
// One resource with what it inherits from `common`.
std::string dump_resource(const LocalResource& local, const std::string& node);

// A value as it stands in drbd.conf: quoted when it must be.
std::string quoted(const std::string& value);

}  // namespace replicator::config
