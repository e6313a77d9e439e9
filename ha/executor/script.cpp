#include "ha/executor/script.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/sync.hpp"

namespace ha::executor {

namespace io = replicator::io;
using replicator::Task;
using replicator::uring::Reactor;

namespace {

// What a script may write before it is stopped from writing more; looked at now and then.
constexpr std::size_t output_memory = 4U << 20U;
constexpr Duration look_every = Duration::milliseconds(200);

struct Process {
  pid_t pid = 0;
  int process_fd = -1;
  int output_fd = -1;
  int input_fd = -1;
  int error = 0;
};

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> list;
  for (std::string& word : words)
    list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

// A file in memory, not a pipe: a service that the script leaves running may keep it open for ever,
// and neither waits for a reader nor dies of its absence.
int open_output() { return memfd_create("script-output", MFD_CLOEXEC | MFD_ALLOW_SEALING); }

// -1: that failed. No input is /dev/null, opened where it is needed.
int open_input(const std::string& input) {
  const int fd = memfd_create("script-input", MFD_CLOEXEC);
  if (fd < 0) return -1;
  const bool whole = write(fd, input.data(), input.size()) == static_cast<ssize_t>(input.size()) &&
                     lseek(fd, 0, SEEK_SET) == 0;
  if (whole) return fd;
  close(fd);
  return -1;
}

// From now on what is written to it is refused.
void seal_output(int fd) { fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW); }

bool too_much(int fd) {
  struct stat about{};
  return fstat(fd, &about) == 0 && about.st_size > static_cast<off_t>(output_memory);
}

int spawn(const ScriptCall& call, Process& process) {
  std::vector<std::string> arguments{call.path};
  arguments.insert(arguments.end(), call.arguments.begin(), call.arguments.end());
  std::vector<std::string> environment{"HOME=/", "LANG=C"};
  environment.insert(environment.end(), call.environment.begin(), call.environment.end());
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  if (process.input_fd >= 0) posix_spawn_file_actions_adddup2(&files, process.input_fd, 0);
  else posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  for (const int fd : {1, 2})
    posix_spawn_file_actions_adddup2(&files, process.output_fd, fd);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  const int error = posix_spawn(&process.pid, call.path.c_str(), &files, &attributes,
                                pointers(arguments).data(), pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

void start(const ScriptCall& call, Process& process) {
  process.output_fd = open_output();
  if (!call.input.empty()) process.input_fd = open_input(call.input);
  const bool opened = process.output_fd >= 0 && (call.input.empty() || process.input_fd >= 0);
  process.error = opened ? spawn(call, process) : EIO;
  if (process.input_fd >= 0) close(process.input_fd);
  if (process.error != 0) return;
  process.process_fd = static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0));
  if (process.process_fd >= 0) return;
  process.error = errno;
  ::kill(-process.pid, SIGKILL);
  ::waitpid(process.pid, nullptr, 0);
}

// The beginning; nothing of it stays in memory.
std::string take_output(int fd) {
  std::string output(output_limit, '\0');
  const ssize_t got = pread(fd, output.data(), output.size(), 0);
  output.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  if (ftruncate(fd, 0) != 0) output += "\n(the output could not be given back)";
  seal_output(fd);
  return output;
}

int reap(const Process& process) {
  int status = 0;
  if (::waitpid(process.pid, &status, 0) != process.pid) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct Limit {
  io::Op op;
  Instant end;
  bool reached = false;
  bool over = false;  // the script has ended
};

// Time and output.
Task<void> limit_script(Limit& limit, const Process& process, io::Clock& clock) {
  while (!limit.over) {
    if (too_much(process.output_fd)) seal_output(process.output_fd);
    if (clock.now() >= limit.end) {
      limit.reached = true;
      ::kill(-process.pid, SIGKILL);
      co_return;
    }
    const Instant next = std::min(limit.end, clock.now() + look_every);
    clock.sleep_until(limit.op, next);
    co_await limit.op;
  }
}

}  // namespace

Task<ScriptResult> run_script(Reactor& reactor, ScriptCall call) {
  ScriptResult result;
  Process process;
  io::Op started;
  const auto begin = [&call, &process] { start(call, process); };
  reactor.run_blocking(started, begin);
  co_await started;
  if (process.error != 0) {
    if (process.output_fd >= 0) ::close(process.output_fd);
    co_return result;
  }
  Limit limit;
  io::Gate gate;
  io::Clock& clock = reactor.world().clock;
  limit.end = clock.now() + call.deadline;
  gate.start(limit_script(limit, process, clock));
  io::Op gone;
  reactor.poll_readable(gone, process.process_fd);
  co_await gone;
  result.exit_code = reap(process);
  limit.over = true;
  clock.wake(limit.op);
  co_await gate.close();
  result.timed_out = limit.reached;
  result.output = take_output(process.output_fd);
  ::close(process.process_fd);
  ::close(process.output_fd);
  co_return result;
}

}  // namespace ha::executor
