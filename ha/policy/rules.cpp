#include "ha/policy/rules.hpp"

#include <algorithm>

#include "ha/policy/merge_sort.hpp"

namespace ha::policy {
namespace {

enum class Outcome { undetermined, before, within, after };

Outcome compare_field(const Element& specification, std::string_view name, int value) {
  const std::string* text = specification.get(name);
  if (text == nullptr) return Outcome::undetermined;
  const std::size_t dash = text->find('-', 1);
  const auto low = text->starts_with('-') ? std::nullopt : parse_number(*text);
  const auto high = text->starts_with('-') ? parse_number(std::string_view(*text).substr(1))
                    : dash == std::string::npos
                        ? low
                        : parse_number(std::string_view(*text).substr(dash + 1));
  if (!low && !high) return Outcome::undetermined;
  if (low && value < *low) return Outcome::before;
  if (high && value > *high) return Outcome::after;
  return Outcome::within;
}

bool date_matches(const Element& specification, Seconds now) {
  const DateFields at = date_fields(now);
  const std::pair<std::string_view, int> fields[] = {
      {"years", at.year},        {"months", at.month},
      {"monthdays", at.day},     {"hours", at.hour},
      {"minutes", at.minute},    {"seconds", at.second},
      {"yeardays", at.year_day}, {"weekyears", at.week_year},
      {"weeks", at.week},        {"weekdays", at.week_day},
      {"moon", at.moon}};
  return std::all_of(std::begin(fields), std::end(fields), [&](const auto& field) {
    const Outcome outcome = compare_field(specification, field.first, field.second);
    return outcome == Outcome::within || outcome == Outcome::undetermined;
  });
}

Seconds after_duration(Seconds start, const Element& duration) {
  const auto part = [&](std::string_view name) {
    return parse_number(duration.value(name)).value_or(0);
  };
  const Seconds moved = add_months(start, static_cast<int>(part("years") * 12 + part("months")));
  return moved + part("weeks") * 604'800 + part("days") * 86'400 + part("hours") * 3600 +
         part("minutes") * 60 + part("seconds");
}

std::optional<Seconds> date_of(const Element& expression, std::string_view name) {
  const std::string* text = expression.get(name);
  return text == nullptr ? std::nullopt : parse_date(*text);
}

bool date_passes(const Element& expression, Seconds now) {
  const std::optional<Seconds> start = date_of(expression, "start");
  std::optional<Seconds> end = date_of(expression, "end");
  const Element* duration = expression.child("duration");
  if (start && !end && duration != nullptr) end = after_duration(*start, *duration);
  const std::string_view operation = expression.value("operation", "in_range");
  if (same(operation, "in_range")) {
    if (!start && !end) return false;
    return !(start && now < *start) && !(end && now > *end);
  }
  if (same(operation, "date_spec")) {
    const Element* specification = expression.child("date_spec");
    return specification == nullptr || date_matches(*specification, now);
  }
  if (same(operation, "gt")) return start && now > *start;
  if (same(operation, "lt")) return end && now < *end;
  return false;
}

template <class T>
int three_way(const T& a, const T& b) noexcept {
  return a < b ? -1 : (b < a ? 1 : 0);
}

int compare_words(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (lower(a[i]) != lower(b[i]))
      return three_way<unsigned char>(static_cast<unsigned char>(lower(a[i])),
                                      static_cast<unsigned char>(lower(b[i])));
  }
  return three_way(a.size(), b.size());
}

int compare_values(std::string_view left, std::string_view right, std::string_view type,
                   std::string_view operation) {
  if (type.empty()) {
    const bool relational = any_of(operation, {"lt", "lte", "gt", "gte"});
    const bool fraction = left.find('.') != left.npos || right.find('.') != right.npos;
    type = !relational ? "string" : (fraction ? "number" : "integer");
  }
  if (same(type, "integer")) {
    const auto a = parse_number(left);
    const auto b = parse_number(right);
    if (a && b) return three_way(*a, *b);
  } else if (same(type, "number")) {
    const auto a = parse_real(left);
    const auto b = parse_real(right);
    if (a && b) return three_way(*a, *b);
  } else if (same(type, "version")) {
    return compare_versions(left, right);
  } else if (!same(type, "string")) {
    return 0;
  }
  return compare_words(left, right);
}

bool compare(const std::string* left, std::optional<std::string_view> right, std::string_view type,
             std::string_view operation) {
  if (same(operation, "defined")) return left != nullptr;
  if (same(operation, "not_defined")) return left == nullptr;
  const int order = left != nullptr && right ? compare_values(*left, *right, type, operation)
                                             : (left == nullptr ? 0 : 1) - (right ? 1 : 0);
  if (same(operation, "eq")) return order == 0;
  if (same(operation, "ne")) return order != 0;
  if (left == nullptr || !right) return false;
  if (same(operation, "lt")) return order < 0;
  if (same(operation, "lte")) return order <= 0;
  if (same(operation, "gt")) return order > 0;
  if (same(operation, "gte")) return order >= 0;
  return false;
}

const std::string* text_of(const Attributes* attributes, std::string_view name) {
  if (attributes == nullptr) return nullptr;
  const auto found = attributes->find(name);
  return found == attributes->end() ? nullptr : &found->second;
}

std::optional<std::string_view> right_side(const Element& expression, const RuleContext& context) {
  const std::string* value = expression.get("value");
  if (value == nullptr) return std::nullopt;
  if (!context.sources) return *value;
  if (value->empty()) return std::nullopt;
  const std::string_view source = expression.value("value-source");
  const bool parameter = same(source, "param");
  if (!parameter && !same(source, "meta")) return *value;
  const std::string* found = text_of(parameter ? context.parameters : context.meta, *value);
  if (found == nullptr) return std::nullopt;
  return *found;
}

bool attribute_passes(const Element& expression, const RuleContext& context) {
  const std::string* attribute = expression.get("attribute");
  if (context.node == nullptr || attribute == nullptr || *attribute == "#role") return false;
  const std::string* left = text_of(context.node, expand_groups(*attribute, context.match));
  return compare(left, right_side(expression, context), expression.value("type"),
                 expression.value("operation"));
}

bool agent_passes(const Element& expression, const RuleContext& context) {
  if (!context.agent) return false;
  const auto fits = [&](std::string_view name, const std::optional<std::string_view>& actual) {
    const std::string* wanted = expression.get(name);
    return wanted == nullptr || actual == std::string_view(*wanted);
  };
  const bool names_provider = expression.get("provider") != nullptr;
  return fits("class", context.standard) && fits("type", context.agent) &&
         names_provider == context.provider.has_value() && fits("provider", context.provider);
}

bool operation_passes(const Element& expression, const RuleContext& context) {
  if (!context.operation || expression.value("name") != *context.operation) return false;
  const std::string* interval = expression.get("interval");
  return interval == nullptr || interval_milliseconds(*interval) == context.interval;
}

bool expression_passes(const Element& expression, const Element& root, const RuleContext& context) {
  if (expression.name == "rule") return rule_passes(expression, root, context);
  if (expression.name == "expression") return attribute_passes(expression, context);
  if (expression.name == "date_expression") return date_passes(expression, context.now);
  if (expression.name == "rsc_expression") return agent_passes(expression, context);
  if (expression.name == "op_expression") return operation_passes(expression, context);
  return false;
}

void add_set(const Element& set, const Element& root, Attributes& into, bool overwrite) {
  const Element* list = set.child("attributes");  // the form of the first configurations
  for (const Element& pair : (list == nullptr ? set : *list).children) {
    if (pair.name != "nvpair") continue;
    const Element* referred = resolve(pair, root);
    if (referred == nullptr) continue;
    const std::string* name =
        pair.get("name") != nullptr ? pair.get("name") : referred->get("name");
    const std::string* value =
        pair.get("value") != nullptr ? pair.get("value") : referred->get("value");
    if (name == nullptr || value == nullptr) continue;
    if (same(*value, "#default")) {
      into.erase(*name);
    } else if (overwrite) {
      into[*name] = *value;
    } else {
      into.emplace(*name, *value);
    }
  }
}

}  // namespace

std::string expand_groups(std::string_view text, const PatternMatch* match) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool group = match != nullptr && text[i] == '%' && i + 1 < text.size() &&
                       text[i + 1] >= '0' && text[i + 1] <= '9';
    if (!group) {
      out += text[i];
      continue;
    }
    const auto number = static_cast<std::size_t>(text[++i] - '0');
    if (number >= match->groups.size() || match->groups[number].rm_so < 0) continue;
    const auto [from, to] = match->groups[number];
    out +=
        match->subject.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from));
  }
  return out;
}

bool rule_passes(const Element& rule, const Element& root, const RuleContext& context) {
  const Element* actual = resolve(rule, root);
  if (actual == nullptr) return false;
  const bool any = same(actual->value("boolean-op"), "or");
  for (const Element& expression : actual->children) {
    if (expression_passes(expression, root, context) == any) return any;
  }
  return !any;
}

bool rules_pass(const Element& owner, const Element& root, const RuleContext& context) {
  bool none = true;
  for (const Element& rule : owner.children) {
    if (rule.name != "rule") continue;
    none = false;
    if (rule_passes(rule, root, context)) return true;
  }
  return none;
}

void add_pairs(const Element& owner, std::string_view set_name, const Element& root,
               const RuleContext& context, Attributes& into, bool overwrite,
               std::string_view first) {
  std::vector<const Element*> sets;
  for (const Element& child : owner.children) {
    if (child.name != set_name) continue;
    // Of sets with equal scores the last one precedes, as in the programs that write them.
    if (const Element* set = resolve(child, root); set != nullptr) sets.insert(sets.begin(), set);
  }
  merge_sort(sets, [&](const Element* a, const Element* b) {
    const bool a_first = !first.empty() && same(a->id(), first);
    const bool b_first = !first.empty() && same(b->id(), first);
    if (a_first != b_first) return a_first ? -1 : 1;
    return three_way(parse_score(b->value("score")), parse_score(a->value("score")));
  });
  for (const Element* set : sets) {
    if (rules_pass(*set, root, context)) add_set(*set, root, into, overwrite);
  }
}

}  // namespace ha::policy
