// Scores: integers in which a million is infinity. -INFINITY beats everything, +INFINITY everything
// else.
#pragma once

#include <string>
#include <string_view>

namespace ha::policy {

using Score = int;
constexpr Score infinity = 1'000'000;

[[nodiscard]] Score add(Score a, Score b) noexcept;

// What the colours of node health are worth; set by the configuration's health strategy.
struct HealthScores {
  Score red = 0;
  Score yellow = 0;
  Score green = 0;
};

// "INFINITY", "-inf", "100", "red"; 0 for what is none of these.
[[nodiscard]] Score parse_score(std::string_view text, const HealthScores& health = {}) noexcept;
[[nodiscard]] std::string score_text(Score score);

// A score that another resource's preference contributes: scaled, rounded away from zero and never
// rounded to nothing.
[[nodiscard]] Score scaled(Score score, float factor) noexcept;

}  // namespace ha::policy
