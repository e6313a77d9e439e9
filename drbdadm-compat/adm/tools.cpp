#include "adm/tools.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/ensure.hpp"
#include "command/drbdsetup.hpp"
#include "metatool/drbdmeta.hpp"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

extern char** environ;

namespace replicator::adm {
namespace {

constexpr std::uint32_t answer_deadline_ms = 5000;
constexpr int exit_fatal = 20;
constexpr const char* run_directory = "/run/pollux";
constexpr const char* service_unit = "pollux.service";
constexpr const char* service_program = "/usr/sbin/polluxd";  // what the unit starts
constexpr const char* remembered = "/run/pollux/config";

// The daemon of the same installation: beside this program, else wherever PATH finds one.
std::string daemon_program() {
  char self[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self - 1);
  if (length > 0) {
    const std::string path(self, static_cast<std::size_t>(length));
    std::string beside = path.substr(0, path.rfind('/') + 1) + "polluxd";
    if (::access(beside.c_str(), X_OK) == 0) return beside;
  }
  return "polluxd";
}

// Where systemd runs it, it gets what its unit says, and ends after the file systems on its
// devices.
bool belongs_to_service(const std::string& program) {
  constexpr const char* units[] = {"/etc/systemd/system/", "/lib/systemd/system/"};
  if (program != service_program || ::access("/run/systemd/system", F_OK) != 0) return false;
  return std::any_of(std::begin(units), std::end(units), [](const char* folder) {
    return ::access((std::string(folder) + service_unit).c_str(), F_OK) == 0;
  });
}

// Empty, or why it did not work.
std::string run_and_wait(const std::string& program, std::vector<std::string> words) {
  words.insert(words.begin(), program);
  std::vector<char*> arguments;
  for (std::string& word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int error =
      ::posix_spawnp(&child, program.c_str(), nullptr, nullptr, arguments.data(), environ);
  if (error != 0) return program + " could not be started: " + std::strerror(error);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return program + ": waiting for it failed: " + std::strerror(errno);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return program + " did not start; its log or 'polluxd --foreground' says why";
}

std::string numeric(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
  } else if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  }
  return text;
}

std::vector<std::string> local_addresses() {
  std::vector<std::string> addresses;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return addresses;
  for (const ifaddrs* item = list; item != nullptr; item = item->ifa_next) {
    if (item->ifa_addr == nullptr) continue;
    std::string text = numeric(*item->ifa_addr);
    if (!text.empty()) addresses.push_back(std::move(text));
  }
  ::freeifaddrs(list);
  return addresses;
}

// Given back what the daemon took for itself and left to its children.
void be_an_ordinary_process() {
  ::prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0);
  if (std::FILE* file = std::fopen("/proc/self/oom_score_adj", "we")) {
    std::fputs("0", file);
    std::fclose(file);
  }
}

}  // namespace

int LocalTools::drbdsetup(std::span<const std::string> arguments) {
  return command::run_drbdsetup(arguments, console_.out, console_.err, client_);
}

int LocalTools::drbdmeta(std::span<const std::string> arguments) {
  return metatool::run_drbdmeta(arguments, stdin, console_.out, console_.err);
}

bool LocalTools::daemon_runs() const {
  control::Request request;
  request.command = "ping";
  const Result<control::Reply> reply = client_.call(request, answer_deadline_ms);
  // One that is there but does not answer must not get a rival.
  return reply.has_value() || reply.error().fault() != Fault::not_found;
}

std::string LocalTools::start_daemon() {
  if (daemon_runs()) return {};
  const std::string program = daemon_program();
  if (belongs_to_service(program) &&
      run_and_wait("systemctl", {"--quiet", "start", service_unit}).empty() && daemon_runs()) {
    return {};
  }
  std::string problem = run_and_wait(program, {"--background"});
  // Two calls may have started one each: the second gives way to the first.
  if (problem.empty() || daemon_runs()) return {};
  return problem;
}

// A folder is removed only when it is empty; the daemon makes it again.
bool LocalTools::devices_wait() {
  if (daemon_runs()) return false;
  for (const char* records : {"/run/pollux/ublk", "/run/pollux/nbd-devices", "/run/pollux/loop"})
    if (::rmdir(records) != 0 && errno == ENOTEMPTY) return true;
  return false;
}

std::vector<control::ResourceShow> LocalTools::running() {
  control::Request request;
  request.command = "show";
  request.object = "all";
  const Result<control::Reply> reply = client_.call(request, answer_deadline_ms);
  if (!reply) return {};
  Result<std::vector<control::ResourceShow>> shown = control::decode_show(reply->data);
  if (!shown) return {};
  return std::move(*shown);
}

std::vector<ResourceStatus> LocalTools::status() {
  control::Request request;
  request.command = "status";
  request.object = "all";
  const Result<control::Reply> reply = client_.call(request, answer_deadline_ms);
  if (!reply) return {};
  Result<std::vector<ResourceStatus>> decoded = control::decode_status(reply->data);
  if (!decoded) return {};
  return std::move(*decoded);
}

metatool::DiskFacts LocalTools::look_at_disk(const config::LocalVolume& volume) {
  return metatool::look_at_disk(volume.disk, volume.meta_disk, volume.meta_index);
}

int LocalTools::run_handler(const std::string& command,
                            const std::vector<std::pair<std::string, std::string>>& told) {
  for (const auto& [name, value] : told)
    ::setenv(name.c_str(), value.c_str(), 1);
  be_an_ordinary_process();
  std::string words[] = {"sh", "-c", command};
  char* const arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  pid_t child = 0;
  if (::posix_spawn(&child, "/bin/sh", nullptr, nullptr, arguments, environ) != 0) {
    return exit_fatal;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return exit_fatal;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : exit_fatal;
}

void LocalTools::remember_config(const std::string& object, const std::string& path) {
  if (object.find('/') != std::string::npos) return;
  ::mkdir(run_directory, 0755);
  ::mkdir(remembered, 0755);
  const std::string link = std::string(remembered) + "/" + object;
  const std::string fresh = link + "." + std::to_string(::getpid());
  if (::symlink(path.c_str(), fresh.c_str()) != 0) return;
  if (::rename(fresh.c_str(), link.c_str()) != 0) ::unlink(fresh.c_str());
}

std::string LocalTools::remembered_config(const std::string& object) {
  if (object.find('/') != std::string::npos) return {};
  char path[PATH_MAX];
  const std::string link = std::string(remembered) + "/" + object;
  const ssize_t length = ::readlink(link.c_str(), path, sizeof path);
  return length > 0 ? std::string(path, static_cast<std::size_t>(length)) : std::string();
}

std::string LocalTools::random_identifier() {
  std::uint64_t value = 0;
  ensure(::getrandom(&value, sizeof value, 0) == static_cast<ssize_t>(sizeof value));
  return fmt::format("{:016X}", value);
}

int LocalTools::begin_wait(std::span<const std::string> arguments) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child != 0) return child;
  // It says nothing into a dialogue, and ends with its parent.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    ::dup2(null, standard);
  ::_exit(drbdsetup(arguments));
}

bool LocalTools::wait_ended(int handle) {
  int status = 0;
  const pid_t child = ::waitpid(handle, &status, WNOHANG);
  return child == handle || (child < 0 && errno == ECHILD);
}

void LocalTools::end_wait(int handle) {
  ::kill(handle, SIGTERM);
  int status = 0;
  while (::waitpid(handle, &status, 0) < 0 && errno == EINTR) {
  }
}

bool LocalTools::terminal() {
  return ::isatty(STDIN_FILENO) != 0 && ::isatty(fileno(console_.out)) != 0;
}

std::string LocalTools::line_or_pause(unsigned milliseconds) {
  // Without a terminal nobody is asked: what stands on standard input is for somebody else.
  pollfd input{terminal() ? STDIN_FILENO : -1, POLLIN, 0};
  if (::poll(&input, 1, static_cast<int>(milliseconds)) <= 0) return {};
  char line[128];
  const ssize_t length = ::read(STDIN_FILENO, line, sizeof line);
  if (length <= 0) {
    ::poll(nullptr, 0, static_cast<int>(milliseconds));
    return {};
  }
  const std::string text(line, static_cast<std::size_t>(length));
  const std::string first = text.substr(0, text.find('\n'));
  return first.empty() ? std::string("no") : first;
}

config::HostFacts LocalTools::host() {
  config::HostFacts facts;
  utsname names{};
  ::uname(&names);
  const char* told = std::getenv("__DRBD_NODE__");
  facts.node_name = told != nullptr && *told != '\0' ? told : names.nodename;
  facts.addresses = local_addresses();
  return facts;
}

}  // namespace replicator::adm
