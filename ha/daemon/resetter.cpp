#include "ha/daemon/resetter.hpp"

#include <fmt/format.h>

#include <utility>

#include "ha/daemon/files.hpp"

namespace ha::daemon {

using replicator::Task;

namespace {

constexpr std::int64_t before_retry = 5000;

// "stonith TYPE FILE": the file has what "stonith_host * TYPE" would have in the line.
std::optional<fencing::HostLine> read_line(const membership::StonithLine& line) {
  if (line.host) return fencing::host_line(line.text);
  std::optional<fencing::HostLine> result = fencing::host_line("* " + line.text);
  if (!result || result->words.empty()) return std::nullopt;
  const std::optional<std::string> file = read_text_file(result->words.front());
  if (!file) return std::nullopt;
  std::string words;
  for (std::size_t at = 0; at < file->size();) {
    const std::size_t end = std::min(file->find('\n', at), file->size());
    const std::string_view each = std::string_view(*file).substr(at, end - at);
    if (!each.starts_with('#')) words += " " + std::string(each);
    at = end + 1;
  }
  return fencing::host_line("* " + result->type + words);
}

}  // namespace

Resetter::Resetter(replicator::uring::Reactor& reactor, fencing::Folders folders, Log& log,
                   Done done)
    : reactor_(reactor),
      fencer_(reactor, std::move(folders),
              [this](Severity severity, const std::string& text) {
                log_.write(severity, one_line(text));
              }),
      log_(log),
      done_(std::move(done)) {}

Task<bool> Resetter::prepare(std::vector<membership::StonithLine> lines, std::string own_node) {
  for (const membership::StonithLine& line : lines) {
    const std::optional<fencing::HostLine> read = read_line(line);
    if (!read) {
      log_.write(Severity::error, fmt::format("Invalid Stonith configuration: {}", line.text));
      co_return false;
    }
    if (read->host != "*" && membership::lower_case(read->host) != own_node) continue;
    const std::vector<std::string> names = co_await fencer_.parameter_names(read->type);
    fencing::Device device = fencing::device_of(*read, names);
    device.id = fmt::format("{} [{}]", read->type, devices_.size() + 1);
    log_.write(Severity::info, fmt::format("Fencing device {} is configured", device.id));
    devices_.push_back(std::move(device));
  }
  co_return true;
}

void Resetter::begin(const std::string& node) {
  if (node_ == node) return;
  node_ = node;
  confirmed_ = false;
  tasks_.start(reset(node, ++attempts_));
}

void Resetter::cancel() {
  if (node_.empty()) return;
  log_.write(Severity::info, fmt::format("{} is heard again and is not reset", node_));
  node_.clear();
  ++attempts_;
  fencer_.interrupt();
}

bool Resetter::confirm(const std::string& node) {
  if (node_.empty() || node_ != node) return false;
  confirmed_ = true;
  fencer_.interrupt();
  return true;
}

Task<void> Resetter::reset(std::string node, std::uint64_t attempt) {
  while (current(attempt) && !confirmed_) {
    log_.write(Severity::info,
               fmt::format("Resetting node {} with [{}]", node, devices_.front().type));
    fencing::Request request;
    request.target = node;
    request.action = "reboot";
    std::vector<fencing::Device> devices = devices_;
    std::vector<fencing::Level> levels;
    const fencing::FenceResult result =
        co_await fencer_.fence(std::move(request), std::move(devices), std::move(levels));
    if (!current(attempt) || result.good || confirmed_) break;
    log_.write(Severity::error, fmt::format("STONITH of {} failed.  Retrying...", node));
    co_await fencer_.rest(before_retry);
  }
  if (!current(attempt)) co_return;
  node_.clear();
  log_.write(Severity::info, fmt::format("node {} now reset.", node));
  done_(node);
}

Task<void> Resetter::stop() {
  node_.clear();
  ++attempts_;
  fencer_.stop();
  co_await tasks_.close();
}

}  // namespace ha::daemon
