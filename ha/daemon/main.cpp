// pollux-had: the failover manager of one node.
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "ha/daemon/had.hpp"
#include "uring/service_notice.hpp"

namespace {

using namespace ha;
using namespace ha::daemon;
using replicator::Task;
using replicator::uring::Reactor;
using replicator::uring::ServiceManager;
using replicator::uring::ServiceNotice;

constexpr const char* usage =
    "usage: pollux-had [--foreground] [--config FOLDER] [--state FOLDER] [--run FOLDER]\n"
    "                  [--scripts FOLDER]... [--monitor TIME] [--voter] [--no-reboot] [--check]\n"
    "                  [--cib FOLDER] [--ocf FOLDER]... [--fence FOLDER]...\n"
    "The failover manager; reads ha.cf, authkeys and haresources in /etc/ha.d. With \"crm yes\" "
    "in\n"
    "ha.cf a CIB in /var/lib/pollux/cib says what runs where.\n"
    "  --scripts    look for resource scripts there first\n"
    "  --cib        keeps the configuration in that folder\n"
    "  --ocf        look for OCF agents there first, as PROVIDER/TYPE\n"
    "  --fence      look for fence agents and stonith plugins there first\n"
    "  --monitor    ask every resource that is held whether it runs, that often (10s, 500ms);\n"
    "               what failed goes to the other node\n"
    "  --voter      counts for quorum, never holds resources\n"
    "  --no-reboot  a stop that fails does not reboot the machine: what could not be stopped stays "
    "here\n"
    "  --check      only says whether the configuration is good\n";

struct Arguments {
  HadOptions options;
  ServiceManager manager;
  bool foreground = false;
  bool check = false;
};

std::string beside_program(const char* relative) {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
  std::string folder(path, size > 0 ? static_cast<std::size_t>(size) : 0);
  folder.resize(folder.rfind('/') == std::string::npos ? 0 : folder.rfind('/'));
  return folder + relative;
}

bool parse(int count, char** words, Arguments& arguments) {
  HadOptions& options = arguments.options;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const bool more = i + 1 < count;
    if (word == "--foreground") arguments.foreground = true;
    else if (word == "--check") arguments.check = true;
    else if (word == "--voter") options.voter = true;
    else if (word == "--no-reboot") options.reboot = false;
    else if (word == "--config" && more) options.config_folder = words[++i];
    else if (word == "--state" && more) options.state_folder = words[++i];
    else if (word == "--run" && more) options.run_folder = words[++i];
    else if (word == "--monitor" && more && membership::parse_time(words[i + 1], options.monitor))
      ++i;
    else if (word == "--scripts" && more) options.script_folders.emplace_back(words[++i]);
    else if (word == "--cib" && more) options.cib_folder = words[++i];
    else if (word == "--fence" && more) options.fence_folders.emplace_back(words[++i]);
    else if (word == "--ocf" && more) options.ocf_folders.emplace_back(words[++i]);
    else return false;
  }
  for (const char* folder :
       {"/etc/ha.d/resource.d", "/etc/init.d", "/etc/rc.d", "/etc/rc.d/init.d"})
    options.script_folders.emplace_back(folder);
  options.script_folders.push_back(beside_program("/../share/pollux/resource.d"));
  options.ocf_folders.emplace_back("/usr/lib/ocf/resource.d");
  options.ocf_folders.push_back(beside_program("/../share/pollux/ocf"));
  // What was installed together is used together.
  options.path =
      beside_program("") + ":/usr/local/sbin:/usr/local/bin:/sbin:/usr/sbin:/bin:/usr/bin";
  return true;
}

// Before there is a log: heartbeat's other form of a line.
void complain(const membership::Diagnostic& diagnostic) {
  const time_t now = time(nullptr);
  tm parts{};
  localtime_r(&now, &parts);
  char stamp[32];
  strftime(stamp, sizeof stamp, "%Y/%m/%d_%H:%M:%S", &parts);
  const std::string text = with_level(diagnostic.severity, membership::text(diagnostic));
  std::fprintf(stderr, "heartbeat[%d]: %s %s\n", getpid(), stamp, text.c_str());
}

Task<void> watch_signals(Reactor& reactor, int fd, Had& had, ServiceNotice& notice) {
  for (;;) {
    replicator::io::Op op;
    reactor.poll_readable(op, fd);
    const std::int32_t result = co_await op;
    if (result < 0) co_return;
    signalfd_siginfo information{};
    if (read(fd, &information, sizeof information) != sizeof information) continue;
    notice.stopping();
    had.shut_down();
  }
}

// A node that is too busy to send is taken for dead. What it starts is not to inherit that.
void go_realtime(const membership::HaCf& cf, Log& log) {
  if (!cf.realtime) return;
  sched_param parameters{};
  parameters.sched_priority = static_cast<int>(cf.realtime_priority);
  if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &parameters) != 0) {
    log.write(membership::Severity::warning, "realtime scheduling is not permitted");
  }
}

// What a service manager shows.
std::string service_status(const Configuration& configuration) {
  return configuration.own_node + " of " + std::to_string(configuration.cf.nodes.size()) +
         " nodes, by " + (configuration.by_cib ? "a CIB" : "haresources");
}

int serve(Arguments arguments, Configuration configuration, Log& log) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  const int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
  replicator::uring::ReactorOptions reactor_options;
  reactor_options.poll = false;
  reactor_options.helper.clear();
  replicator::Result<std::unique_ptr<Reactor>> reactor = Reactor::create(reactor_options);
  if (!reactor) {
    log.write(membership::Severity::error, reactor.error().where());
    return 20;
  }
  Result<Identity> identity = load_identity(arguments.options.state_folder);
  if (!identity) {
    log.write(membership::Severity::error,
              arguments.options.state_folder + ": " + identity.error().where());
    return 20;
  }
  // Late heartbeats are lost ones: memory that is paged out makes them late.
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
    log.write(membership::Severity::warning, "memory can't be locked");
  }
  go_realtime(configuration.cf, log);
  const std::string status = service_status(configuration);
  Had had(**reactor, std::move(arguments.options), std::move(configuration), std::move(*identity),
          log);
  if (!(*reactor)->run_task(had.start())) return 6;
  ServiceNotice notice(arguments.manager);
  notice.ready(status);
  Task<void> watch = watch_signals(**reactor, signal_fd, had, notice);
  watch.start();
  Task<void> telling = notice.keep_telling((*reactor)->world().clock, [&status] { return status; });
  telling.start();
  (*reactor)->run([&had] { return had.done(); });
  (*reactor)->run_task(had.stop());
  // The pending tasks end with the process.
  std::fflush(nullptr);
  _exit(0);
}

}  // namespace

int main(int count, char** words) {
  Arguments arguments;
  const ServiceManager manager = ServiceNotice::take_from_environment();
  if (!parse(count, words, arguments)) {
    std::fputs(usage, stderr);
    return 20;
  }
  Configuration configuration = load(arguments.options.config_folder, arguments.options.cib_folder);
  for (const membership::RespawnedProgram& program : configuration.cf.respawn)
    configuration.diagnostics.push_back(membership::Diagnostic{
        membership::Severity::warning, arguments.options.config_folder + "/ha.cf", program.line,
        "respawn " + program.command + ": accepted, without effect"});
  for (const membership::Diagnostic& diagnostic : configuration.diagnostics)
    complain(diagnostic);
  if (membership::any_error(configuration.diagnostics)) {
    complain(membership::Diagnostic{membership::Severity::error, "", 0,
                                    "Configuration error, heartbeat not started."});
    return 6;
  }
  if (arguments.check) return 0;
  Log log;
  if (!log.open(configuration.own_node, configuration.cf.log_file, configuration.cf.debug_file,
                configuration.cf.log_facility, arguments.foreground)) {
    std::perror("pollux-had: log file");
    return 6;
  }
  if (arguments.foreground) arguments.manager = manager;
  else if (::daemon(0, 0) != 0) {
    std::perror("pollux-had");
    return 20;
  }
  log.write(membership::Severity::info, "**************************");
  log.write(membership::Severity::info, "Configuration validated. Starting heartbeat (pollux-had)");
  return serve(std::move(arguments), std::move(configuration), log);
}
