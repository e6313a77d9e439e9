#include "monitor/command.hpp"

#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

extern char** environ;

namespace replicator::monitor {
namespace {

constexpr std::size_t most_output = 65536;
constexpr int exit_not_run = 127;
constexpr int exit_by_signal = 128;

// Nothing to read from, both outputs into the pipe, and the signals as a shell leaves them.
int spawn(const std::vector<std::string>& words, int into, pid_t& child) {
  std::vector<std::string> copy = words;
  std::vector<char*> arguments;
  for (std::string& word : copy)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, into, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, into, STDERR_FILENO);
  sigset_t usual;
  ::sigemptyset(&usual);
  for (const int signal : {SIGPIPE, SIGTSTP, SIGWINCH})
    ::sigaddset(&usual, signal);
  ::posix_spawnattr_setsigdefault(&attributes, &usual);
  // A group of its own: what interrupts drbdmon at the terminal does not cut a command in two.
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  const int error =
      ::posix_spawnp(&child, arguments[0], &files, &attributes, arguments.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  return error;
}

}  // namespace

Command::~Command() { close_pipe(); }

void Command::close_pipe() noexcept {
  if (pipe_ >= 0) ::close(pipe_);
  pipe_ = -1;
}

bool Command::start(const std::vector<std::string>& words) {
  output_.clear();
  close_pipe();
  int ends[2] = {-1, -1};
  int error = ::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0 ? 0 : errno;
  if (error == 0) {
    // The command itself writes as usual.
    ::fcntl(ends[1], F_SETFL, 0);
    error = spawn(words, ends[1], child_);
    ::close(ends[1]);
    pipe_ = ends[0];
  }
  if (error == 0) return true;
  close_pipe();
  child_ = -1;
  exit_code_ = exit_not_run;
  output_ = words.front() + " could not be started: " + std::strerror(error) + "\n";
  return false;
}

void Command::drain() {
  char buffer[4096];
  while (pipe_ >= 0) {
    const ssize_t got = ::read(pipe_, buffer, sizeof buffer);
    if (got > 0) {
      const auto size = static_cast<std::size_t>(got);
      if (output_.size() + size <= most_output) output_.append(buffer, size);
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else {
      if (got == 0 || errno != EAGAIN) close_pipe();
      return;
    }
  }
}

// A child of the command may hold the pipe: its own end counts.
bool Command::look() {
  drain();
  int status = 0;
  if (!running() || ::waitpid(child_, &status, WNOHANG) == 0) return false;
  child_ = -1;
  drain();
  close_pipe();
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : exit_by_signal + WTERMSIG(status);
  return true;
}

std::string drbdadm_program() {
  char self[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self - 1);
  if (length > 0) {
    const std::string path(self, static_cast<std::size_t>(length));
    std::string beside = path.substr(0, path.rfind('/') + 1) + "drbdadm";
    if (::access(beside.c_str(), X_OK) == 0) return beside;
  }
  return "drbdadm";
}

}  // namespace replicator::monitor
