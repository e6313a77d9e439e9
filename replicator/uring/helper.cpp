// Runs the helper program: started by a thread that may block, waited for by the ring, killed when
// its time is over. The daemon's own provisions (blocked signals, a process group, descriptors) do
// not reach it; what only the program itself can give back (its protection from the OOM killer),
// drbdadm does.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "io/sync.hpp"
#include "uring/impl.hpp"

namespace replicator::uring {

namespace {

struct Run {
  io::Op* op = nullptr;
  io::Op* limit = nullptr;  // the sleep of the time limit
  pid_t pid = 0;
  int fd = -1;  // of the process
  std::int32_t failed = 0;
  std::int32_t killed = 0;  // why
  bool up = false;          // the process is there: pid and fd may be looked at
  bool ended = false;
};

// The environment that the kernel gives its helpers.
std::vector<std::string> environment(const io::HelperCall& call) {
  std::vector<std::string> words{"HOME=/", "TERM=linux", "PATH=/sbin:/usr/sbin:/bin:/usr/bin"};
  if (!call.peer_family.empty()) {
    words.push_back("DRBD_PEER_AF=" + call.peer_family);
    words.push_back("DRBD_PEER_ADDRESS=" + call.peer_address);
  }
  return words;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> list;
  for (std::string& word : words)
    list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

std::int32_t spawn(std::vector<std::string> arguments, std::vector<std::string> words, pid_t& pid) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  for (const int fd : {0, 1, 2})
    posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  const int error = posix_spawn(&pid, arguments[0].c_str(), &files, &attributes,
                                pointers(arguments).data(), pointers(words).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return -error;
}

class HelperProcess final : public io::Helper, io::Backend {
 public:
  HelperProcess(Reactor::Impl& impl, std::string program, Duration patience)
      : impl_(impl), program_(std::move(program)), patience_(patience) {}

  [[nodiscard]] const std::string& program() const noexcept override { return program_; }

  void run(io::Op& op, const io::HelperCall& call) override {
    begin(op);
    runs_.push_back(std::make_shared<Run>());
    const std::shared_ptr<Run> run = runs_.back();
    run->op = &op;
    std::vector<std::string> words{program_, call.handler, call.object};
    tasks_.start(supervise(run, std::move(words), environment(call)));
  }

  void cancel(io::Op& op) noexcept override {
    for (const std::shared_ptr<Run>& run : runs_) {
      if (run->op == &op) kill_it(*run, -ECANCELED);
    }
  }

 private:
  void forget(io::Op& op) noexcept override { impl_.forget(op); }

  static void kill_it(Run& run, std::int32_t why) noexcept {
    if (run.ended) return;
    if (run.killed == 0) run.killed = why;
    if (run.up) ::kill(-run.pid, SIGKILL);
  }

  Task<void> supervise(std::shared_ptr<Run> run, std::vector<std::string> arguments,
                       std::vector<std::string> words) {
    io::Op started;
    start(started, *run, std::move(arguments), std::move(words));
    co_await started;
    std::int32_t result = run->failed;
    if (result == 0) {
      run->up = true;
      // Called off before it was there.
      if (run->killed != 0) kill_it(*run, run->killed);
      tasks_.start(limit(run));
      io::Op gone;
      impl_.poll_readable(gone, run->fd);
      co_await gone;
      result = reap(*run);
      if (run->limit != nullptr) impl_.wake_timer(*run->limit);
    }
    run->ended = true;
    std::erase(runs_, run);
    finish(*run->op, run->killed != 0 ? run->killed : result);
  }

  void start(io::Op& op, Run& run, std::vector<std::string> arguments,
             std::vector<std::string> words) {
    const auto begin_program = [&run, arguments = std::move(arguments), words = std::move(words)] {
      run.failed = spawn(arguments, words, run.pid);
      if (run.failed != 0) return;
      run.fd = static_cast<int>(::syscall(SYS_pidfd_open, run.pid, 0));
      if (run.fd >= 0) return;
      // Without a descriptor nobody could wait for it and go on.
      run.failed = -errno;
      ::kill(-run.pid, SIGKILL);
      ::waitpid(run.pid, nullptr, 0);
    };
    impl_.run_blocking(op, begin_program, BlockingPool::Crew::programs);
  }

  static std::int32_t reap(Run& run) {
    int status = 0;
    const pid_t reaped = ::waitpid(run.pid, &status, 0);
    const int error = errno;
    ::close(run.fd);
    return reaped == run.pid ? status : -error;
  }

  Task<void> limit(std::shared_ptr<Run> run) {
    io::Op op;
    run->limit = &op;
    impl_.add_timer(op, Instant(impl_.nanoseconds()) + patience_);
    const std::int32_t woken = co_await op;
    run->limit = nullptr;
    if (woken == 0) kill_it(*run, -ETIMEDOUT);
  }

  Reactor::Impl& impl_;
  std::string program_;
  Duration patience_;
  std::vector<std::shared_ptr<Run>> runs_;
  io::Gate tasks_;
};

}  // namespace

std::unique_ptr<io::Helper> make_helper(Reactor::Impl& impl, const ReactorOptions& options) {
  return std::make_unique<HelperProcess>(impl, options.helper, options.helper_patience);
}

}  // namespace replicator::uring
