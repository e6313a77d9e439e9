// The NBD server in the simulator: real accept loop, several clients, deadlines in virtual time,
// shutdown while clients hold their sockets.
#include "frontend/nbd/server.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/sim/two_nodes.hpp"
#include "tests/support/memory_block_device.hpp"
#include "tests/support/nbd_client.hpp"

namespace replicator {
namespace {

using namespace replicator::test;

constexpr std::string_view path = "/run/pollux/nbd/r0-0.sock";

// One client's script, as coroutines over the seam.
struct Client {
  explicit Client(io::World& io) : world(io) {}
  io::World& world;
  std::unique_ptr<io::Stream> stream;

  Task<std::int32_t> dial() {
    const io::Address nowhere;
    const io::Address server = io::unix_address(path);
    io::Op op;
    world.network.connect(op, nowhere, server, io::SocketOptions(), stream, Duration::seconds(5));
    const std::int32_t result = co_await op;
    co_return result;
  }
  // Receives exactly that many bytes; false when the stream ends before.
  Task<bool> expect(std::size_t bytes) {
    received.resize(bytes);
    std::size_t done = 0;
    while (done < bytes) {
      io::Op op;
      stream->receive(op, Bytes(received).subspan(done));
      const std::int32_t count = co_await op;
      if (count <= 0) co_return false;
      done += static_cast<std::size_t>(count);
    }
    co_return true;
  }
  Task<bool> say(ByteString bytes) {
    const io::IoSlice slice = {bytes.data(), bytes.size()};
    io::Op op;
    stream->send(op, std::span(&slice, 1));
    const std::int32_t count = co_await op;
    co_return count == static_cast<std::int32_t>(bytes.size());
  }
  // Up to the transmission phase, simple replies.
  Task<bool> connect() {
    const std::int32_t dialled = co_await dial();
    if (dialled != 0) co_return false;
    ByteString hello = client_flags();
    append(hello, option(nbd::Option::go, name_and_infos("r0/0")));
    const bool said = co_await say(std::move(hello));
    if (!said) co_return false;
    constexpr std::size_t greeting_info_ack = 18 + 32 + 20;
    const bool answered = co_await expect(greeting_info_ack);
    co_return answered;
  }
  Task<std::uint64_t> exported_size() {
    const bool connected = co_await connect();
    if (!connected) co_return 0;
    co_return read_be64(received, 18 + 20 + 2);
  }
  // The error of a simple reply without data, or ~0 when there was none.
  Task<std::uint32_t> ask(ByteString request_bytes) {
    const bool said = co_await say(std::move(request_bytes));
    if (!said) co_return ~0U;
    const bool answered = co_await expect(16);
    if (!answered) co_return ~0U;
    co_return read_be32(received, 4);
  }
  Task<bool> ended() {
    const bool more = co_await expect(1);
    co_return !more;
  }
  ByteString received;
};

class NbdServerTest : public testing::Test {
 protected:
  NbdServerTest() : pair_(5), server_(pair_.n1.io(), pool_, device_, "r0/0", limits()) {
    EXPECT_TRUE(server_.listen(path).ok());
  }
  ~NbdServerTest() override {
    device_.release();
    pair_.run(server_.stop(), Duration::seconds(60));
    EXPECT_EQ(server_.connections(), 0U);
    EXPECT_EQ(device_.open_count, 0);
    EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text;
  }
  static nbd::Limits limits() {
    nbd::Limits few;
    few.connections = 3;
    return few;
  }
  Instant now() { return pair_.world.now(); }

  sim::TwoNodes pair_;
  io::BufferPool pool_{8U << 20U, false};
  MemoryBlockDevice device_{8U << 20U};
  NbdServer server_;
};

TEST_F(NbdServerTest, serves_several_clients_of_one_device) {
  Client one(pair_.n1.io());
  Client two(pair_.n1.io());
  ASSERT_TRUE(pair_.run(one.connect()));
  ASSERT_TRUE(pair_.run(two.connect()));
  EXPECT_EQ(server_.connections(), 2U);
  EXPECT_EQ(device_.open_count, 2);
  ByteString write = request(nbd::Command::write, 1, 4096, 4096);
  append(write, pattern(4096, 1));
  EXPECT_EQ(pair_.run(one.ask(write)), 0U);
  EXPECT_EQ(pair_.run(two.ask(request(nbd::Command::flush, 2, 0, 0))), 0U);
  EXPECT_EQ(pair_.run(two.ask(request(nbd::Command::read, 3, 4096, 4096))), 0U);
  EXPECT_TRUE(pair_.run(two.expect(4096)));
  EXPECT_EQ(two.received, pattern(4096, 1));
  one.stream.reset();
  EXPECT_EQ(pair_.run(two.ask(request(nbd::Command::flush, 4, 0, 0))), 0U);
  pair_.world.run_for(Duration::seconds(1));
  EXPECT_EQ(server_.connections(), 1U);
  EXPECT_EQ(device_.open_count, 1);
}

TEST_F(NbdServerTest, turns_away_one_client_too_many) {
  Client clients[] = {Client(pair_.n1.io()), Client(pair_.n1.io()), Client(pair_.n1.io()),
                      Client(pair_.n1.io())};
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(pair_.run(clients[i].connect()));
  EXPECT_FALSE(pair_.run(clients[3].connect()));
  clients[0].stream.reset();
  pair_.world.run_for(Duration::seconds(1));
  EXPECT_TRUE(pair_.run(clients[3].connect())) << "there is room again";
}

TEST_F(NbdServerTest, a_silent_client_loses_its_place) {
  Client client(pair_.n1.io());
  EXPECT_EQ(pair_.run(client.dial()), 0);
  const Instant begin = now();
  EXPECT_TRUE(pair_.run(client.expect(18)));
  EXPECT_TRUE(pair_.run(client.ended()));
  EXPECT_GE(now() - begin, Duration::seconds(29));
  EXPECT_LE(now() - begin, Duration::seconds(31));
  EXPECT_EQ(server_.connections(), 0U);
}

TEST_F(NbdServerTest, a_client_that_dribbles_loses_its_place_too) {
  Client client(pair_.n1.io());
  EXPECT_EQ(pair_.run(client.dial()), 0);
  const ByteString slow = option(static_cast<nbd::Option>(99), ByteString(1000));
  const Instant begin = now();
  EXPECT_TRUE(pair_.run(client.say(client_flags())));
  for (const std::byte byte : slow) {
    if (server_.connections() == 0) break;
    pair_.run(client.say(ByteString{byte}));
    pair_.world.run_for(Duration::milliseconds(500));
  }
  EXPECT_EQ(server_.connections(), 0U);
  EXPECT_LE(now() - begin, Duration::seconds(32));
}

TEST_F(NbdServerTest, a_new_size_is_seen_by_new_connections) {
  Client one(pair_.n1.io());
  EXPECT_EQ(pair_.run(one.exported_size()), 8U << 20U);
  device_.data.resize(16U << 20U);
  device_.limits_now.size = ByteCount(16U << 20U);
  EXPECT_EQ(pair_.run(one.ask(request(nbd::Command::trim, 1, 8U << 20U, 512))), 22U);
  Client two(pair_.n1.io());
  EXPECT_EQ(pair_.run(two.exported_size()), 16U << 20U);
  EXPECT_EQ(pair_.run(two.ask(request(nbd::Command::trim, 1, 8U << 20U, 512))), 0U);
}

TEST_F(NbdServerTest, stops_at_once_when_nothing_is_in_flight) {
  Client connected(pair_.n1.io());
  Client negotiating(pair_.n1.io());
  EXPECT_TRUE(pair_.run(connected.connect()));
  EXPECT_EQ(pair_.run(negotiating.dial()), 0);
  const Instant begin = now();
  pair_.run(server_.stop());
  EXPECT_LE(now() - begin, Duration::milliseconds(10));
  EXPECT_TRUE(pair_.run(connected.ended()));
  Client late(pair_.n1.io());
  EXPECT_NE(pair_.run(late.dial()), 0);
}

// A client that asks without end, or never reads, cannot hold the server up.
TEST_F(NbdServerTest, stops_within_its_limit_whatever_clients_do) {
  Client reader(pair_.n1.io());
  EXPECT_TRUE(pair_.run(reader.connect()));
  ByteString reads;
  for (std::uint64_t i = 0; i < 64; ++i)
    append(reads, request(nbd::Command::read, i, 0, 64U << 10U));
  EXPECT_TRUE(pair_.run(reader.say(reads)));
  pair_.world.run_for(Duration::seconds(1));
  const Instant begin = now();
  pair_.run(server_.stop());
  EXPECT_GE(now() - begin, Duration::seconds(4));
  EXPECT_LE(now() - begin, Duration::seconds(6));
}

TEST_F(NbdServerTest, stopping_lets_requests_in_flight_finish) {
  Client client(pair_.n1.io());
  EXPECT_TRUE(pair_.run(client.connect()));
  device_.held = true;
  ByteString write = request(nbd::Command::write, 1, 0, 512);
  append(write, pattern(512, 1));
  Task<std::uint32_t> asking = client.ask(write);
  asking.start();
  pair_.world.run_for(Duration::milliseconds(10));
  Task<void> stopping = server_.stop();
  stopping.start();
  pair_.world.run_for(Duration::milliseconds(100));
  EXPECT_FALSE(stopping.done());
  device_.release();
  pair_.world.run_for(Duration::milliseconds(100));
  EXPECT_TRUE(stopping.done());
  ASSERT_TRUE(asking.done());
  EXPECT_EQ(asking.take(), 0U);
}

}  // namespace
}  // namespace replicator
