// The program that runs handlers, really run: wait status, environment, time limit, cancel.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "io/sync.hpp"
#include "uring/reactor.hpp"

namespace replicator::uring {
namespace {

class HelperTest : public testing::Test {
 protected:
  HelperTest() {
    char name[] = "/tmp/pollux-helper.XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~HelperTest() override {
    unlink(path("program").c_str());
    unlink(path("out").c_str());
    rmdir(folder_.c_str());
  }
  [[nodiscard]] std::string path(const char* name) const { return folder_ + "/" + name; }
  void program(const std::string& script, Duration patience = Duration::seconds(60)) {
    std::FILE* file = std::fopen(path("program").c_str(), "we");
    ASSERT_NE(file, nullptr);
    std::fprintf(file, "#!/bin/sh\n%s\n", script.c_str());
    std::fclose(file);
    chmod(path("program").c_str(), 0755);
    ReactorOptions options;
    options.helper = path("program");
    options.helper_patience = patience;
    Result<std::unique_ptr<Reactor>> made = Reactor::create(options);
    ASSERT_TRUE(made.has_value());
    reactor_ = std::move(*made);
  }
  std::string output() const {
    std::string text;
    if (std::FILE* file = std::fopen(path("out").c_str(), "re")) {
      char chunk[1024];
      const std::size_t got = std::fread(chunk, 1, sizeof chunk, file);
      text.assign(chunk, got);
      std::fclose(file);
    }
    return text;
  }
  std::string folder_;
  std::unique_ptr<Reactor> reactor_;
};

Task<std::int32_t> call(io::World& world, io::HelperCall what) {
  io::Op op;
  world.helper.run(op, what);
  co_return co_await op;
}

Task<std::int32_t> call_and_cancel(io::World& world, io::HelperCall what, Duration after) {
  io::Op op;
  world.helper.run(op, what);
  io::Op sleep;
  world.clock.sleep(sleep, after);
  co_await sleep;
  world.helper.cancel(op);
  co_return co_await op;
}

io::HelperCall split_brain() { return {"split-brain", "minor-3", "ipv4", "10.77.0.2"}; }

TEST_F(HelperTest, GetsTheHandlerItsObjectAndTheKernelsEnvironment) {
  program("echo \"$*\" > " + path("out") + "; env | sort >> " + path("out") + "; exit 7");
  EXPECT_EQ(reactor_->run_task(call(reactor_->world(), split_brain())), 7 << 8);
  const std::string said = output();
  EXPECT_EQ(said.find("split-brain minor-3\n"), 0U) << said;
  for (const char* line : {"DRBD_PEER_ADDRESS=10.77.0.2\n", "DRBD_PEER_AF=ipv4\n", "HOME=/\n",
                           "PATH=/sbin:/usr/sbin:/bin:/usr/bin\n", "TERM=linux\n"}) {
    EXPECT_NE(said.find(line), std::string::npos) << line;
  }
}

TEST_F(HelperTest, ASignalIsSeenInTheWaitStatus) {
  program("kill -KILL $$");
  EXPECT_EQ(reactor_->run_task(call(reactor_->world(), split_brain())), SIGKILL);
}

TEST_F(HelperTest, ASignalMaskOfOursDoesNotReachIt) {
  sigset_t term;
  sigset_t before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &term, &before);
  program("kill -TERM $$; exit 1");
  EXPECT_EQ(reactor_->run_task(call(reactor_->world(), split_brain())), SIGTERM);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_F(HelperTest, OneThatIsNotThereIsAnError) {
  program("exit 0");
  unlink(path("program").c_str());
  EXPECT_EQ(reactor_->run_task(call(reactor_->world(), split_brain())), -ENOENT);
}

TEST_F(HelperTest, OneThatDoesNotEndIsKilledWithItsChildren) {
  program("sleep 1000 & echo $! > " + path("out") + "; wait", Duration::milliseconds(300));
  EXPECT_EQ(reactor_->run_task(call(reactor_->world(), split_brain())), -ETIMEDOUT);
  const pid_t child = std::atoi(output().c_str());
  ASSERT_GT(child, 1);
  // Its child was killed too; whoever took it in may not have buried it yet.
  for (int i = 0; i < 500 && kill(child, 0) == 0; ++i) {
    const std::string stat = "/proc/" + std::to_string(child) + "/stat";
    std::FILE* file = std::fopen(stat.c_str(), "re");
    char state = 'X';
    if (file != nullptr) {
      if (std::fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 'X';
      std::fclose(file);
    }
    if (state == 'Z' || state == 'X') return;
    usleep(10000);
  }
  EXPECT_NE(kill(child, 0), 0);
}

TEST_F(HelperTest, CancelEndsItAtOnce) {
  program("exec sleep 1000");
  const Instant before = reactor_->world().clock.now();
  EXPECT_EQ(reactor_->run_task(
                call_and_cancel(reactor_->world(), split_brain(), Duration::milliseconds(50))),
            -ECANCELED);
  EXPECT_LT((reactor_->world().clock.now() - before).milliseconds(), 60000);
}

TEST_F(HelperTest, CancelBeforeItIsThereEndsItToo) {
  program("exec sleep 1000");
  EXPECT_EQ(reactor_->run_task(call_and_cancel(reactor_->world(), split_brain(), Duration())),
            -ECANCELED);
}

Task<void> stand_still(Reactor& reactor, int fd) {
  std::function<void()> work = [fd] {
    char byte = 0;
    EXPECT_EQ(read(fd, &byte, 1), 0);
  };
  io::Op op;
  reactor.run_blocking(op, std::move(work));
  co_await op;
}

// What the program said, or nothing when it did not come to that in time.
Task<std::int32_t> call_beside(Reactor& reactor, int count, int read_end, int write_end) {
  io::Gate still;
  for (int i = 0; i < count; ++i)
    still.start(stand_still(reactor, read_end));
  const io::HelperCall what = split_brain();
  io::Op op;
  reactor.world().helper.run(op, what);
  io::Clock& clock = reactor.world().clock;
  const Instant until = clock.now() + Duration::seconds(10);
  while (op.in_flight() && clock.now() < until) {
    io::Op pause;
    clock.sleep(pause, Duration::milliseconds(5));
    co_await pause;
  }
  const bool in_time = !op.in_flight();
  close(write_end);
  co_await still.close();
  const std::int32_t status = co_await op;
  co_return in_time ? status : -ETIMEDOUT;
}

TEST_F(HelperTest, StartsWhateverStandsStill) {
  program("exit 3");
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  EXPECT_EQ(reactor_->run_task(call_beside(*reactor_, 50, ends[0], ends[1])), 3 << 8);
  close(ends[0]);
}

}  // namespace
}  // namespace replicator::uring
