// What a node is asked to do with one resource, what came of it, and both as XML between nodes and
// in the status.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ha/policy/operation_record.hpp"

namespace ha::controller {

using config::Element;
using policy::Attributes;
using policy::Seconds;

// Written with every record: which of Pacemaker's conventions it follows.
inline constexpr const char* feature_set = "3.16.1";

struct Operation {
  std::string resource;  // the name in the history: an anonymous instance has no number
  std::string standard;  // the class: ocf, lsb, systemd, stonith, …
  std::string provider;
  std::string type;
  std::string task;
  std::string canceled_task;  // of "cancel"
  std::uint32_t interval = 0;
  int expected = 0;
  std::int64_t timeout = 20'000;  // milliseconds
  std::int64_t start_delay = 0;
  std::string transition_key;  // ACTION:TRANSITION:EXPECTED:UUID
  std::string digest;          // of the parameters
  std::string node;
  Attributes parameters;  // without the prefix OCF_RESKEY_

  [[nodiscard]] std::string key() const;
  [[nodiscard]] bool recurring() const noexcept { return interval > 0 && task != "cancel"; }
  bool operator==(const Operation&) const = default;
};

// Status: as the history has it in op-status.
struct Outcome {
  int result = 0;
  policy::Execution execution{};
  std::string reason;
  std::int64_t queued = 0;  // milliseconds
  std::int64_t ran = 0;
  Seconds when = 0;  // when it began, by the wall clock

  [[nodiscard]] bool good(int expected) const noexcept;
};

[[nodiscard]] Element to_xml(const Operation& operation);
[[nodiscard]] std::optional<Operation> operation_of(const Element& xml);

// The operation that carries out an action of a plan on its node, with everything that the agent is
// told: parameters, meta attributes, and for clones who is what where.
[[nodiscard]] Operation operation_for(policy::Cluster& cluster, const policy::Action& action,
                                      const std::string& transition_key);

}  // namespace ha::controller
