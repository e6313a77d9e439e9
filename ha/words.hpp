// The words of the common base that every part of the failover manager uses.
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace ha {

using replicator::Bytes;
using replicator::ConstBytes;
using replicator::Duration;
using replicator::failure;
using replicator::Fault;
using replicator::Instant;
using replicator::Result;
using replicator::Status;

}  // namespace ha
