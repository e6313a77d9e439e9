// Between history.cpp (a resource on a node) and history_result.cpp (one operation).
#pragma once

#include "ha/policy/actions.hpp"
#include "ha/policy/operation_record.hpp"
#include "ha/policy/stages.hpp"

namespace ha::policy {

// What the operations read so far say.
struct HistoryState {
  Cluster& cluster;
  Resource& resource;
  Node& node;
  const OperationRecord* last_failure;
  OnFail on_fail;
};

void read_operation(HistoryState& state, const OperationRecord& record);

// Live migration (history_migration.cpp): two nodes' histories have to be read together.
void read_migrate_to_success(HistoryState& state, const OperationRecord& record);
void read_migrate_to_failure(HistoryState& state, const OperationRecord& record);
void read_migrate_from_failure(HistoryState& state, const OperationRecord& record);

}  // namespace ha::policy
