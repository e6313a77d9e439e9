// The real world, on loopback and temporary files: every kind of operation, with its failures.
#include "uring/reactor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "io/sync.hpp"

namespace replicator::uring {
namespace {

class ReactorTest : public testing::Test {
 protected:
  ReactorTest() {
    Result<std::unique_ptr<Reactor>> made = Reactor::create(ReactorOptions());
    EXPECT_TRUE(made.has_value()) << made.error().where();
    reactor_ = std::move(*made);
  }
  std::unique_ptr<Reactor> reactor_;
};

Task<std::int32_t> sleep_for(io::World& world, Duration duration) {
  io::Op op;
  world.clock.sleep(op, duration);
  co_return co_await op;
}

TEST_F(ReactorTest, a_sleep_ends_no_earlier_than_asked) {
  const Instant before = reactor_->world().clock.now();
  EXPECT_EQ(reactor_->run_task(sleep_for(reactor_->world(), Duration::milliseconds(20))), 0);
  EXPECT_GE((reactor_->world().clock.now() - before).milliseconds(), 20);
}

Task<void> sleep_and_note(io::World& world, Duration duration, io::Op*& place,
                          std::int32_t& result) {
  io::Op op;
  place = &op;
  world.clock.sleep(op, duration);
  result = co_await op;
}

TEST_F(ReactorTest, a_sleep_can_be_woken) {
  io::Op* place = nullptr;
  std::int32_t result = 1;
  io::RunQueue queue;
  io::Gate gate;
  {
    const io::RunQueue::Scope scope(queue);
    gate.start(sleep_and_note(reactor_->world(), Duration::seconds(100), place, result));
    reactor_->world().clock.wake(*place);
    queue.run_all();
  }
  EXPECT_EQ(result, -ECANCELED);
}

struct TempFile {
  TempFile() {
    const int fd = mkstemp(path);
    EXPECT_GE(fd, 0);
    EXPECT_EQ(ftruncate(fd, 4 << 20), 0);
    close(fd);
  }
  ~TempFile() { unlink(path); }
  char path[32] = "/tmp/pollux-reactor-XXXXXX";
};

Task<std::string> write_and_read(io::World& world, io::BufferPool& pool, std::string path) {
  Result<std::unique_ptr<io::Disk>> disk = world.storage.open(path, io::DiskAccess::exclusive);
  if (!disk) co_return "open";
  if ((*disk)->size() != ByteCount(4U << 20U)) co_return "size";
  Result<std::unique_ptr<io::Disk>> second = world.storage.open(path, io::DiskAccess::exclusive);
  if (second || second.error().fault() != Fault::busy) co_return "claimed twice";
  io::BufferPool::Buffer out = pool.try_take(65536);
  io::BufferPool::Buffer in = pool.try_take(65536);
  fill_bytes(out.bytes(), std::byte{0x5a});
  io::Op op;
  (*disk)->write(op, ByteOffset(8192), out.bytes(), io::Durability::stable);
  std::int32_t result = co_await op;
  if (result != 65536) co_return "write";
  (*disk)->flush(op);
  result = co_await op;
  if (result != 0) co_return "flush";
  (*disk)->read(op, ByteOffset(8192), in.bytes());
  result = co_await op;
  if (result != 65536 || in.bytes()[65535] != std::byte{0x5a}) co_return "read";
  (*disk)->write_zeroes(op, ByteRange(ByteOffset(8192), ByteCount(65536)), true);
  result = co_await op;
  if (result != 0) co_return "zeroes";
  (*disk)->read(op, ByteOffset(8192), in.bytes());
  result = co_await op;
  if (result != 65536 || !all_zero(in.bytes())) co_return "zeroes read";
  (*disk)->read(op, ByteOffset(64U << 20U), in.bytes());
  result = co_await op;
  if (result >= 0) co_return "read beyond the end";
  co_return "ok";
}

TEST_F(ReactorTest, a_disk_reads_what_was_written_and_is_claimed_once) {
  TempFile file;
  EXPECT_EQ(reactor_->run_task(write_and_read(reactor_->world(), reactor_->buffers(), file.path)),
            "ok");
}

Task<int> flush_often(io::World& world, std::string path) {
  Result<std::unique_ptr<io::Disk>> disk = world.storage.open(path, io::DiskAccess::exclusive);
  if (!disk) co_return -1;
  std::array<io::Op, 20> ops;
  for (io::Op& op : ops)
    (*disk)->flush(op);
  int done = 0;
  for (io::Op& op : ops) {
    const std::int32_t result = co_await op;
    if (result == 0) ++done;
  }
  co_return done;
}

TEST_F(ReactorTest, many_flushes_of_a_disk_all_end) {
  TempFile file;
  EXPECT_EQ(reactor_->run_task(flush_often(reactor_->world(), file.path)), 20);
}

TEST_F(ReactorTest, the_kernel_has_workers_for_many_disks_that_hang) {
  utsname kernel{};
  ASSERT_EQ(uname(&kernel), 0);
  int major = 0;
  int minor = 0;
  ASSERT_EQ(std::sscanf(kernel.release, "%d.%d", &major, &minor), 2);
  if (major < 5 || (major == 5 && minor < 15)) GTEST_SKIP() << kernel.release;
  EXPECT_NE(reactor_->features().find("512 workers"), std::string::npos) << reactor_->features();
}

Task<void> echo_once(io::World& world, io::Address at, bool& served) {
  Result<std::unique_ptr<io::Listener>> listener = world.network.listen(at, io::SocketOptions());
  if (!listener) co_return;
  std::unique_ptr<io::Stream> stream;
  io::Op op;
  (*listener)->accept(op, stream, Duration::seconds(5));
  const std::int32_t accepted = co_await op;
  if (accepted < 0) co_return;
  std::byte data[8];
  const Bytes into(data);
  stream->receive(op, into);
  const std::int32_t got = co_await op;
  const io::IoSlice slices[2] = {{data, 1}, {data + 1, static_cast<std::size_t>(got) - 1}};
  const std::span<const io::IoSlice> all(slices);
  stream->send(op, all);
  const std::int32_t sent = co_await op;
  served = sent == got;
}

Task<std::string> talk(io::World& world, io::Address to) {
  std::unique_ptr<io::Stream> stream;
  io::Op op;
  const io::Address any;
  world.network.connect(op, any, to, io::SocketOptions(), stream, Duration::seconds(5));
  std::int32_t result = co_await op;
  if (result != 0) co_return "connect";
  std::byte data[8] = {std::byte{1}, std::byte{2}, std::byte{3}};
  const Bytes into(data);
  stream->receive(op, into, Duration::milliseconds(20));
  result = co_await op;
  if (result != -ETIMEDOUT) co_return "patience";
  const io::IoSlice slice{data, 3};
  const std::span<const io::IoSlice> slices(&slice, 1);
  stream->send(op, slices);
  result = co_await op;
  if (result != 3) co_return "send";
  std::size_t got = 0;
  while (got < 3) {
    stream->receive(op, into);
    result = co_await op;
    if (result <= 0) co_return "receive";
    got += static_cast<std::size_t>(result);
  }
  stream->receive(op, into);
  result = co_await op;
  co_return result == 0 ? "ok" : "end of stream";
}

Task<std::string> both(io::World& world, io::Address at) {
  io::Gate gate;
  bool served = false;
  gate.start(echo_once(world, at, served));
  std::string result = co_await talk(world, at);
  co_await gate.close();
  co_return served ? result : "not served";
}

TEST_F(ReactorTest, unix_sockets_carry_bytes_both_ways_with_patience) {
  const std::string path = "/tmp/pollux-reactor-" + std::to_string(getpid()) + ".sock";
  EXPECT_EQ(reactor_->run_task(both(reactor_->world(), io::unix_address(path))), "ok");
  EXPECT_NE(access(path.c_str(), F_OK), 0);
}

TEST_F(ReactorTest, tcp_sockets_carry_bytes_both_ways_with_patience) {
  const Result<io::Address> at = io::parse_ipv4("127.0.0.1", 17789);
  EXPECT_EQ(reactor_->run_task(both(reactor_->world(), *at)), "ok");
}

Task<std::int32_t> connect_to(io::World& world, io::Address to) {
  std::unique_ptr<io::Stream> stream;
  io::Op op;
  const io::Address any;
  world.network.connect(op, any, to, io::SocketOptions(), stream, Duration::seconds(1));
  co_return co_await op;
}

TEST_F(ReactorTest, a_refused_connection_is_an_error) {
  const Result<io::Address> at = io::parse_ipv4("127.0.0.1", 1);
  EXPECT_EQ(reactor_->run_task(connect_to(reactor_->world(), *at)), -ECONNREFUSED);
}

Task<void> accept_and_note(io::Listener& listener, std::int32_t& result) {
  std::unique_ptr<io::Stream> stream;
  io::Op op;
  listener.accept(op, stream, Duration::forever());
  result = co_await op;
}

Task<std::int32_t> close_while_accepting(io::World& world) {
  const Result<io::Address> at = io::parse_ipv4("127.0.0.1", 17790);
  Result<std::unique_ptr<io::Listener>> listener = world.network.listen(*at, io::SocketOptions());
  if (!listener) co_return 1;
  const Result<std::unique_ptr<io::Listener>> second =
      world.network.listen(*at, io::SocketOptions());
  if (second || second.error().fault() != Fault::busy) co_return 2;
  std::int32_t result = 0;
  io::Gate gate;
  gate.start(accept_and_note(**listener, result));
  io::Yield yield;
  co_await yield;
  (*listener)->close();
  co_await gate.close();
  co_return result;
}

TEST_F(ReactorTest, closing_a_listener_ends_its_accept_and_a_port_is_taken_once) {
  EXPECT_EQ(reactor_->run_task(close_while_accepting(reactor_->world())), -ECANCELED);
}

// Always ready, for as long as two seconds.
Task<void> stay_ready(io::World& world, bool& enough) {
  const Instant until = world.clock.now() + Duration::seconds(2);
  while (!enough && world.clock.now() < until) {
    io::Yield others;
    co_await others;
  }
}

Task<bool> wait_beside_a_busy_one(Reactor& reactor, int fd) {
  io::World& world = reactor.world();
  const Instant begun = world.clock.now();
  bool enough = false;
  io::Gate gate;
  gate.start(stay_ready(world, enough));
  io::Op readable;
  reactor.poll_readable(readable, fd);
  io::Op slept;
  world.clock.sleep(slept, Duration::milliseconds(5));
  co_await slept;
  co_await readable;
  const bool soon = (world.clock.now() - begun).milliseconds() < 1000;
  enough = true;
  co_await gate.close();
  co_return soon;
}

TEST_F(ReactorTest, a_coroutine_that_is_always_ready_holds_up_neither_timers_nor_the_kernel) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  EXPECT_TRUE(reactor_->run_task(wait_beside_a_busy_one(*reactor_, ends[0])));
  close(ends[0]);
  close(ends[1]);
}

Task<std::int32_t> blocking_answer(Reactor& reactor) {
  int answer = 0;
  std::function<void()> work = [&answer] {
    usleep(1000);
    answer = 42;
  };
  io::Op op;
  reactor.run_blocking(op, std::move(work));
  co_await op;
  co_return answer;
}

TEST_F(ReactorTest, blocking_work_runs_beside_the_loop) {
  EXPECT_EQ(reactor_->run_task(blocking_answer(*reactor_)), 42);
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

// Whether another call got through before they did.
Task<bool> others_get_on(Reactor& reactor, int count, int read_end, int write_end) {
  io::Gate still;
  for (int i = 0; i < count; ++i)
    still.start(stand_still(reactor, read_end));
  bool through = false;
  std::function<void()> work = [&through] { through = true; };
  io::Op op;
  reactor.run_blocking(op, std::move(work));
  io::Clock& clock = reactor.world().clock;
  const Instant until = clock.now() + Duration::seconds(5);
  while (op.in_flight() && clock.now() < until) {
    io::Op pause;
    clock.sleep(pause, Duration::milliseconds(5));
    co_await pause;
  }
  const bool answer = !op.in_flight() && through;
  close(write_end);
  co_await still.close();
  co_await op;
  co_return answer;
}

TEST_F(ReactorTest, calls_that_stand_still_do_not_hold_up_others) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_TRUE(reactor_->run_task(others_get_on(*reactor_, 20, ends[0], ends[1])));
  close(ends[0]);
}

}  // namespace
}  // namespace replicator::uring
