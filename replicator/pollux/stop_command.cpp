#include "pollux/stop_command.hpp"

#include <dirent.h>
#include <fmt/core.h>
#include <time.h>

#include <charconv>
#include <string_view>
#include <vector>

#include "control/codes.hpp"
#include "control/status_json.hpp"

namespace replicator::pollux {

namespace {

constexpr std::uint32_t deadline_ms = 30000;
constexpr std::int64_t pause_ms = 200;
constexpr std::int64_t end_patience_ms = 60000;
constexpr int in_use = 1;
constexpr int wrong_usage = 2;
constexpr int not_known = 3;

struct Call {
  std::int64_t patience_ms = 0;
};

bool parse(std::span<const std::string> arguments, Call& call) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--wait" && i + 1 < arguments.size()) {
      const std::string& number = arguments[++i];
      std::uint32_t seconds = 0;
      const char* const end = number.data() + number.size();
      const auto [stopped, error] = std::from_chars(number.data(), end, seconds);
      if (error != std::errc() || stopped != end) return false;
      call.patience_ms = std::int64_t{seconds} * 1000;
    } else {
      return false;
    }
  }
  return true;
}

std::int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void pause() {
  const timespec left{0, pause_ms * 1000000};
  nanosleep(&left, nullptr);
}

Result<control::Reply> ask(const control::Client& client, const char* command, std::string object) {
  control::Request request;
  request.command = command;
  request.object = std::move(object);
  return client.call(request, deadline_ms);
}

bool is_gone(const Result<control::Reply>& reply) {
  return !reply && reply.error().fault() == Fault::not_found;
}

Result<std::vector<ResourceStatus>> look(const control::Client& client) {
  const Result<control::Reply> reply = ask(client, "status", "all");
  if (!reply) return tl::unexpected<Status>(reply.error());
  return control::decode_status(reply->data);
}

// A Secondary's devices can't be opened, and who has one open keeps it from becoming that: nobody
// slips in between the question and the end. Gives the reasons of those that stay Primary.
std::vector<std::string> make_secondary(const control::Client& client,
                                        const std::vector<ResourceStatus>& resources,
                                        std::vector<std::string>& demoted) {
  std::vector<std::string> reasons;
  for (const ResourceStatus& resource : resources) {
    if (resource.volumes.empty() || resource.volumes[0].state.role != Role::primary) continue;
    const std::string minor = std::to_string(resource.volumes[0].minor);
    const Result<control::Reply> reply = ask(client, "secondary", minor);
    if (reply && control::is_success(reply->code)) {
      demoted.push_back(minor);
      continue;
    }
    std::string reason = reply ? std::string(control::code_text(reply->code)) : "no answer";
    if (reply && !reply->info.empty()) reason = reply->info.front();
    reasons.push_back(fmt::format("{}: {}", resource.name, reason));
  }
  return reasons;
}

// Devices that a daemon before left behind are nobody's that could be made Secondary, and their
// users wait: to end the daemon, or to remove it, would give them errors.
std::vector<std::string> waiting_devices() {
  std::vector<std::string> reasons;
  for (const char* folder : {"/run/pollux/ublk", "/run/pollux/nbd-devices", "/run/pollux/loop"}) {
    DIR* const records = opendir(folder);
    if (records == nullptr) continue;
    while (const dirent* const record = readdir(records)) {
      const std::string_view minor = record->d_name;
      if (minor.find_first_not_of("0123456789") != std::string_view::npos) continue;
      reasons.push_back(
          fmt::format("drbd{}: its users wait, for `drbdadm primary` or `drbdadm down`", minor));
    }
    closedir(records);
  }
  return reasons;
}

// As it was before.
void promote_again(const control::Client& client, const std::vector<std::string>& demoted) {
  for (const std::string& minor : demoted)
    static_cast<void>(ask(client, "primary", minor));
}

void say(std::FILE* out, const std::vector<std::string>& lines) {
  for (const std::string& line : lines)
    fmt::print(out, "{}\n", line);
  std::fflush(out);
}

int end_daemon(const control::Client& client, std::FILE* err) {
  Result<control::Reply> reply = ask(client, "shutdown", "");
  const std::int64_t end = now_ms() + end_patience_ms;
  while (!is_gone(reply) && now_ms() < end) {
    pause();
    reply = ask(client, "ping", "");
  }
  if (is_gone(reply)) return 0;
  fmt::print(err, "pollux stop: the daemon was told to end, and is still there\n");
  return not_known;
}

}  // namespace

int run_stop(std::span<const std::string> arguments, std::FILE* out, std::FILE* err,
             const control::Client& client) {
  Call call;
  if (!parse(arguments, call)) {
    std::fputs(stop_usage, err);
    return wrong_usage;
  }
  const std::int64_t end = now_ms() + call.patience_ms;
  std::vector<std::string> demoted;
  for (bool told = false;; told = true) {
    const Result<std::vector<ResourceStatus>> resources = look(client);
    const bool gone = !resources && resources.error().fault() == Fault::not_found;
    if (!resources && !gone) {
      fmt::print(err, "pollux stop: the daemon does not answer\n");
      return not_known;
    }
    std::vector<std::string> reasons;
    if (!gone) reasons = make_secondary(client, *resources, demoted);
    if (reasons.empty()) reasons = waiting_devices();
    if (reasons.empty()) return gone ? 0 : end_daemon(client, err);
    if (!told) say(out, reasons);
    if (now_ms() >= end) {
      promote_again(client, demoted);
      return in_use;
    }
    pause();
  }
}

}  // namespace replicator::pollux
