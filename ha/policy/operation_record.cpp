#include "ha/policy/operation_record.hpp"

#include "ha/policy/merge_sort.hpp"

namespace ha::policy {
namespace {

int number_of(const Element& xml, std::string_view name, int otherwise) {
  const std::string* text = xml.get(name);
  return text == nullptr ? otherwise : static_cast<int>(parse_number(*text).value_or(otherwise));
}

// The leading fields of "7:0;12:4:0:UUID" or of "12:4:0:UUID".
std::optional<std::vector<int>> leading_numbers(std::string_view text, std::size_t count) {
  std::vector<int> numbers;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t end = text.find_first_of(":;");
    const auto number = parse_number(text.substr(0, end));
    if (!number || end == text.npos) return std::nullopt;
    numbers.push_back(static_cast<int>(*number));
    text.remove_prefix(end + 1);
  }
  if (text.empty()) return std::nullopt;
  return numbers;
}

struct Magic {
  int transition = -1;
  std::string_view uuid;
};

std::optional<Magic> read_magic(std::string_view text) {
  const auto numbers = leading_numbers(text, 5);
  if (!numbers) return std::nullopt;
  return Magic{(*numbers)[3], text.substr(text.rfind(':') + 1)};
}

std::optional<Seconds> seconds_of(const Element& xml) {
  const std::string* text = xml.get("last-rc-change");
  if (text == nullptr) return std::nullopt;
  return parse_number(*text);
}

int compare_numbers(long long a, long long b) { return a < b ? -1 : (a > b ? 1 : 0); }

int compare_transitions(const Element& a, const Element& b, int call_a, int call_b) {
  const auto magic_a = read_magic(a.value("transition-magic"));
  const auto magic_b = read_magic(b.value("transition-magic"));
  if (!magic_a || !magic_b) return 0;
  if (!same(magic_a->uuid, magic_b->uuid) || magic_a->transition == magic_b->transition) {
    if (call_b == -1) return -1;
    return call_a == -1 ? 1 : 0;
  }
  if ((magic_a->transition >= 0 && magic_a->transition < magic_b->transition) ||
      magic_b->transition == -1)
    return -1;
  return 1;
}

}  // namespace

bool OperationRecord::is_masked_probe() const noexcept {
  return is_probe() &&
         (result == ocf::not_installed || result == ocf::invalid_parameter ||
          number_of(*xml, "op-status", -2) == static_cast<int>(Execution::not_installed));
}

std::optional<int> expected_result(std::string_view transition_key) noexcept {
  const auto numbers = leading_numbers(transition_key, 3);
  if (!numbers) return std::nullopt;
  return (*numbers)[2];
}

OperationRecord read_record(const Element& xml) {
  OperationRecord record;
  record.xml = &xml;
  record.task = xml.value("operation");
  record.key = xml.get("operation_key") != nullptr ? xml.value("operation_key") : xml.id();
  record.interval = static_cast<std::uint32_t>(std::max(0, number_of(xml, "interval", 0)));
  record.call = number_of(xml, "call-id", 0);
  record.result = number_of(xml, "rc-code", 0);
  const int status = number_of(xml, "op-status", -2);
  record.execution =
      status < -2 || status > 11 ? Execution::unknown : static_cast<Execution>(status);
  record.expected = expected_result(xml.value("transition-key")).value_or(-1);
  record.last_change = seconds_of(xml);
  return record;
}

int compare_age(const Element& a, const Element& b, bool same_node) {
  const std::string* node_a = a.get("on_node");
  const std::string* node_b = b.get("on_node");
  if (node_a != nullptr && node_b != nullptr) same_node = same(*node_a, *node_b);
  if (same_node && a.id() == b.id()) return 0;
  const int call_a = number_of(a, "call-id", -1);
  const int call_b = number_of(b, "call-id", -1);
  if (call_a == -1 && call_b == -1) return 0;
  if (same_node && call_a >= 0 && call_a < call_b) return -1;
  if (same_node && call_b >= 0 && call_a > call_b) return 1;
  if (call_a >= 0 && call_b >= 0) {
    const Seconds when_a = seconds_of(a).value_or(-1);
    const Seconds when_b = seconds_of(b).value_or(-1);
    return (when_a >= 0 || when_b >= 0) ? compare_numbers(when_a, when_b) : 0;
  }
  return compare_transitions(a, b, call_a, call_b);
}

std::vector<OperationRecord> sorted_records(const Element& history) {
  std::vector<const Element*> entries;
  for (const Element& child : history.children) {
    // The last entry first: of operations that cannot be told apart in time, the earlier entry
    // counts as newer.
    if (child.name == "lrm_rsc_op") entries.insert(entries.begin(), &child);
  }
  merge_sort(entries, [](const Element* a, const Element* b) { return compare_age(*a, *b); });
  std::vector<OperationRecord> records;
  records.reserve(entries.size());
  for (const Element* entry : entries)
    records.push_back(read_record(*entry));
  return records;
}

ActivePart active_part(const std::vector<OperationRecord>& records) {
  ActivePart part;
  int monitored = -1;
  int changed = -1;
  for (int i = 0; i < std::ssize(records); ++i) {
    const OperationRecord& record = records[static_cast<std::size_t>(i)];
    if (same(record.task, "stop") && record.xml->value("op-status") == "0") {
      part.stop = i;
    } else if (any_of(record.task, {"start", "migrate_from"})) {
      part.start = i;
    } else if (monitored <= part.stop && same(record.task, "monitor")) {
      if (any_of(record.xml->value("rc-code"), {"0", "8"})) monitored = i;
    } else if (any_of(record.task, {"promote", "demote"})) {
      changed = i;
    }
  }
  if (part.start == -1) part.start = changed != -1 ? changed : monitored;
  return part;
}

}  // namespace ha::policy
