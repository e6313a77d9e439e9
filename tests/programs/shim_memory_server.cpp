// A volume in memory behind the kernel shim, without an engine: for tests of the shim and for
// measuring what it costs. Commands come on standard input, one a line, and each is answered with
// one line on standard output:
//   promote | demote | resize MIB | users | counts | disk PATH | fail on|off | hold on|off | quit
// Usage: shim_memory_server RESOURCE VOLUME MINOR MIB
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "devices/fuse_loop.hpp"
#include "devices/kernel_device.hpp"
#include "devices/volume_mounts.hpp"
#include "fuse/proc_file.hpp"
#include "tests/support/counting_block_device.hpp"
#include "uring/reactor.hpp"

namespace replicator::tests {
namespace {

std::uint32_t number(std::string_view text) {
  std::uint32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

constexpr std::uint64_t mib = 1U << 20U;

class Server {
 public:
  Server(uring::Reactor& reactor, shim::DeviceNames names, std::uint64_t size)
      : reactor_(reactor), names_(std::move(names)), device_(ByteCount(size)) {}

  Task<void> run();

 private:
  Task<Status> start();
  Task<std::string> obey(std::string line);
  Task<std::string> users();
  [[nodiscard]] std::string counts() const;
  Task<bool> next_line(std::string& line);
  Task<void> stop();

  uring::Reactor& reactor_;
  shim::DeviceNames names_;
  CountingBlockDevice device_;
  io::BufferPool pool_{64 * mib};
  std::unique_ptr<shim::ProcFile> proc_;
  std::unique_ptr<shim::ReceiveBuffers> buffers_ = shim::buffers_of_volumes();
  shim::keeper::Client no_keeper_{shim::FileDescriptor()};
  std::unique_ptr<shim::KernelDevice> kernel_device_;
  std::string input_;
  std::uint64_t opened_ = 0;
};

std::string result(const Status& status) {
  return status.ok() ? "ok"
                     : fmt::format("{} ({}, errno {})", text(status.fault()), status.where(),
                                   status.error_number());
}

Task<Status> Server::start() {
  const auto generate = [this] { return fmt::format("opened {} times\n", ++opened_); };
  Result<std::unique_ptr<shim::ProcFile>> proc = co_await shim::ProcFile::mount(reactor_, generate);
  if (!proc) co_return proc.error();
  proc_ = std::move(*proc);
  const shim::VolumeMounts mounts{reactor_, *buffers_, no_keeper_, false};
  std::unique_ptr<shim::Attachment> attachment = std::make_unique<shim::FuseLoopAttachment>(
      mounts, device_, pool_, fmt::format("{}-{}", names_.resource, names_.volume), names_.minor,
      std::nullopt);
  Result<std::unique_ptr<shim::KernelDevice>> created =
      co_await shim::KernelDevice::create(reactor_, std::move(attachment), names_);
  if (!created) co_return created.error();
  kernel_device_ = std::move(*created);
  co_return Status();
}

Task<std::string> Server::users() {
  const std::vector<shim::DeviceUser> found = co_await kernel_device_->users();
  std::string line = found.empty() ? "nobody" : "";
  for (const shim::DeviceUser& user : found)
    line += (line.empty() ? "" : "; ") + text(user);
  co_return line;
}

std::string Server::counts() const {
  const CountingBlockDevice::Counts& n = device_.counts();
  return fmt::format(
      "reads={} writes={} flushes={} discards={} zeroes={} unmapping={} largest={} copied={} "
      "openers={} writers={}",
      n.reads, n.writes, n.flushes, n.discards, n.zeroes, n.unmapping_zeroes, n.largest, n.copied,
      device_.openers(), device_.writers());
}

Task<std::string> Server::obey(std::string line) {
  const std::string verb = line.substr(0, line.find(' '));
  const std::string word = verb.size() < line.size() ? line.substr(verb.size() + 1) : "";
  Status status;
  if (verb == "promote") {
    status = co_await kernel_device_->promote();
  } else if (verb == "demote") {
    status = co_await kernel_device_->demote();
  } else if (verb == "resize") {
    device_.resize(ByteCount(number(word) * mib));
    status = co_await kernel_device_->resize();
  } else if (verb == "disk") {
    status = co_await kernel_device_->set_backing_disk(word);
  } else if (verb == "users") {
    co_return co_await users();
  } else if (verb == "counts") {
    co_return counts();
  } else if (verb == "fail") {
    device_.fail_with(word == "on" ? Status(Fault::io_error) : Status());
  } else if (verb == "hold") {
    device_.hold(word == "on");
  } else {
    co_return "unknown command";
  }
  co_return result(status);
}

// False at the end of the input.
Task<bool> Server::next_line(std::string& line) {
  std::size_t end = 0;
  while ((end = input_.find('\n')) == std::string::npos) {
    io::Op readable;
    reactor_.poll_readable(readable, STDIN_FILENO);
    co_await readable;
    char part[512];
    const ssize_t got = read(STDIN_FILENO, part, sizeof part);
    if (got <= 0) co_return false;
    input_.append(part, static_cast<std::size_t>(got));
  }
  line = input_.substr(0, end);
  input_.erase(0, end + 1);
  co_return true;
}

Task<void> Server::stop() {
  if (kernel_device_) co_await kernel_device_->remove();
  kernel_device_.reset();
  if (proc_) co_await proc_->unmount();
}

Task<void> Server::run() {
  const Status started = co_await start();
  fmt::print("{}\n", result(started));
  std::string line;
  bool more = started.ok();
  while (more) {
    std::fflush(stdout);
    more = co_await next_line(line);
    if (!more || line == "quit") break;
    const std::string answer = co_await obey(line);
    fmt::print("{}\n", answer);
  }
  co_await stop();
  fmt::print("bye\n");
}

}  // namespace
}  // namespace replicator::tests

int main(int count, char** words) {
  using namespace replicator;
  if (count != 5) return 2;
  shim::DeviceNames names;
  names.resource = words[1];
  names.volume = tests::number(words[2]);
  names.minor = tests::number(words[3]);
  Result<std::unique_ptr<uring::Reactor>> reactor = uring::Reactor::create({});
  if (!reactor) {
    fmt::print(stderr, "{}\n", reactor.error().where());
    return 1;
  }
  tests::Server server(**reactor, names, tests::number(words[4]) * tests::mib);
  (*reactor)->run_task(server.run());
  return 0;
}
