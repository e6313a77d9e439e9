#include "ha/policy/score.hpp"

#include <algorithm>

#include "ha/policy/text.hpp"

namespace ha::policy {

Score add(Score a, Score b) noexcept {
  if (a <= -infinity || b <= -infinity) return -infinity;
  if (a >= infinity || b >= infinity) return infinity;
  return std::clamp(a + b, -infinity, infinity);
}

Score parse_score(std::string_view text, const HealthScores& health) noexcept {
  if (same(text, "-INFINITY")) return -infinity;
  if (same(text, "INFINITY") || same(text, "+INFINITY")) return infinity;
  if (same(text, "red")) return health.red;
  if (same(text, "yellow")) return health.yellow;
  if (same(text, "green")) return health.green;
  const long long number = parse_number(text).value_or(0);
  return static_cast<Score>(std::clamp<long long>(number, -infinity, infinity));
}

std::string score_text(Score score) {
  if (score >= infinity) return "INFINITY";
  if (score <= -infinity) return "-INFINITY";
  return std::to_string(score);
}

Score scaled(Score score, float factor) noexcept {
  const float exact = factor * static_cast<float>(score);
  const auto rounded = static_cast<Score>(static_cast<double>(exact) + (exact < 0 ? -0.5 : 0.5));
  if (rounded == 0 && score != 0 && factor != 0) return factor > 0 ? 1 : -1;
  return rounded;
}

}  // namespace ha::policy
