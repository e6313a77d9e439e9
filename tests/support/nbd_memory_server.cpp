// nbd-memory-server SOCKET MIB [primary|secondary|read-only]: the NBD front end over the real
// reactor with a volume in memory. For integration tests with real clients and for measuring the
// front end alone. Ends at SIGTERM as the daemon does.
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "frontend/nbd/server.hpp"
#include "tests/support/memory_block_device.hpp"
#include "uring/reactor.hpp"

namespace {

using namespace replicator;

Task<int> serve(uring::Reactor& reactor, NbdServer& server, const char* path, int signals) {
  const Status listening = server.listen(path);
  if (!listening.ok()) {
    std::fprintf(stderr, "%s: %s: %s\n", path, listening.where(), text(listening.fault()));
    co_return 1;
  }
  io::Op op;
  reactor.poll_readable(op, signals);
  co_await op;
  Task<void> stopping = server.stop();
  co_await stopping;
  co_return 0;
}

int termination_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::fprintf(stderr, "usage: %s SOCKET MIB [primary|secondary|read-only]\n", arguments[0]);
    return 2;
  }
  const std::string_view role = count > 3 ? arguments[3] : "primary";
  uring::ReactorOptions options;
  options.buffer_bytes = 64U << 20U;
  Result<std::unique_ptr<uring::Reactor>> reactor = uring::Reactor::create(options);
  if (!reactor) {
    std::fprintf(stderr, "%s\n", reactor.error().where());
    return 1;
  }
  test::MemoryBlockDevice device(std::strtoull(arguments[2], nullptr, 10) << 20U);
  device.limits_now.writable = role == "primary";
  if (role == "secondary") device.open_result = Status(Fault::read_only);
  NbdServer server((*reactor)->world(), (*reactor)->buffers(), device, "r0/0");
  const int signals = termination_signals();
  return (*reactor)->run_task(serve(**reactor, server, arguments[1], signals));
}
