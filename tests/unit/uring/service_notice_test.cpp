// What the environment says about a service manager, and what arrives at its socket.
#include "uring/service_notice.hpp"

#include <gtest/gtest.h>

namespace replicator::uring {
namespace {

struct Row {
  const char* what;
  const char* socket;
  const char* usec;
  const char* pid;
  bool heard;
  std::int64_t watchdog_ms;
};

const Row rows[] = {
    {"nobody", "", "", "", false, 0},
    {"a path", "/run/systemd/notify", "", "", true, 0},
    {"an abstract name", "@notify", "30000000", "", true, 30000},
    {"about us", "/n", "2000", "7", true, 2},
    {"about another", "/n", "2000", "8", true, 0},
    {"no socket, no watchdog", "", "2000", "7", false, 0},
    {"relative", "notify", "2000", "7", false, 0},
    {"no name", "@", "2000", "7", false, 0},
    {"vsock is not understood", "vsock:2:1234", "2000", "7", false, 0},
    {"no number", "/n", "soon", "7", true, 0},
    {"negative", "/n", "-5", "7", true, 0},
    {"beyond reason", "/n", "18446744073709551615", "7", true, 0},
};

TEST(ServiceNotice, UnderstandsTheEnvironment) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    const ServiceManager manager = parse_service_manager(row.socket, row.usec, row.pid, 7);
    EXPECT_EQ(manager.socket, row.heard ? row.socket : "");
    EXPECT_EQ(manager.watchdog.milliseconds(), row.watchdog_ms);
  }
  EXPECT_TRUE(parse_service_manager("/" + std::string(200, 'x'), "", "", 7).socket.empty());
}

TEST(ServiceNotice, TakesTheEnvironmentAway) {
  setenv("NOTIFY_SOCKET", "@pollux-test", 1);
  setenv("WATCHDOG_USEC", "1000000", 1);
  unsetenv("WATCHDOG_PID");
  const ServiceManager manager = ServiceNotice::take_from_environment();
  EXPECT_EQ(manager.socket, "@pollux-test");
  EXPECT_EQ(manager.watchdog, Duration::seconds(1));
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
  EXPECT_EQ(std::getenv("WATCHDOG_USEC"), nullptr);
  ServiceNotice(manager).hand_on();
  const ServiceManager handed_on = ServiceNotice::take_from_environment();
  EXPECT_EQ(handed_on.socket, manager.socket);
  EXPECT_EQ(handed_on.watchdog, manager.watchdog);
  ServiceNotice(ServiceManager()).hand_on();
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
}

}  // namespace
}  // namespace replicator::uring
