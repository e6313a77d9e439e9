#include "pollux/upgrade_command.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <optional>
#include <vector>

#include "control/codes.hpp"

extern char** environ;

namespace replicator::pollux {

namespace {

constexpr std::uint32_t deadline_ms = 60'000;
constexpr int nothing_happened = 1;
constexpr int wrong_usage = 2;
constexpr int not_served = 3;

using Words = std::vector<std::string>;

struct Daemon {
  std::uint64_t pid = 0;
  std::string version;
  int program = -1;  // the file that it runs, whatever has become of its name
  Words words;       // that it was started with
};

std::string beside_this_program() {
  char self[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self);
  if (length <= 0) return "/usr/bin/polluxd";
  const std::string path(self, static_cast<std::size_t>(length));
  return path.substr(0, path.rfind('/') + 1) + "polluxd";
}

std::string absolute(const std::string& path) {
  char resolved[PATH_MAX];
  return realpath(path.c_str(), resolved) == nullptr ? std::string() : std::string(resolved);
}

Words words_of(std::uint64_t pid) {
  Words words;
  std::FILE* const file = std::fopen(fmt::format("/proc/{}/cmdline", pid).c_str(), "re");
  if (file == nullptr) return words;
  std::string word;
  for (int each = std::fgetc(file); each != EOF; each = std::fgetc(file)) {
    if (each != 0) word += static_cast<char>(each);
    else words.push_back(std::exchange(word, std::string()));
  }
  std::fclose(file);
  return words;
}

std::optional<Daemon> running_daemon(const control::Client& client) {
  const Result<control::Reply> reply = client.call({"ping", "", {}, {}}, deadline_ms);
  if (!reply || !control::is_success(reply->code)) return std::nullopt;
  Daemon daemon;
  daemon.pid = control::data_number(*reply, "pid");
  daemon.version = control::data_text(*reply, "version");
  daemon.program = open(fmt::format("/proc/{}/exe", daemon.pid).c_str(), O_RDONLY | O_CLOEXEC);
  daemon.words = words_of(daemon.pid);
  return daemon;
}

std::optional<pid_t> start(const std::string& program, const Words& words) {
  Words copy = words;
  std::vector<char*> arguments;
  for (std::string& word : copy)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t child = 0;
  const int failed =
      posix_spawn(&child, program.c_str(), nullptr, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) return std::nullopt;
  return child;
}

// With the options of the one that runs; a daemon that does not know its own options is none.
bool can_restore(const std::string& program, const Daemon& daemon) {
  Words words = daemon.words;
  std::erase(words, "--background");
  words.emplace_back("--check");
  const std::optional<pid_t> child = start(program, words);
  int status = 0;
  return child && waitpid(*child, &status, 0) == *child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

void pause_a_moment() {
  const timespec moment = {0, 20'000'000};
  nanosleep(&moment, nullptr);
}

// The next daemon's; clients wait at the control socket until it serves.
std::optional<control::Reply> report_of_another(const control::Client& client,
                                                std::uint64_t instance) {
  constexpr int attempts = 1500;
  for (int i = 0; i < attempts; ++i) {
    Result<control::Reply> reply = client.call({"upgrade-report", "", {}, {}}, deadline_ms);
    // A process that had the socket and is gone does not come back.
    if (!reply && reply.error().fault() == Fault::not_found) return std::nullopt;
    if (reply && control::is_success(reply->code) &&
        control::data_number(*reply, "instance") != instance)
      return *reply;
    pause_a_moment();
  }
  return std::nullopt;
}

int start_old_one(const Daemon& old, std::FILE* err, const control::Client& client) {
  fmt::print(err, "pollux upgrade: the new daemon does not serve (see its log)\n");
  Words words = old.words;
  std::erase(words, "--background");
  words.emplace_back("--restore");
  const std::string program = fmt::format("/proc/{}/fd/{}", getpid(), old.program);
  constexpr int attempts = 500;
  if (old.program >= 0 && start(program, words)) {
    for (int i = 0; i < attempts; ++i) {
      const Result<control::Reply> reply = client.call({"ping", "", {}, {}}, deadline_ms);
      if (reply && control::is_success(reply->code)) {
        fmt::print(err, "the old one serves again (pid {})\n", control::data_number(*reply, "pid"));
        return not_served;
      }
      pause_a_moment();
    }
  }
  fmt::print(err, "the old one does not either; its devices wait for: polluxd --restore\n");
  return not_served;
}

}  // namespace

int run_upgrade(std::span<const std::string> arguments, std::FILE* out, std::FILE* err,
                const control::Client& client) {
  const bool names_one = arguments.size() == 2 && arguments[0] == "--binary";
  if (!arguments.empty() && !names_one) {
    std::fputs(upgrade_usage, err);
    return wrong_usage;
  }
  const std::string wanted = names_one ? arguments[1] : beside_this_program();
  const std::string program = absolute(wanted);
  const std::optional<Daemon> old = running_daemon(client);
  if (!old) {
    fmt::print(err, "pollux upgrade: {}\n",
               geteuid() == 0 ? "no daemon is running" : "only root may upgrade the daemon");
    return nothing_happened;
  }
  if (program.empty() || !can_restore(program, *old)) {
    fmt::print(err, "pollux upgrade: {} can not take over; nothing has happened\n", wanted);
    return nothing_happened;
  }
  const Result<control::Reply> left = client.call({"upgrade", "", {program}, {}}, deadline_ms);
  if (!left || !control::is_success(left->code)) {
    const bool told = left && !left->info.empty();
    fmt::print(err, "pollux upgrade: {}; nothing has happened\n",
               told ? left->info.front() : "the daemon refuses");
    return nothing_happened;
  }
  const std::optional<control::Reply> report =
      report_of_another(client, control::data_number(*left, "instance"));
  if (!report) return start_old_one(*old, err, client);
  for (const std::string& line : report->info)
    fmt::print(out, "{}\n", line);
  fmt::print(out, "{} serves (pid {})\n", program, old->pid);
  return 0;
}

}  // namespace replicator::pollux
