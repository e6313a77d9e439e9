#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "doctor/gather.hpp"
#include "doctor/parse.hpp"
#include "nbd/netlink.hpp"
#include "ublk/control.hpp"
#include "uring/reactor.hpp"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

namespace replicator::doctor {

namespace {

constexpr std::uint32_t answer_deadline_ms = 5000;

bool can_open(const char* path) {
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

Module look_for(const char* device, const char* module, const std::string& release) {
  if (can_open(device)) return Module::present;
  const std::string folder = "/lib/modules/" + release + "/";
  const bool known = lists_module(file_text(folder + "modules.dep"), module) ||
                     lists_module(file_text(folder + "modules.builtin"), module);
  // A module that is loaded and has no device here: a container that was not given it.
  const bool loaded = access((std::string("/sys/module/") + module).c_str(), F_OK) == 0;
  return known && !loaded ? Module::on_disk : Module::absent;
}

void look_at_io_uring(KernelFacts& facts) {
  const std::string setting = file_text("/proc/sys/kernel/io_uring_disabled");
  if (!setting.empty()) facts.io_uring_disabled = std::atoi(setting.c_str());
  uring::ReactorOptions options;
  options.poll = false;
  options.helper.clear();
  const Result<std::unique_ptr<uring::Reactor>> reactor = uring::Reactor::create(options);
  if (reactor) {
    facts.io_uring_features = (*reactor)->features();
  } else {
    facts.io_uring_problem = reactor.error().where();
    facts.io_uring_error = reactor.error().error_number();
  }
}

enum Outcome : unsigned char { locked = 1, flusher = 2, oom = 4 };

bool write_text(const char* path, const char* text) {
  std::FILE* file = std::fopen(path, "we");
  if (file == nullptr) return false;
  const bool written = std::fputs(text, file) >= 0;
  return std::fclose(file) == 0 && written;
}

// In a process of its own, as none of it is to stay.
unsigned try_as_daemon() {
  const pid_t child = fork();
  if (child == 0) {
    unsigned outcome = 0;
    if (mlockall(MCL_CURRENT | MCL_FUTURE) == 0) outcome |= locked;
    if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) == 0) outcome |= flusher;
    if (write_text("/proc/self/oom_score_adj", "-1000")) outcome |= oom;
    _exit(static_cast<int>(outcome));
  }
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return child > 0 && WIFEXITED(status) ? static_cast<unsigned>(WEXITSTATUS(status)) : 0;
}

unsigned look_at_daemon(std::uint32_t pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  unsigned outcome = 0;
  if (locked_kib(file_text(process + "/status")) > 0) outcome |= locked;
  if (is_io_flusher(file_text(process + "/stat"))) outcome |= flusher;
  if (std::atoi(file_text(process + "/oom_score_adj").c_str()) == -1000) outcome |= oom;
  return outcome;
}

DaemonState ask(const control::Client& client, std::uint32_t& pid) {
  control::Request request;
  request.command = "ping";
  const Result<control::Reply> reply = client.call(request, answer_deadline_ms);
  if (reply) {
    pid = static_cast<std::uint32_t>(control::data_number(*reply, "pid"));
    return DaemonState::answers;
  }
  if (reply.error().fault() == Fault::not_found) return DaemonState::absent;
  return reply.error().fault() == Fault::not_permitted ? DaemonState::forbidden
                                                       : DaemonState::silent;
}

}  // namespace

std::string file_text(const std::string& path) {
  std::string text;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char piece[65536];
  for (;;) {
    const ssize_t got = read(fd, piece, sizeof piece);
    if (got <= 0) break;
    text.append(piece, static_cast<std::size_t>(got));
  }
  close(fd);
  return text;
}

KernelFacts gather_kernel() {
  KernelFacts facts;
  utsname names{};
  if (uname(&names) == 0) facts.release = names.release;
  facts.ublk = look_for("/dev/ublk-control", "ublk_drv", facts.release);
  // Its door is netlink, not a device.
  facts.nbd = access("/sys/module/nbd", F_OK) == 0 ? Module::present
                                                   : look_for("/dev/nbd0", "nbd", facts.release);
  facts.fuse = look_for("/dev/fuse", "fuse", facts.release);
  facts.loop = look_for("/dev/loop-control", "loop", facts.release);
  look_at_io_uring(facts);
  if (facts.ublk == Module::present && facts.io_uring_problem.empty()) {
    shim::ublk::DriverControl control;
    const Result<std::uint64_t> offered = shim::ublk::offered_features(control);
    if (!offered) facts.ublk_problem = offered.error().where();
  }
  if (facts.nbd == Module::present) {
    const Status client = shim::kernel_nbd::look_for_client();
    if (!client.ok()) facts.nbd_problem = client.where();
  }
  return facts;
}

ProtectionFacts gather_protection(const control::Client& client) {
  ProtectionFacts facts;
  facts.daemon = ask(client, facts.daemon_pid);
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
    facts.lock_limit = limit.rlim_cur == RLIM_INFINITY ? ~std::uint64_t{0} : limit.rlim_cur;
  }
  const bool runs = facts.daemon == DaemonState::answers && facts.daemon_pid != 0;
  const unsigned outcome = runs ? look_at_daemon(facts.daemon_pid) : try_as_daemon();
  facts.memory_locked = (outcome & locked) != 0;
  facts.io_flusher = (outcome & flusher) != 0;
  facts.oom_protected = (outcome & oom) != 0;
  return facts;
}

}  // namespace replicator::doctor
