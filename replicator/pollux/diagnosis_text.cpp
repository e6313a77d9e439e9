#include <fmt/core.h>

#include <iterator>
#include <utility>

#include "control/json_values.hpp"
#include "pollux/diagnosis.hpp"

namespace replicator::pollux {

namespace {

using control::Json;

void put_finding(std::string& text, const Finding& finding) {
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{:<2}{:<12} {}\n", finding.good ? "" : "!", finding.about, finding.what);
  if (!finding.because.empty()) fmt::format_to(out, "{:<15}{}\n", "", finding.because);
  for (const Step& step : finding.steps) {
    fmt::format_to(out, "{:<15}{}# {}{}{}\n", "", step.node, step.command,
                   step.remark.empty() ? "" : "    # ", step.remark);
  }
}

bool all_good(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    if (!finding.good) return false;
  }
  return true;
}

}  // namespace

std::string diagnosis_in_words(const Facts& facts, const std::vector<Finding>& findings) {
  std::string text;
  const auto out = std::back_inserter(text);
  const bool good = all_good(findings);
  fmt::format_to(out, "{} on {}: {}\n", facts.status.name, facts.node,
                 good ? "all is well" : "not all is well");
  for (const Finding& finding : findings)
    put_finding(text, finding);
  // What led here is of interest when something is wrong.
  if (good || facts.explanation.log.empty()) return text;
  fmt::format_to(out, "\nlog:\n");
  for (const LogLine& line : facts.explanation.log) {
    fmt::format_to(out, "  {}  {}{}\n", readable_text(line.time),
                   line.level == "info" ? "" : line.level + ": ", line.text);
  }
  return text;
}

std::string diagnosis_as_json(const Facts& facts, const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    Json steps = Json::array();
    for (const Step& step : finding.steps)
      steps.push_back({{"node", step.node}, {"command", step.command}, {"remark", step.remark}});
    list.push_back({{"about", finding.about},
                    {"reason", finding.reason},
                    {"good", finding.good},
                    {"what", finding.what},
                    {"because", finding.because},
                    {"commands", std::move(steps)}});
  }
  Json log = Json::array();
  for (const LogLine& line : facts.explanation.log)
    log.push_back({{"time", iso_text(line.time)}, {"level", line.level}, {"text", line.text}});
  return control::dump_json({{"resource", facts.status.name},
                             {"node", facts.node},
                             {"good", all_good(findings)},
                             {"findings", std::move(list)},
                             {"log", std::move(log)}});
}

}  // namespace replicator::pollux
