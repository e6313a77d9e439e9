// Rules: conditions on node attributes, dates, agents and operations.
#pragma once

#include <regex.h>
#include <optional>

#include "ha/policy/cluster.hpp"

namespace ha::policy {

// What a resource pattern matched; "%1" in a rule stands for its first group.
struct PatternMatch {
  std::string_view subject;
  std::vector<regmatch_t> groups;
};
[[nodiscard]] std::string expand_groups(std::string_view text, const PatternMatch* match);

// What conditions may look at. What is absent makes the conditions on it false.
struct RuleContext {
  Seconds now = 0;
  const Attributes* node = nullptr;
  const PatternMatch* match = nullptr;
  const Attributes* parameters = nullptr;      // for value-source="param"
  const Attributes* meta = nullptr;            // for value-source="meta"
  bool sources = false;                        // whether value-source counts here
  std::optional<std::string_view> standard{};  // of the agent
  std::optional<std::string_view> provider{};
  std::optional<std::string_view> agent{};
  std::optional<std::string_view> operation{};
  std::uint32_t interval = 0;
};

[[nodiscard]] bool rule_passes(const Element& rule, const Element& root,
                               const RuleContext& context);
// Whether one of the element's rules passes; true when it has none.
[[nodiscard]] bool rules_pass(const Element& owner, const Element& root,
                              const RuleContext& context);

// Adds the name-value pairs of all sets with this name whose rules pass, highest score first. The
// set called `first` precedes all. What is there already stays unless `overwrite`.
void add_pairs(const Element& owner, std::string_view set_name, const Element& root,
               const RuleContext& context, Attributes& into, bool overwrite = false,
               std::string_view first = {});

}  // namespace ha::policy
