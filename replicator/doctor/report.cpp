#include "doctor/report.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "control/json_values.hpp"

namespace replicator::doctor {

namespace {

const char* word(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok: return "ok";
    case Verdict::warn: return "warn";
    case Verdict::fail: return "FAIL";
  }
  return "";
}

std::size_t count(const Findings& findings, Verdict verdict) {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [&](const Finding& each) { return each.verdict == verdict; }));
}

}  // namespace

bool any_fail(const Findings& findings) { return count(findings, Verdict::fail) > 0; }

std::string in_words(const Findings& findings) {
  constexpr std::size_t widest = 24;
  std::size_t width = 0;
  for (const Finding& each : findings)
    width = std::max(width, std::min(each.about.size(), widest));
  std::string text;
  const auto out = std::back_inserter(text);
  for (const Finding& each : findings) {
    fmt::format_to(out, "{:<5} {:<{}}  {}\n", word(each.verdict), each.about, width, each.what);
    if (!each.fix.empty()) fmt::format_to(out, "{:<{}}-> {}\n", "", width + 8, each.fix);
  }
  fmt::format_to(out, "{} FAIL, {} warn, {} ok\n", count(findings, Verdict::fail),
                 count(findings, Verdict::warn), count(findings, Verdict::ok));
  return text;
}

std::string as_json(const std::string& node, const Findings& findings) {
  control::Json list = control::Json::array();
  for (const Finding& each : findings) {
    list.push_back({{"verdict", word(each.verdict)},
                    {"about", each.about},
                    {"what", each.what},
                    {"fix", each.fix}});
  }
  return control::dump_json({{"node", node},
                             {"fail", count(findings, Verdict::fail)},
                             {"warn", count(findings, Verdict::warn)},
                             {"findings", std::move(list)}});
}

}  // namespace replicator::doctor
