// polluxd: the replicator daemon of one node.
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "control/status_json.hpp"
#include "daemon/background.hpp"
#include "daemon/daemon.hpp"
#include "daemon/json_lines.hpp"
#include "daemon/process.hpp"
#include "daemon/recent_lines.hpp"
#include "daemon/successor.hpp"
#include "daemon/system_log.hpp"
#include "io/frame_pool.hpp"
#include "keeper/process.hpp"
#include "uring/reactor.hpp"
#include "uring/service_notice.hpp"

namespace {

using namespace replicator;

constexpr const char* usage =
    "usage: polluxd [--foreground | --background] [--log-file FILE] "
    "[--log-format=text|json] [--verbose] [--restore] [--version] [--check] "
    "[--kernel-devices=auto|ublk|nbd|fuse|none] [--ublk-queues N] [--ublk-queue-depth N] "
    "[--no-device-recovery] "
    "[--usermode-helper PROGRAM] [--undo-directory DIRECTORY] "
    "[--generations-directory DIRECTORY] [--metrics-address ADDRESS:PORT]\n"
    "The replicator daemon. drbdadm starts it when it is needed. Options are also read from "
    "/etc/polluxd.conf, one in a line.\n";
constexpr const char* options_file = "/etc/polluxd.conf";
constexpr const char* daemon_version = "8.4.11";

struct Arguments {
  bool background = false;
  bool verbose = false;
  bool json_log = false;
  bool restore = false;
  bool version = false;
  bool check = false;
  shim::KernelDeviceOptions kernel_devices;
  std::string log_file;
  std::string helper = usual_helper();
  std::string undo_directory = default_undo_directory;
  std::string generations_directory = default_generations_directory;
  io::Address metrics_address;
  uring::ServiceManager manager;
};

bool parse_count(std::string_view word, std::uint16_t most, std::uint16_t& number) {
  const char* const end = word.data() + word.size();
  const auto [stopped, error] = std::from_chars(word.data(), end, number);
  return error == std::errc() && stopped == end && number >= 1 && number <= most;
}

bool parse_kernel_devices(const std::string& word, shim::KernelDeviceOptions& options) {
  constexpr std::string_view option = "--kernel-devices=";
  const std::optional<shim::DeviceWish> wish =
      word == "--no-kernel-devices" ? shim::DeviceWish::none
      : word.starts_with(option)    ? shim::parse_device_wish(word.substr(option.size()))
                                    : std::nullopt;
  if (wish) options.wish = *wish;
  return wish.has_value();
}

// An address of this node; without a port, drbd-reactor's.
bool parse_metrics_address(const std::string& text, io::Address& address) {
  constexpr std::uint16_t usual_port = 9942;
  const bool ipv6 = text.starts_with('[');
  const bool has_port = text.find(ipv6 ? "]:" : ":") != std::string::npos;
  const Result<io::Address> parsed = control::parse_address(text);
  if (!parsed) return false;
  address = *parsed;
  if (!has_port) address.port = usual_port;
  return true;
}

bool parse(const std::vector<std::string>& words, Arguments& arguments) {
  const std::size_t count = words.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& word = words[i];
    if (word == "--background") arguments.background = true;
    else if (word == "--foreground") arguments.background = false;
    else if (word == "--verbose") arguments.verbose = true;
    else if (word == "--log-format=json") arguments.json_log = true;
    else if (word == "--log-format=text") arguments.json_log = false;
    else if (word == "--restore") arguments.restore = true;
    else if (word == "--version") arguments.version = true;
    else if (word == "--check") arguments.check = true;
    else if (parse_kernel_devices(word, arguments.kernel_devices)) continue;
    else if (word == "--no-device-recovery" || word == "--no-ublk-recovery")
      arguments.kernel_devices.survive = false;
    else if (word == "--ublk-queues" && i + 1 < count &&
             parse_count(words[i + 1], shim::ublk_queues_max, arguments.kernel_devices.ublk_queues))
      ++i;
    else if (word == "--ublk-queue-depth" && i + 1 < count &&
             parse_count(words[i + 1], shim::ublk_depth_max, arguments.kernel_devices.ublk_depth))
      ++i;
    else if (word == "--log-file" && i + 1 < count) arguments.log_file = words[++i];
    else if (word == "--usermode-helper" && i + 1 < count) arguments.helper = words[++i];
    else if (word == "--undo-directory" && i + 1 < count) arguments.undo_directory = words[++i];
    else if (word == "--generations-directory" && i + 1 < count)
      arguments.generations_directory = words[++i];
    else if (word == "--metrics-address" && i + 1 < count) {
      if (!parse_metrics_address(words[++i], arguments.metrics_address)) return false;
    } else return false;
  }
  return true;
}

// "--option", "--option value"; a line that begins with # is a remark. No file, no options.
std::vector<std::string> options_of_file(const char* path) {
  std::vector<std::string> words;
  std::FILE* file = std::fopen(path, "re");
  if (file == nullptr) return words;
  char buffer[4096];
  while (std::fgets(buffer, sizeof buffer, file) != nullptr) {
    std::string line(buffer);
    line.erase(line.find_last_not_of(" \t\r\n") + 1);
    line.erase(0, line.find_first_not_of(" \t"));
    if (line.empty() || line[0] == '#') continue;
    const std::size_t blank = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, blank));
    const std::size_t value = line.find_first_not_of(" \t", blank);
    if (value != std::string::npos) words.push_back(line.substr(value));
  }
  std::fclose(file);
  return words;
}

void to_file(void* context, log::Level level, std::string_view line) {
  auto* file = static_cast<std::FILE*>(context);
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  localtime_r(&now.tv_sec, &parts);
  char stamp[32];
  strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &parts);
  std::fprintf(file, "%s.%03ld %s: %.*s\n", stamp, now.tv_nsec / 1000000, log::name(level),
               static_cast<int>(line.size()), line.data());
  std::fflush(file);
}

// Of the background, and of a successor, the current directory is another one.
void make_paths_absolute(std::vector<std::string>& words) {
  constexpr std::array<std::string_view, 4> options{"--log-file", "--usermode-helper",
                                                    "--undo-directory", "--generations-directory"};
  for (std::size_t i = 1; i < words.size(); ++i) {
    const bool is_path = std::find(options.begin(), options.end(), words[i - 1]) != options.end();
    if (is_path && words[i] != "disabled") words[i] = absolute_path(words[i]);
  }
}

// Before there is anything in this process that a fork would have to copy.
shim::FileDescriptor find_keeper(const shim::KernelDeviceOptions& options) {
  const bool by_fuse =
      options.wish == shim::DeviceWish::best || options.wish == shim::DeviceWish::fuse;
  if (!by_fuse) return shim::FileDescriptor();
  mkdir("/run/pollux", 0755);
  return shim::keeper::find_or_start("/run/pollux/keeper.sock");
}

Task<void> watch_signals(uring::Reactor& reactor, int fd) {
  io::Op op;
  reactor.poll_readable(op, fd);
  const std::int32_t result = co_await op;
  static_cast<void>(result);
  reactor.stop();
}

struct Surroundings {
  std::vector<std::string> words;  // with which this daemon was started
  int ready;                       // who waits for it to serve; -1 for nobody
  const RecentLines& recent;
  JsonLines* json_log;
  shim::keeper::Client& keeper;
};

int serve(const Arguments& arguments, Surroundings around) {
  const int ready = around.ready;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  const int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
  uring::ReactorOptions reactor_options;
  reactor_options.inherited_path = DaemonOptions().run_directory + "/control.sock";
  reactor_options.inherited_listener = inherited_descriptor();
  reactor_options.helper = arguments.helper == "disabled" ? std::string() : arguments.helper;
  Result<std::unique_ptr<uring::Reactor>> reactor = uring::Reactor::create(reactor_options);
  if (!reactor) {
    log::error("{}", reactor.error().where());
    return 20;
  }
  log::info("polluxd started, io_uring: {}", (*reactor)->features());
  io::reserve_frames(512, 1024);
  io::reserve_frames(1024, 1024);
  DaemonOptions options;
  options.recent_lines = &around.recent;
  options.json_log = around.json_log;
  options.kernel_devices = arguments.kernel_devices;
  options.kernel_devices.keeper = &around.keeper;
  options.metrics_address = arguments.metrics_address;
  options.restore = arguments.restore;
  options.undo_directory = arguments.undo_directory;
  options.generations_directory = arguments.generations_directory;
  Daemon daemon(**reactor, options);
  for (const std::string& line : harden_process())
    log::info("{}", line);
  const Status threads = (*reactor)->start_blocking_threads();
  if (!threads.ok()) {
    log::error("{}: {}", threads.where(), std::strerror(threads.error_number()));
    return 20;
  }
  const Status started = (*reactor)->run_task(daemon.start());
  if (!started.ok()) return 20;
  if (ready >= 0) {
    const char ok = 0;
    if (write(ready, &ok, 1) != 1) log::warning("nobody waits for the start");
    close(ready);
    detach_from_terminal();
  }
  Task<void> watch = watch_signals(**reactor, signal_fd);
  watch.start();
  uring::ServiceNotice notice(arguments.manager);
  notice.ready(daemon.service_status());
  Task<void> telling =
      notice.keep_telling((*reactor)->world().clock, [&daemon] { return daemon.service_status(); });
  telling.start();
  (*reactor)->run();
  if (!daemon.successor().empty()) {
    (*reactor)->run_task(daemon.leave_to_successor());
    std::fflush(nullptr);
    notice.hand_on();
    become(daemon.successor(), around.words, daemon.control_listener());
    log::error("nobody serves: start polluxd --restore");
    _exit(20);
  }
  notice.stopping();
  (*reactor)->run_task(daemon.stop());
  log::info("polluxd ended");
  // The pending tasks end with the process.
  std::fflush(nullptr);
  _exit(0);
}

}  // namespace

int main(int count, char** words) {
  const uring::ServiceManager manager = uring::ServiceNotice::take_from_environment();
  Arguments arguments;
  if (!parse(options_of_file(options_file), arguments)) {
    std::fprintf(stderr, "polluxd: %s has something that is not an option\n", options_file);
    std::fputs(usage, stderr);
    return 20;
  }
  std::vector<std::string> all(words, words + count);
  make_paths_absolute(all);
  if (!parse({all.begin() + 1, all.end()}, arguments)) {
    std::fputs(usage, stderr);
    return 20;
  }
  int ready = -1;
  if (arguments.version) {
    std::printf("polluxd %s\n", daemon_version);
    return 0;
  }
  if (arguments.check) return check_restore(daemon_version);
  // In the background it was not a service manager who started it.
  if (!arguments.background) arguments.manager = manager;
  // A successor is in the background already.
  if (arguments.background && !is_successor()) {
    const Result<int> gone = go_to_background();
    if (!gone) {
      std::fprintf(stderr, "polluxd: cannot go to the background: %s: %s\n", gone.error().where(),
                   std::strerror(gone.error().error_number()));
      return 20;
    }
    ready = *gone;
  }
  shim::keeper::Client keeper(find_keeper(arguments.kernel_devices));
  std::FILE* file = nullptr;
  SystemLog system_log;
  log::Sink sink = nullptr;
  void* context = nullptr;
  if (!arguments.log_file.empty()) {
    file = std::fopen(arguments.log_file.c_str(), "ae");
    if (file == nullptr) {
      std::fprintf(stderr, "polluxd: cannot write %s: %s\n", arguments.log_file.c_str(),
                   std::strerror(errno));
      return 20;
    }
    sink = to_file;
    context = file;
  } else if (arguments.background) {
    sink = SystemLog::sink;
    context = &system_log;
  }
  JsonLines json_lines(file == nullptr ? sink : nullptr, context, file == nullptr ? stderr : file);
  if (arguments.json_log) {
    sink = JsonLines::sink;
    context = &json_lines;
  }
  RecentLines recent(sink, context);
  recent.take_over();
  if (arguments.verbose) log::set_level(log::Level::debug);
  return serve(arguments, {all, ready, recent, arguments.json_log ? &json_lines : nullptr, keeper});
}
