// The system's log as a socket that nobody reads for a while.
#include "daemon/system_log.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

namespace replicator {
namespace {

class SystemLogTest : public testing::Test {
 protected:
  SystemLogTest() {
    EXPECT_NE(mkdtemp(folder_), nullptr);
    path_ = std::string(folder_) + "/log";
  }
  ~SystemLogTest() override {
    stop_service();
    rmdir(folder_);
  }
  void start_service() {
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  void stop_service() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    unlink(path_.c_str());
  }
  std::string next() const {
    char line[512];
    const ssize_t got = recv(fd_, line, sizeof line, 0);
    return got < 0 ? std::string() : std::string(line, static_cast<std::size_t>(got));
  }
  char folder_[32] = "/tmp/pollux-log-XXXXXX";
  std::string path_;
  int fd_ = -1;
};

TEST_F(SystemLogTest, a_line_has_its_priority_and_the_programs_name) {
  start_service();
  SystemLog log(path_);
  log.add(log::Level::error, "r0/0 went away");
  const std::string line = next();
  EXPECT_EQ(line.substr(0, 4), "<27>");
  const std::string end = " polluxd[" + std::to_string(getpid()) + "]: r0/0 went away";
  ASSERT_GT(line.size(), end.size());
  EXPECT_EQ(line.substr(line.size() - end.size()), end);
  EXPECT_EQ(log.lost(), 0U);
}

TEST_F(SystemLogTest, a_full_log_holds_nobody_up_and_what_was_lost_is_told) {
  start_service();
  SystemLog log(path_);
  int sent = 0;
  while (log.lost() < 3 && sent < 100000) {
    log.add(log::Level::info, "a line");
    ++sent;
  }
  ASSERT_EQ(log.lost(), 3U) << "the queue never became full";
  for (int i = 0; i < sent - 3; ++i)
    EXPECT_NE(next().find(": a line"), std::string::npos);
  log.add(log::Level::info, "afterwards");
  EXPECT_NE(next().find(": lines lost: 3"), std::string::npos);
  EXPECT_NE(next().find(": afterwards"), std::string::npos);
  EXPECT_EQ(log.lost(), 0U);
}

TEST_F(SystemLogTest, a_service_that_starts_again_is_found_again) {
  SystemLog log(path_);
  log.add(log::Level::info, "nobody there");
  EXPECT_EQ(log.lost(), 1U);
  start_service();
  log.add(log::Level::info, "first");
  EXPECT_NE(next().find(": lines lost: 1"), std::string::npos);
  EXPECT_NE(next().find(": first"), std::string::npos);
  stop_service();
  start_service();
  log.add(log::Level::info, "second");
  EXPECT_NE(next().find(": second"), std::string::npos);
  EXPECT_EQ(log.lost(), 0U);
}

}  // namespace
}  // namespace replicator
