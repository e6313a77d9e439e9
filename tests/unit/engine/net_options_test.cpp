// Options of the connection, each by what it changes: the same situation with two values.
#include "engine/flow/establish.hpp"
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

class NetOptionsTest : public EngineTest {
 protected:
  void TearDown() override { EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text; }
  void primary() {
    up();
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
  }
  Duration until(const std::function<bool()>& predicate) {
    const Instant begun = pair_.world.now();
    EXPECT_TRUE(pair_.world.run_until(predicate, Duration::seconds(600)));
    return pair_.world.now() - begun;
  }
  [[nodiscard]] bool connected(sim::Node& node) const {
    return volume(node).state().connection >= ConnectionState::connected;
  }
  // A peer that vanishes without a word, on an idle connection.
  Duration found_out(std::uint32_t interval, std::uint32_t timeout) {
    net.ping_interval_seconds = interval;
    net.ping_timeout_tenths = timeout;
    up();
    pair_.world.run_for(Duration::seconds(interval));
    pair_.network.cut_all(pair_.n1.id(), pair_.n2.id(), sim::CutKind::silent);
    return until([&] { return !connected(pair_.n1); });
  }
  Duration connecting(std::uint32_t ping_timeout, std::uint32_t socket_check) {
    net.ping_timeout_tenths = ping_timeout;
    net.socket_check_timeout_tenths = socket_check;
    EXPECT_EQ(attach(pair_.n1), 0);
    EXPECT_EQ(attach(pair_.n2), 0);
    EXPECT_EQ(connect(pair_.n1, pair_.n2), 0);
    EXPECT_EQ(connect(pair_.n2, pair_.n1), 0);
    return until([&] { return connected(pair_.n1) && connected(pair_.n2); });
  }
  // Flushes of the peer's disk while so many writes are made in one go.
  std::uint64_t peer_flushes(std::uint32_t max_epoch_size, std::uint64_t writes) {
    net.max_epoch_size = max_epoch_size;
    primary();
    std::uint64_t flushes = 0;
    pair_.n2.disk().on_submit([&](const sim::SimDisk::Seen& seen) {
      if (seen.kind == sim::DiskOp::flush) ++flushes;
    });
    io::BufferPool pool(1U << 20U, false);
    io::BufferPool::Buffer data = pool.try_take(4096);
    std::vector<Task<Status>> all;
    for (std::uint64_t i = 0; i < writes; ++i) {
      const ByteRange range(ByteOffset(i * 4096), ByteCount(4096));
      all.push_back(volume(pair_.n1).write(range, data.bytes(), false));
    }
    const sim::World::As as(pair_.world, pair_.n1.id());
    for (Task<Status>& one : all)
      one.start();
    pair_.world.run_for(Duration::milliseconds(500));
    for (const Task<Status>& one : all)
      EXPECT_TRUE(one.done());
    pair_.n2.disk().on_submit({});
    return flushes;
  }
};

// Counts attempts to connect.
class CountingNetwork final : public io::Network {
 public:
  explicit CountingNetwork(io::Network& network) : network_(network) {}
  Result<std::unique_ptr<io::Listener>> listen(const io::Address& at,
                                               io::SocketOptions options) override {
    return network_.listen(at, options);
  }
  void connect(io::Op& op, const io::Address& from, const io::Address& to,
               io::SocketOptions options, std::unique_ptr<io::Stream>& connected,
               Duration patience) override {
    ++attempts;
    last = options;
    network_.connect(op, from, to, options, connected, patience);
  }
  void cancel(io::Op& op) noexcept override { network_.cancel(op); }

  std::uint32_t attempts = 0;
  io::SocketOptions last;

 private:
  io::Network& network_;
};

class ConnectTest : public EngineTest {
 protected:
  // In 200 seconds, with nobody at the other end.
  std::uint32_t attempts(NetOptions options) {
    io::World& world = pair_.n1.io();
    io::World counted{world.storage, counting_, world.clock, world.entropy, world.helper};
    PeerConfig config;
    config.local = pair_.n1.address(7789);
    config.peer = pair_.n2.address(7789);
    const sim::World::As as(pair_.world, pair_.n1.id());
    Establisher establisher(counted, config, options);
    Task<Result<SocketPair>> task = establisher.run();
    task.start();
    pair_.world.run_for(Duration::seconds(200));
    establisher.stop();
    EXPECT_TRUE(pair_.world.run_until([&] { return task.done(); }, Duration::seconds(60)));
    return counting_.attempts;
  }
  CountingNetwork counting_{pair_.n1.io().network};
};

TEST_F(ConnectTest, connect_int_is_the_time_between_attempts) {
  NetOptions options;
  options.connect_interval_seconds = 20;
  const std::uint32_t few = attempts(options);
  EXPECT_GE(few, 8U);
  EXPECT_LE(few, 13U);
}

TEST_F(ConnectTest, a_shorter_connect_int_tries_more_often) {
  NetOptions options;
  options.connect_interval_seconds = 4;
  const std::uint32_t many = attempts(options);
  EXPECT_GE(many, 40U);
  EXPECT_LE(many, 60U);
}

TEST_F(ConnectTest, the_sockets_get_the_buffers_that_were_asked_for) {
  NetOptions options;
  options.send_buffer_bytes = 123456;
  options.receive_buffer_bytes = 654321;
  EXPECT_GT(attempts(options), 0U);
  EXPECT_EQ(counting_.last.send_buffer_bytes, 123456U);
  EXPECT_EQ(counting_.last.receive_buffer_bytes, 654321U);
}

TEST_F(NetOptionsTest, a_silent_peer_is_asked_after_ping_int_and_given_up_after_ping_timeout) {
  const Duration took = found_out(3, 20);
  EXPECT_GE(took, Duration::seconds(2));
  EXPECT_LE(took, Duration::milliseconds(5500));
}

TEST_F(NetOptionsTest, a_long_ping_int_is_patient) {
  const Duration took = found_out(30, 20);
  EXPECT_GE(took, Duration::seconds(28));
  EXPECT_LE(took, Duration::seconds(33));
}

TEST_F(NetOptionsTest, a_long_ping_timeout_is_patient) {
  const Duration took = found_out(3, 100);
  EXPECT_GE(took, Duration::seconds(10));
  EXPECT_LE(took, Duration::seconds(14));
}

TEST_F(NetOptionsTest, new_sockets_must_stay_alive_for_ping_timeout) {
  const Duration took = connecting(10, 0);
  EXPECT_GE(took, Duration::seconds(1));
  EXPECT_LT(took, Duration::seconds(4));
}

TEST_F(NetOptionsTest, socket_check_timeout_takes_its_place) {
  EXPECT_GE(connecting(10, 60), Duration::seconds(6));
}

TEST_F(NetOptionsTest, an_epoch_holds_no_more_than_max_epoch_size) {
  EXPECT_GE(peer_flushes(20, 200), 10U);
}

TEST_F(NetOptionsTest, a_large_max_epoch_size_needs_fewer_barriers) {
  EXPECT_LE(peer_flushes(2048, 200), 4U);
}

// ko-count × timeout: for both factors, and for none.
TEST_F(NetOptionsTest, ko_count_zero_waits_for_ever) {
  net.ko_count = 0;
  net.timeout_tenths = 10;
  primary();
  sim::DiskFault fault;
  fault.kinds = sim::bit(sim::DiskOp::write);
  fault.sticky = true;
  fault.stuck = true;
  pair_.n2.disk().inject(fault);
  alignas(4096) std::array<std::byte, 4096> data{};
  Task<Status> writing =
      volume(pair_.n1).write(ByteRange(ByteOffset(0), ByteCount(4096)), data, false);
  const sim::World::As as(pair_.world, pair_.n1.id());
  writing.start();
  EXPECT_FALSE(pair_.world.run_until([&] { return writing.done(); }, Duration::seconds(300)));
  EXPECT_TRUE(connected(pair_.n1));
  pair_.n2.disk().clear_faults();
  pair_.n2.disk().release_stuck();
  EXPECT_TRUE(pair_.world.run_until([&] { return writing.done(); }, Duration::seconds(5)));
}

class PatienceTest : public NetOptionsTest,
                     public testing::WithParamInterface<std::pair<std::uint32_t, std::uint32_t>> {};

TEST_P(PatienceTest, the_peer_is_given_up_after_ko_count_times_timeout) {
  net.timeout_tenths = GetParam().first;
  net.ko_count = GetParam().second;
  primary();
  sim::DiskFault fault;
  fault.kinds = sim::bit(sim::DiskOp::write);
  fault.sticky = true;
  fault.stuck = true;
  pair_.n2.disk().inject(fault);
  alignas(4096) std::array<std::byte, 4096> data{};
  Task<Status> writing =
      volume(pair_.n1).write(ByteRange(ByteOffset(0), ByteCount(4096)), data, false);
  const sim::World::As as(pair_.world, pair_.n1.id());
  writing.start();
  const Duration limit = Duration::tenths(std::int64_t{net.timeout_tenths} * net.ko_count);
  const Duration took = until([&] { return writing.done(); });
  EXPECT_GE(took, limit);
  EXPECT_LE(took, limit + Duration::seconds(3));
  pair_.n2.disk().clear_faults();
  pair_.n2.disk().release_stuck();
}

INSTANTIATE_TEST_SUITE_P(factors, PatienceTest,
                         testing::Values(std::pair(20U, 3U), std::pair(60U, 3U),
                                         std::pair(20U, 9U)));

}  // namespace
}  // namespace replicator
