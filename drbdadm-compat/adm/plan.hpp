// What a command would do, before it does it (`--plan`, docs/operations.md#plans): roles, the
// direction of a resync and how much it copies, what nobody would have afterwards. Pure: facts in,
// text out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adm/step.hpp"
#include "control/status_json.hpp"
#include "engine/status.hpp"
#include "metatool/disk_facts.hpp"

namespace replicator::adm {

using metatool::DiskFacts;

struct PlanFacts {
  std::string node;
  std::string resource;
  std::string peer = "the peer";
  const ResourceStatus* status = nullptr;        // null: not up
  const control::ResourceShow* shown = nullptr;  // likewise
  std::map<std::uint32_t, DiskFacts> disks;      // of volumes, where the verb asks for them
  std::vector<Step> steps;                       // of adjust
  std::vector<std::string> reasons;
};

struct PlanRequest {
  std::string verb;
  std::vector<std::uint32_t> volumes;  // that are meant
  bool force = false;
  bool discard_my_data = false;
  bool assume_clean = false;
  std::optional<std::uint64_t> size_kib;
};

// The verbs that can be planned.
bool can_plan(std::string_view verb) noexcept;
// Lines, the last of which says that nothing was changed.
std::string plan_text(const PlanRequest& request, const PlanFacts& facts);

}  // namespace replicator::adm
