#include "daemon/running_record.hpp"

#include <charconv>

namespace replicator {

namespace {

using control::OptionMap;
using control::Request;

constexpr std::string_view head = "pollux-running ";
constexpr std::string_view tail = "end ";

// What was said later holds; set-defaults forgets what was said before.
void take_in(OptionMap& options, const OptionMap& later) {
  if (later.contains("set-defaults")) options.clear();
  for (const auto& [name, value] : later)
    options.insert_or_assign(name, value);
}

std::string_view line_of(std::string_view& text) noexcept {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return {};
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

bool parse_number(std::string_view text, std::uint32_t& number) noexcept {
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stopped == end;
}

// The text up to the last line, when that says how many lines there are.
bool take_tail(std::string_view& text) {
  if (text.empty() || text.back() != '\n') return false;
  std::string_view last = text.substr(0, text.size() - 1);
  last.remove_prefix(last.find('\n') == std::string_view::npos ? 0 : last.rfind('\n') + 1);
  std::uint32_t said = 0;
  if (!last.starts_with(tail) || !parse_number(last.substr(tail.size()), said)) return false;
  text.remove_suffix(last.size() + 1);
  std::uint32_t lines = 0;
  for (const char each : text)
    if (each == '\n') ++lines;
  return lines == said;
}

}  // namespace

RunningRecord::Place RunningRecord::place_of(const Request& request) {
  const std::string& command = request.command;
  if (command == "new-resource") return {Step::resource, ""};
  if (command == "resource-options") return {Step::resource_options, ""};
  if (command == "new-minor")
    return {Step::minor, request.arguments.empty() ? "" : request.arguments[0]};
  if (command == "attach") return {Step::disk, request.object};
  if (command == "disk-options") return {Step::disk_options, request.object};
  if (command == "pause-sync") return {Step::paused, request.object};
  if (command == "suspend-io") return {Step::suspended, request.object};
  if (command == "connect") return {Step::connection, ""};
  if (command == "net-options") return {Step::net_options, ""};
  if (command == "primary") return {Step::role, ""};
  return {Step::left, ""};
}

bool RunningRecord::forget(Requests& requests, Step step, const std::string& object) {
  return requests.erase({step, object}) != 0;
}

bool RunningRecord::keep(Requests& requests, const Request& request) {
  requests.insert_or_assign(place_of(request), request);
  return true;
}

bool RunningRecord::note(const std::string& resource, const Request& request) {
  const std::string& command = request.command;
  if (command == "new-resource") {
    resources_[resource].clear();
    return keep(resources_[resource], request);
  }
  const auto found = resources_.find(resource);
  if (found == resources_.end()) return false;
  Requests& requests = found->second;
  const std::string& object = request.object;
  if (command == "down" || command == "del-resource") return resources_.erase(resource) != 0;
  if (command == "new-minor") return keep(requests, request);
  if (command == "del-minor")
    return std::erase_if(requests,
                         [&object](const auto& item) { return item.first.second == object; }) != 0;
  if (command == "attach") {
    forget(requests, Step::disk_options, object);
    return keep(requests, request);
  }
  if (command == "detach") {
    forget(requests, Step::disk_options, object);
    return forget(requests, Step::disk, object);
  }
  if (command == "resize") {
    const auto disk = requests.find({Step::disk, object});
    if (disk == requests.end()) return false;
    const auto size = request.options.find("size");
    disk->second.options.erase("size");
    if (size != request.options.end()) disk->second.options.insert(*size);
    return true;
  }
  if (command == "connect") {
    forget(requests, Step::net_options, "");
    Request again = request;
    // Meant once. What it decided is decided.
    for (const char* once : {"discard-my-data", "tentative"})
      again.options.erase(once);
    return keep(requests, again);
  }
  if (command == "disconnect") {
    forget(requests, Step::net_options, "");
    return forget(requests, Step::connection, "");
  }
  if (command == "resource-options" || command == "disk-options" || command == "net-options") {
    Request whole = request;
    const auto before = requests.find(place_of(request));
    if (before != requests.end()) {
      whole.options = before->second.options;
      take_in(whole.options, request.options);
    }
    return keep(requests, whole);
  }
  if (command == "pause-sync" || command == "suspend-io") return keep(requests, request);
  if (command == "resume-sync") return forget(requests, Step::paused, object);
  if (command == "resume-io") return forget(requests, Step::suspended, object);
  if (command == "primary") {
    Request plain = request;
    plain.options.clear();  // nothing is forced twice
    return keep(requests, plain);
  }
  if (command == "secondary") return demoted(resource);
  return false;
}

bool RunningRecord::demoted(const std::string& resource) {
  const auto found = resources_.find(resource);
  return found != resources_.end() && forget(found->second, Step::role, "");
}

void RunningRecord::leave(const std::string& resource, OptionMap facts) {
  Request request;
  request.command = "left";
  request.object = resource;
  request.options = std::move(facts);
  const auto found = resources_.find(resource);
  if (found != resources_.end()) keep(found->second, request);
}

void RunningRecord::take_back() {
  for (auto& [name, requests] : resources_)
    forget(requests, Step::left, "");
}

std::vector<std::string> RunningRecord::resources() const {
  std::vector<std::string> names;
  for (const auto& [name, requests] : resources_)
    names.push_back(name);
  return names;
}

std::vector<std::pair<std::string, Request>> RunningRecord::configuration() const {
  std::vector<std::pair<std::string, Request>> all;
  for (Step step = Step::resource; step < Step::role;
       step = static_cast<Step>(static_cast<std::uint8_t>(step) + 1)) {
    for (const auto& [name, requests] : resources_)
      for (const auto& [place, request] : requests)
        if (place.first == step) all.emplace_back(name, request);
  }
  return all;
}

const Request* RunningRecord::primary(const std::string& resource) const {
  const auto found = resources_.find(resource);
  if (found == resources_.end()) return nullptr;
  const auto role = found->second.find({Step::role, ""});
  return role == found->second.end() ? nullptr : &role->second;
}

const OptionMap* RunningRecord::left(const std::string& resource) const {
  const auto found = resources_.find(resource);
  if (found == resources_.end()) return nullptr;
  const auto facts = found->second.find({Step::left, ""});
  return facts == found->second.end() ? nullptr : &facts->second.options;
}

// Each resource begins with its new-resource.
std::string RunningRecord::text() const {
  std::string text = std::string(head) + std::to_string(format) + "\n";
  std::size_t lines = 1;
  for (const auto& [name, requests] : resources_) {
    for (const auto& [place, request] : requests) {
      text += control::encode(request);
      ++lines;
    }
  }
  return text + std::string(tail) + std::to_string(lines) + "\n";
}

Result<RunningRecord> RunningRecord::parse(std::string_view text) {
  if (!take_tail(text)) return failure(Fault::malformed, "cut off");
  const std::string_view first = line_of(text);
  std::uint32_t version = 0;
  if (!first.starts_with(head) || !parse_number(first.substr(head.size()), version))
    return failure(Fault::malformed, "not such a record");
  if (version != format) return failure(Fault::unsupported, "of another format");
  RunningRecord record;
  std::string resource;
  while (!text.empty()) {
    const Result<Request> request = control::decode_request(line_of(text));
    if (!request) return failure(Fault::malformed, "a line is no request");
    if (request->command == "new-resource") resource = request->object;
    if (resource.empty()) return failure(Fault::malformed, "a line belongs to no resource");
    const bool known = request->command == "left" || place_of(*request).first != Step::left;
    if (!known) return failure(Fault::malformed, "a line is no request to remember");
    keep(record.resources_[resource], *request);
  }
  return record;
}

}  // namespace replicator
