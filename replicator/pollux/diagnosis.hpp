// Why a resource is not connected, not in sync, or cannot be promoted, and what to do about it.
// Pure (docs/explain.md).
#pragma once

#include <string>
#include <vector>

#include "engine/link_report.hpp"
#include "engine/status.hpp"
#include "pollux/echo.hpp"
#include "pollux/split_brain.hpp"

namespace replicator::pollux {

struct Facts {
  std::string node;  // this one
  ResourceStatus status;
  ResourceExplanation explanation;
  Echo echo = Echo::unknown;  // of the peer; asked only when it is not reached
};

struct Finding {
  std::string about;    // "connection", "disk 0", "sync 0", "role", "I/O"
  std::string reason;   // one word, for scripts
  bool good = true;     // nothing is to be done
  std::string what;     // how it is
  std::string because;  // empty when that is plain
  std::vector<Step> steps;
};

// Is the peer known not to be reached, so that an echo would tell more?
bool echo_would_help(const Facts& facts) noexcept;
std::vector<Finding> diagnose(const Facts& facts);

std::string diagnosis_in_words(const Facts& facts, const std::vector<Finding>& findings);
std::string diagnosis_as_json(const Facts& facts, const std::vector<Finding>& findings);

}  // namespace replicator::pollux
