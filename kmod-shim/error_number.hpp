// What the kernel is told about a fault of a volume: a positive errno, 0 for none.
#pragma once

#include "base/result.hpp"

namespace replicator::shim {

int error_number(const Status& status) noexcept;

}  // namespace replicator::shim
