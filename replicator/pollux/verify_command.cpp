#include "pollux/verify_command.hpp"

#include <fmt/core.h>
#include <time.h>

#include <charconv>
#include <optional>
#include <vector>

#include "control/codes.hpp"
#include "control/status_json.hpp"

namespace replicator::pollux {

namespace {

using C = ConnectionState;

constexpr std::uint32_t deadline_ms = 30000;
constexpr int found_differences = 1;
constexpr int wrong_usage = 2;
constexpr int not_done = 3;

struct Call {
  std::string resource;
  bool repair = false;
  std::uint32_t poll_ms = 500;
  std::FILE* out;
  std::FILE* err;
  const control::Client& client;
};

int complain(const Call& call, const std::string& line) {
  fmt::print(call.err, "pollux verify: {}: {}\n", call.resource, line);
  return not_done;
}

bool parse(std::span<const std::string> arguments, Call& call) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "--repair") {
      call.repair = true;
    } else if (word == "--poll-ms" && i + 1 < arguments.size()) {
      const std::string& number = arguments[++i];
      const auto [end, error] =
          std::from_chars(number.data(), number.data() + number.size(), call.poll_ms);
      if (error != std::errc() || end != number.data() + number.size()) return false;
    } else if (!word.empty() && word[0] != '-' && call.resource.empty()) {
      call.resource = word;
    } else {
      return false;
    }
  }
  return !call.resource.empty();
}

// In the daemon's own words.
std::string refusal(const control::Reply& reply) {
  if (!reply.info.empty()) return reply.info.front();
  return std::string(control::code_text(reply.code));
}

// The daemon's refusal, or nothing.
std::optional<std::string> ask(const Call& call, const char* command, std::uint32_t minor) {
  control::Request request;
  request.command = command;
  request.object = std::to_string(minor);
  const Result<control::Reply> reply = call.client.call(request, deadline_ms);
  if (!reply) return std::string("the daemon does not answer");
  if (control::is_success(reply->code)) return std::nullopt;
  return refusal(*reply);
}

struct Look {
  std::optional<ResourceStatus> status;
  std::string problem;  // when there is none
};

Look look(const Call& call) {
  control::Request request;
  request.command = "status";
  request.object = call.resource;
  const Result<control::Reply> reply = call.client.call(request, deadline_ms);
  if (!reply) return {std::nullopt, "the daemon does not answer"};
  if (reply->code == control::err_resource_unknown || reply->code == control::err_minor_invalid) {
    return {std::nullopt, "no such resource is running here: drbdadm up " + call.resource};
  }
  if (!control::is_success(reply->code)) return {std::nullopt, refusal(*reply)};
  Result<std::vector<ResourceStatus>> all = control::decode_status(reply->data);
  if (!all) return {std::nullopt, "the daemon's answer is not understood"};
  for (ResourceStatus& one : *all) {
    if (one.name == call.resource) return {std::move(one), {}};
  }
  return {std::nullopt, call.resource + " is not a resource's name"};
}

void pause(const Call& call) {
  timespec left{call.poll_ms / 1000, static_cast<long>(call.poll_ms % 1000) * 1000000L};
  nanosleep(&left, nullptr);
}

// Waits until the volume is Connected again and has no more to do; the problem, or nothing.
std::optional<std::string> wait_quiet(const Call& call, std::uint32_t number, VolumeStatus& last) {
  for (;;) {
    const Look now = look(call);
    if (!now.status) return now.problem;
    const VolumeStatus* volume = nullptr;
    for (const VolumeStatus& each : now.status->volumes) {
      if (each.volume == number) volume = &each;
    }
    if (volume == nullptr) return std::string("the volume is gone");
    last = *volume;
    if (last.state.connection == C::connected && !last.progress.active) return std::nullopt;
    if (last.state.connection < C::connected) {
      return std::string("the connection was lost in the middle; what was found is marked");
    }
    pause(call);
  }
}

// One volume from comparison to repair.
int verify_volume(const Call& call, VolumeStatus volume) {
  const std::string name = fmt::format("{}/{}", call.resource, volume.volume);
  if (const auto refused = ask(call, "verify", volume.minor)) return complain(call, *refused);
  if (const auto problem = wait_quiet(call, volume.volume, volume)) return complain(call, *problem);
  const std::uint64_t differing = volume.out_of_sync_kib;
  if (differing == 0) {
    fmt::print(call.out, "{}: {} KiB compared, the replicas are equal\n", name, volume.size_kib);
    return 0;
  }
  fmt::print(call.out, "{}: {} KiB compared, {} KiB differ\n", name, volume.size_kib, differing);
  if (!call.repair) return found_differences;
  if (const auto refused = ask(call, "repair", volume.minor)) return complain(call, *refused);
  if (const auto problem = wait_quiet(call, volume.volume, volume)) return complain(call, *problem);
  if (volume.out_of_sync_kib != 0) {
    return complain(call, fmt::format("{} KiB still differ", volume.out_of_sync_kib));
  }
  fmt::print(call.out, "{}: {} KiB copied to the peer, the replicas are equal\n", name, differing);
  return 0;
}

}  // namespace

int run_verify(std::span<const std::string> arguments, std::FILE* out, std::FILE* err,
               const control::Client& client) {
  Call call{.resource = {}, .out = out, .err = err, .client = client};
  if (!parse(arguments, call)) {
    std::fputs(verify_usage, err);
    return wrong_usage;
  }
  const Look found = look(call);
  if (!found.status) return complain(call, found.problem);
  int worst = 0;
  for (const VolumeStatus& volume : found.status->volumes) {
    const int code = verify_volume(call, volume);
    if (code > worst) worst = code;
    if (code == not_done) break;
  }
  return worst;
}

}  // namespace replicator::pollux
