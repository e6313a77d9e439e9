#include "adm/wait_interactive.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "control/option_table.hpp"

namespace replicator::adm {
namespace {

using config::LocalResource;
using config::LocalVolume;

constexpr unsigned ticks_per_second = 10;
constexpr unsigned tick_ms = 1000 / ticks_per_second;
constexpr unsigned quiet_seconds = 10;  // with dots; most peers have come by then
constexpr unsigned usual_refresh_seconds = 1;

unsigned parsed_seconds(control::OptionSection kind, const char* name, const std::string& value,
                        unsigned preset) {
  const control::ParsedOption parsed =
      control::parse_option(*control::find_option(kind, name), value);
  return parsed.problem.empty() ? static_cast<unsigned>(parsed.value.number) : preset;
}

unsigned seconds_of(const config::Section& section, control::OptionSection kind, const char* name,
                    unsigned preset) {
  const config::Setting* setting = section.find(name);
  return setting == nullptr ? preset : parsed_seconds(kind, name, setting->value, preset);
}

// "--wfc-timeout=5" among the words of the command line; the last one counts.
std::optional<std::string> passed_value(const std::vector<std::string>& passed, const char* name) {
  const std::string begin = std::string("--") + name + "=";
  std::optional<std::string> value;
  for (const std::string& word : passed) {
    if (word.starts_with(begin)) value = word.substr(begin.size());
  }
  return value;
}

// 0 is for ever, and longer than anything else.
bool waits_longer(const LongestWait& a, const LongestWait& b) {
  if (a.usual_seconds == 0 || b.usual_seconds == 0) {
    return a.usual_seconds == 0 && b.usual_seconds != 0;
  }
  return a.usual_seconds > b.usual_seconds;
}

std::string question(const LongestWait& longest) {
  return fmt::format(
      "\n\n***************************************************************\n"
      " The startup script waits for the peer node(s) to appear.\n"
      " - If this node was already a degraded cluster before the\n"
      "   reboot, the timeout is {} seconds. [degr-wfc-timeout]\n"
      " - If the peer was available before the reboot, the timeout\n"
      "   is {} seconds. [wfc-timeout]\n"
      "   (These values are for resource '{}'; 0 sec -> wait forever)\n"
      " To abort waiting enter 'yes' [ -- ]:",
      longest.degraded_seconds, longest.usual_seconds, longest.resource);
}

class Vigil {
 public:
  Vigil(const Context& context, std::vector<int> waits)
      : context_(context), waits_(std::move(waits)), terminal_(context.tools.terminal()) {}

  void run() {
    const unsigned refresh = seconds_of(context_.config.global, control::OptionSection::global,
                                        "dialog-refresh", usual_refresh_seconds);
    for (unsigned tick = 0; !all_ended(); ++tick) {
      if (terminal_ && tick % ticks_per_second == 0) show(tick / ticks_per_second, refresh);
      const std::string line = context_.tools.line_or_pause(tick_ms);
      if (line.empty()) continue;
      if (line == "yes") break;
      asked_ = false;
    }
    for (const int wait : waits_)
      context_.tools.end_wait(wait);
    if (terminal_ && shown_) say("\n");
  }

 private:
  bool all_ended() {
    std::erase_if(waits_, [&](int wait) { return context_.tools.wait_ended(wait); });
    return waits_.empty();
  }

  void show(unsigned seconds, unsigned refresh) {
    shown_ = true;
    if (seconds < quiet_seconds) return say(".");
    if (!asked_) say(question(longest_wait(context_.locals, context_.call.passed)));
    asked_ = true;
    // Into the brackets of the last line, and back to where the operator types.
    if (refresh != 0 && seconds % refresh == 0) {
      say(fmt::format("\033[s\033[31G[{:4}]:\033[u", seconds));
    }
  }

  void say(const std::string& text) {
    fmt::print(context_.console.out, "{}", text);
    std::fflush(context_.console.out);
  }

  const Context& context_;
  std::vector<int> waits_;
  const bool terminal_;
  bool asked_ = false;
  bool shown_ = false;
};

}  // namespace

LongestWait longest_wait(const Locals& locals, const std::vector<std::string>& passed) {
  LongestWait longest;
  for (const LocalResource& local : locals) {
    if (local.ignored()) continue;
    const auto startup = [&](const char* name) {
      constexpr auto section = control::OptionSection::startup;
      const std::optional<std::string> given = passed_value(passed, name);
      return given ? parsed_seconds(section, name, *given, 0)
                   : seconds_of(local.startup, section, name, 0);
    };
    LongestWait own{local.name(), startup("wfc-timeout"), startup("degr-wfc-timeout")};
    if (own.usual_seconds != 0 &&
        (own.degraded_seconds == 0 || own.degraded_seconds > own.usual_seconds)) {
      own.degraded_seconds = own.usual_seconds;
    }
    if (longest.resource.empty() || waits_longer(own, longest)) longest = own;
  }
  return longest;
}

int verb_wait_con_int(const Context& context, const std::vector<Target>& /*targets*/) {
  std::vector<Step> steps;
  for (const LocalResource& local : context.locals) {
    if (local.ignored()) continue;
    for (const LocalVolume& volume : local.volumes) {
      Step step = wait_step("wait-connect", local, volume);
      const std::vector<std::string>& passed = context.call.passed;
      step.arguments.insert(step.arguments.end(), passed.begin(), passed.end());
      steps.push_back(std::move(step));
    }
  }
  std::vector<int> waits;
  for (const Step& step : steps) {
    context.runner.show(step);
    if (context.runner.dry_run()) continue;
    const int wait = context.tools.begin_wait(step.arguments);
    if (wait >= 0) waits.push_back(wait);
  }
  Vigil(context, std::move(waits)).run();
  return 0;
}

}  // namespace replicator::adm
