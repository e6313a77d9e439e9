#include "ha/fencing/fencer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ha/executor/agents.hpp"

namespace ha::fencing {

namespace io = replicator::io;
using membership::Severity;
using replicator::Task;

namespace {

constexpr std::int64_t query_timeout = 20'000;
constexpr std::int64_t between_attempts = 500;

const Device* find(const std::vector<Device>& devices, const std::string& id) {
  const auto found = std::find_if(devices.begin(), devices.end(),
                                  [&](const Device& device) { return device.id == id; });
  return found == devices.end() ? nullptr : &*found;
}

}  // namespace

void Fencer::interrupt() {
  for (io::Op* op : resting_)
    reactor_.world().clock.wake(*op);
}

void Fencer::stop() {
  stopping_ = true;
  interrupt();
}

Task<void> Fencer::rest(std::int64_t milliseconds) {
  if (stopping_ || milliseconds <= 0) co_return;
  io::Op op;
  resting_.insert(&op);
  const Duration pause = Duration::milliseconds(milliseconds);
  reactor_.world().clock.sleep(op, pause);
  co_await op;
  resting_.erase(&op);
}

Task<bool> Fencer::call(const Device& device, std::string action, std::string target,
                        std::int64_t timeout, std::string& output) {
  if (device.type == "null") co_return true;
  if (device.type == "meatware") {
    if (target.empty()) co_return true;
    log_(Severity::error, fmt::format("CRIT: OPERATOR INTERVENTION REQUIRED to reset {}.", target));
    log_(Severity::error,
         fmt::format("CRIT: Run \"meatclient -c {}\" AFTER power-cycling the machine.", target));
    co_await rest(timeout);
    co_return false;
  }
  std::optional<executor::ScriptCall> found =
      fence_call(device, action, target, folders_, executor::executable);
  if (!found) {
    log_(Severity::error, fmt::format("there is no fence device of type {}", device.type));
    co_return false;
  }
  executor::ScriptCall script = std::move(*found);
  script.deadline = Duration::milliseconds(timeout);
  executor::ScriptResult result = co_await executor::run_script(reactor_, std::move(script));
  output = std::move(result.output);
  co_return result.good();
}

// A device that cannot say whom it reaches is tried.
Task<bool> Fencer::reaches(const Device& device, const std::string& target) {
  const Reach known = reach(device, target);
  if (known != Reach::ask) co_return known == Reach::yes;
  std::string output;
  const std::string action = "list";
  const std::string nobody;
  const bool listed = co_await call(device, action, nobody, query_timeout, output);
  if (!listed) co_return true;
  const std::string port = port_of(device, target);
  co_return lists(output, port);
}

Task<bool> Fencer::use(const Request& request, const Device& device, std::string action) {
  const std::int64_t timeout = timeout_of(device, action, request.timeout);
  const int attempts = attempts_of(device, action);
  for (int attempt = 1; attempt <= attempts && !stopping_; ++attempt) {
    if (attempt > 1) {
      co_await rest(between_attempts);
    }
    std::string output;
    const bool good = co_await call(device, action, request.target, timeout, output);
    if (good) co_return true;
    log_(Severity::warning, fmt::format("{} ({}) of {} failed: {}", device.id, action,
                                        request.target, output.substr(0, 200)));
  }
  co_return false;
}

// All devices of a level have to succeed. A node with two supplies is off only when both are off at
// the same time.
Task<bool> Fencer::try_level(const Request& request, const std::vector<Device>& devices,
                             const Level& level) {
  const bool cycle = level.size() > 1 && request.action == "reboot";
  const std::string action = cycle ? "off" : request.action;
  for (const std::string& id : level) {
    const Device* device = find(devices, id);
    if (device == nullptr) {
      log_(Severity::error, fmt::format("there is no fence device {}", id));
      co_return false;
    }
    const Delay delay = delay_of(*device, request.target);
    const std::int64_t random = static_cast<std::int64_t>(
        reactor_.world().entropy.next64() % static_cast<std::uint64_t>(delay.spread + 1));
    if (request.action != "on") {
      const std::int64_t pause = delay.base + random;
      co_await rest(pause);
    }
    const bool good = co_await use(request, *device, action);
    if (!good) co_return false;
  }
  if (!cycle) co_return true;
  const std::string switch_on = "on";
  for (const std::string& id : level) {
    const Device* device = find(devices, id);
    // It is off, which is what counts.
    const bool on = co_await use(request, *device, switch_on);
    if (!on) log_(Severity::warning, fmt::format("{} could not be switched on again", id));
  }
  co_return true;
}

Task<FenceResult> Fencer::fence(Request request, std::vector<Device> devices,
                                std::vector<Level> levels) {
  FenceResult result;
  co_await rest(request.delay);
  if (levels.empty()) {
    for (const Device& device : devices) {
      const bool reached = co_await reaches(device, request.target);
      if (reached) levels.push_back(Level(1, device.id));
    }
  }
  if (levels.empty())
    log_(Severity::error, fmt::format("no fence device reaches {}", request.target));
  for (const Level& level : levels) {
    if (stopping_) break;
    result.good = co_await try_level(request, devices, level);
    if (!result.good) continue;
    for (const std::string& id : level)
      result.device += (result.device.empty() ? "" : ",") + id;
    const Device* used = find(devices, level.front());
    if (used->type == "null")
      log_(Severity::warning, "a device of type null only says that the node is off: for tests");
    break;
  }
  co_return result;
}

Task<bool> Fencer::monitor(Device device, std::int64_t timeout) {
  std::string output;
  const std::string action = "monitor";
  const std::string nobody;
  const bool good = co_await call(device, action, nobody, timeout, output);
  if (!good && !output.empty())
    log_(Severity::warning, fmt::format("{} (monitor): {}", device.id, output.substr(0, 200)));
  co_return good;
}

Task<std::vector<std::string>> Fencer::parameter_names(std::string type) {
  std::vector<std::string> names;
  if (!type.starts_with("external/")) {
    names.emplace_back("hostlist");
    co_return names;
  }
  Device device;
  device.type = type;
  std::string output;
  const std::string action = "getconfignames";
  const std::string nobody;
  const bool good = co_await call(device, action, nobody, query_timeout, output);
  if (!good) co_return names;
  std::string word;
  for (const char c : output + "\n") {
    if (c != ' ' && c != '\n' && c != '\t') {
      word += c;
    } else if (!word.empty()) {
      names.push_back(word);
      word.clear();
    }
  }
  co_return names;
}

}  // namespace ha::fencing
