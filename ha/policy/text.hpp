// The words of a cluster configuration: booleans, numbers, durations, names of operations.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "ha/config/md5.hpp"

namespace ha::policy {

// Words are compared without regard to case, as every tool that writes them does.
[[nodiscard]] bool same(std::string_view a, std::string_view b) noexcept;
[[nodiscard]] bool any_of(std::string_view word,
                          std::initializer_list<std::string_view> words) noexcept;

[[nodiscard]] std::optional<bool> parse_bool(std::string_view text) noexcept;
[[nodiscard]] bool is_true(std::string_view text) noexcept;
// The number at the start of the text, as strtoll reads it.
[[nodiscard]] std::optional<long long> parse_number(std::string_view text) noexcept;
[[nodiscard]] std::optional<double> parse_real(std::string_view text);

// "20", "20s", "5min", "100ms", "PT1M": milliseconds; nothing when it is no duration.
[[nodiscard]] std::optional<std::int64_t> parse_milliseconds(std::string_view text);
[[nodiscard]] std::uint32_t interval_milliseconds(std::string_view text);

[[nodiscard]] int compare_versions(std::string_view a, std::string_view b) noexcept;
// Digits count as numbers: node2 comes before node10.
[[nodiscard]] int compare_names(std::string_view a, std::string_view b) noexcept;

[[nodiscard]] std::string operation_key(std::string_view resource, std::string_view task,
                                        std::uint32_t interval = 0);
[[nodiscard]] std::string notify_key(std::string_view resource, std::string_view type,
                                     std::string_view task);
// "web:3" is "web"; what does not end in a number stays.
[[nodiscard]] std::string_view without_instance(std::string_view id) noexcept;

using config::md5;

}  // namespace ha::policy
