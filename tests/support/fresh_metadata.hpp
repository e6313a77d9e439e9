// Fresh internal meta data on a disk of any world, as create-md leaves it.
#pragma once

#include "io/io.hpp"
#include "io/task.hpp"

namespace replicator::testing_support {

Task<Status> create_metadata(io::World& world, std::string_view path);

}  // namespace replicator::testing_support
