// The simulated network: streams deliver what was sent whatever the chunks, and each fault is what
// it says.
#include "tests/sim/net.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <numeric>

#include "tests/sim/two_nodes.hpp"

namespace replicator::sim {
namespace {

constexpr std::uint16_t port = 7789;

Task<std::int32_t> dial(io::World& io, io::Address from, io::Address to,
                        std::unique_ptr<io::Stream>& stream, Duration patience) {
  io::Op op;
  io.network.connect(op, from, to, io::SocketOptions(), stream, patience);
  const std::int32_t result = co_await op;
  co_return result;
}

Task<std::int32_t> take_call(io::Listener& listener, std::unique_ptr<io::Stream>& stream,
                             Duration patience) {
  io::Op op;
  listener.accept(op, stream, patience);
  const std::int32_t result = co_await op;
  co_return result;
}

Task<std::int32_t> send_all(io::Stream& stream, ConstBytes data, Duration patience) {
  const io::IoSlice slices[2] = {{data.data(), data.size() / 3},
                                 {data.data() + data.size() / 3, data.size() - data.size() / 3}};
  io::Op op;
  stream.send(op, slices, patience);
  const std::int32_t result = co_await op;
  co_return result;
}

Task<std::int32_t> receive_some(io::Stream& stream, Bytes into, Duration patience) {
  io::Op op;
  stream.receive(op, into, patience);
  const std::int32_t result = co_await op;
  co_return result;
}

// Up to the end of the stream, an error, or a full buffer: bytes, or the error if nothing came.
Task<std::int32_t> receive_all(io::Stream& stream, Bytes into, Duration patience) {
  std::int32_t total = 0;
  while (!into.empty()) {
    io::Op op;
    stream.receive(op, into, patience);
    const std::int32_t result = co_await op;
    if (result <= 0) co_return total != 0 ? total : result;
    total += result;
    into = into.subspan(static_cast<std::size_t>(result));
  }
  co_return total;
}

class SimNetTest : public testing::Test {
 protected:
  SimNetTest() : pair_(21) {}
  void connect() {
    listener_ = std::move(*pair_.n2.io().network.listen(pair_.n2.address(port), {}));
    Task<std::int32_t> accepting = take_call(*listener_, at2_, Duration::seconds(5));
    accepting.start();
    EXPECT_EQ(pair_.run(dial(pair_.n1.io(), pair_.n1.address(0), pair_.n2.address(port), at1_,
                             Duration::seconds(5))),
              0);
    pair_.world.run_until([&] { return accepting.done(); }, Duration::seconds(5));
    EXPECT_EQ(accepting.take(), 0);
  }
  NodeId n1() { return pair_.n1.id(); }
  NodeId n2() { return pair_.n2.id(); }
  static std::vector<std::byte> pattern(std::size_t size) {
    std::vector<std::byte> data(size);
    for (std::size_t i = 0; i < size; ++i)
      data[i] = static_cast<std::byte>(i * 7 + i / 256);
    return data;
  }

  TwoNodes pair_;
  std::unique_ptr<io::Listener> listener_;
  std::unique_ptr<io::Stream> at1_;
  std::unique_ptr<io::Stream> at2_;
};

TEST_F(SimNetTest, both_ends_know_the_addresses) {
  connect();
  EXPECT_EQ(at1_->peer(), pair_.n2.address(port));
  EXPECT_EQ(at2_->local(), pair_.n2.address(port));
  EXPECT_EQ(at2_->peer().host, pair_.n1.address(0).host);
  EXPECT_TRUE(at1_->alive());
  EXPECT_TRUE(at2_->alive());
}

TEST_F(SimNetTest, bytes_arrive_in_order_whatever_the_pieces_and_small_buffers) {
  pair_.network.path(n1(), n2()).choppiness = 2;
  pair_.network.path(n1(), n2()).buffer_bytes = 1000;
  connect();
  const std::vector<std::byte> data = pattern(20000);
  std::vector<std::byte> into(data.size());
  Task<std::int32_t> sending = send_all(*at1_, data, Duration::seconds(50));
  sending.start();
  EXPECT_EQ(pair_.run(receive_all(*at2_, into, Duration::seconds(5))), 20000);
  pair_.world.run_until([&] { return sending.done(); }, Duration::seconds(5));
  EXPECT_EQ(sending.take(), 20000);
  EXPECT_EQ(into, data);
}

TEST_F(SimNetTest, a_full_buffer_holds_the_sender_until_its_patience_ends) {
  pair_.network.path(n1(), n2()).buffer_bytes = 1000;
  connect();
  const std::vector<std::byte> data = pattern(1001);
  const Instant before = pair_.world.now();
  EXPECT_EQ(pair_.run(send_all(*at1_, data, Duration::seconds(6))), -ETIMEDOUT);
  EXPECT_GE(pair_.world.now() - before, Duration::seconds(6));
}

TEST_F(SimNetTest, patience_on_receive_accept_and_connect) {
  connect();
  std::byte byte[1];
  EXPECT_EQ(pair_.run(receive_some(*at1_, byte, Duration::milliseconds(500))), -ETIMEDOUT);
  std::unique_ptr<io::Stream> none;
  EXPECT_EQ(pair_.run(take_call(*listener_, none, Duration::milliseconds(500))), -ETIMEDOUT);
  pair_.network.block(n1(), n2());
  EXPECT_EQ(pair_.run(dial(pair_.n1.io(), pair_.n1.address(0), pair_.n2.address(port), none,
                           Duration::seconds(3))),
            -ETIMEDOUT);
}

TEST_F(SimNetTest, nobody_listening_is_refused_and_foreign_addresses_cannot_be_used) {
  std::unique_ptr<io::Stream> none;
  EXPECT_EQ(pair_.run(dial(pair_.n1.io(), pair_.n1.address(0), pair_.n2.address(port), none,
                           Duration::seconds(3))),
            -ECONNREFUSED);
  EXPECT_EQ(pair_.run(dial(pair_.n1.io(), pair_.n2.address(0), pair_.n2.address(port), none,
                           Duration::seconds(3))),
            -EADDRNOTAVAIL);
  EXPECT_FALSE(pair_.n1.io().network.listen(pair_.n2.address(port), {}).has_value());
  auto first = pair_.n1.io().network.listen(pair_.n1.address(port), {});
  EXPECT_EQ(pair_.n1.io().network.listen(pair_.n1.address(port), {}).error().fault(), Fault::busy);
}

TEST_F(SimNetTest, a_cancelled_connect_and_a_closed_listener_end_their_waiters) {
  std::unique_ptr<io::Stream> none;
  io::Op op;
  pair_.n1.io().network.connect(op, pair_.n1.address(0), pair_.n2.address(port), {}, none,
                                Duration::forever());
  pair_.n1.io().network.cancel(op);
  pair_.world.run_until([&] { return !op.in_flight(); }, Duration::seconds(1));
  EXPECT_EQ(op.await_resume(), -ECANCELED);
  connect();
  Task<std::int32_t> accepting = take_call(*listener_, none, Duration::forever());
  accepting.start();
  listener_->close();
  pair_.world.run_until([&] { return accepting.done(); }, Duration::seconds(1));
  EXPECT_EQ(accepting.take(), -ECANCELED);
}

TEST_F(SimNetTest, closing_delivers_the_rest_then_ends_the_stream) {
  connect();
  const std::vector<std::byte> data = pattern(300);
  EXPECT_EQ(pair_.run(send_all(*at1_, data, Duration::seconds(1))), 300);
  at1_.reset();
  std::vector<std::byte> into(400);
  EXPECT_EQ(pair_.run(receive_all(*at2_, into, Duration::seconds(5))), 300);
  EXPECT_FALSE(at2_->alive());
  EXPECT_EQ(pair_.run(receive_some(*at2_, into, Duration::seconds(5))), 0);
}

TEST_F(SimNetTest, shutdown_ends_the_operations_in_flight) {
  connect();
  std::byte byte[1];
  Task<std::int32_t> receiving = receive_some(*at1_, byte, Duration::forever());
  receiving.start();
  at1_->shutdown();
  pair_.world.run_until([&] { return receiving.done(); }, Duration::seconds(1));
  EXPECT_EQ(receiving.take(), 0);
  EXPECT_EQ(pair_.run(receive_some(*at2_, byte, Duration::forever())), 0);
  const std::byte data[3] = {};
  EXPECT_EQ(pair_.run(send_all(*at1_, data, Duration::forever())), -EPIPE);
}

TEST_F(SimNetTest, a_planned_cut_lets_exactly_that_many_bytes_through) {
  pair_.network.plan_cut({.connection = 0, .toward_server = true, .after_bytes = 17});
  connect();
  const std::vector<std::byte> data = pattern(100);
  Task<std::int32_t> sending = send_all(*at1_, data, Duration::forever());
  sending.start();
  std::vector<std::byte> into(17);
  EXPECT_EQ(pair_.run(receive_all(*at2_, into, Duration::seconds(5))), 17);
  EXPECT_EQ(pair_.run(receive_some(*at2_, into, Duration::seconds(5))), -ECONNRESET);
  EXPECT_EQ(pair_.run(receive_some(*at1_, into, Duration::seconds(5))), -ECONNRESET);
}

TEST_F(SimNetTest, a_half_open_connection_tells_nobody) {
  connect();
  pair_.network.cut_all(n1(), n2(), CutKind::silent);
  const std::byte data[3] = {};
  EXPECT_EQ(pair_.run(send_all(*at1_, data, Duration::seconds(5))), 3);
  std::byte byte[1];
  EXPECT_EQ(pair_.run(receive_some(*at2_, byte, Duration::seconds(100))), -ETIMEDOUT);
  EXPECT_TRUE(at1_->alive());
  EXPECT_TRUE(at2_->alive());
}

TEST_F(SimNetTest, one_direction_can_be_cut_alone) {
  connect();
  pair_.network.cut_one(n1(), n2(), 0, true, CutKind::one_direction);
  const std::byte data[3] = {};
  std::byte into[3];
  EXPECT_EQ(pair_.run(send_all(*at1_, data, Duration::seconds(5))), 3);
  EXPECT_EQ(pair_.run(receive_some(*at2_, into, Duration::seconds(5))), -ETIMEDOUT);
  EXPECT_EQ(pair_.run(send_all(*at2_, data, Duration::seconds(5))), 3);
  EXPECT_EQ(pair_.run(receive_all(*at1_, into, Duration::seconds(5))), 3);
}

TEST_F(SimNetTest, a_blocked_path_delays_and_loses_nothing) {
  connect();
  pair_.network.block(n1(), n2());
  const std::vector<std::byte> data = pattern(100);
  EXPECT_EQ(pair_.run(send_all(*at1_, data, Duration::seconds(5))), 100);
  std::vector<std::byte> into(100);
  EXPECT_EQ(pair_.run(receive_some(*at2_, into, Duration::seconds(5))), -ETIMEDOUT);
  pair_.network.heal_all();
  EXPECT_EQ(pair_.run(receive_all(*at2_, into, Duration::seconds(5))), 100);
  EXPECT_EQ(into, data);
}

class Empty final : public Node::Program {};

TEST_F(SimNetTest, a_killed_process_ends_its_streams_but_a_machine_without_power_is_silent) {
  connect();
  const std::byte data[3] = {};
  std::byte byte[1];
  // The streams belong to the test here; only what the machine says to the other one matters.
  pair_.network.process_died(n1());
  EXPECT_EQ(pair_.run(receive_some(*at2_, byte, Duration::seconds(5))), 0);
  at1_.reset();
  at2_.reset();
  listener_.reset();
  connect();
  pair_.network.power_lost(n1());
  EXPECT_EQ(pair_.run(receive_some(*at2_, byte, Duration::seconds(5))), -ETIMEDOUT);
  EXPECT_EQ(pair_.run(send_all(*at2_, data, Duration::seconds(5))), 3);
  EXPECT_TRUE(at2_->alive());
  pair_.network.power_back(n1());
  pair_.world.run_for(Duration::seconds(3));
  EXPECT_FALSE(at2_->alive());
  EXPECT_EQ(pair_.run(receive_some(*at2_, byte, Duration::seconds(5))), -ECONNRESET);
}

TEST_F(SimNetTest, unix_sockets_stay_within_a_node) {
  const io::Address at = io::unix_address("/run/control");
  auto listener = std::move(*pair_.n1.io().network.listen(at, {}));
  std::unique_ptr<io::Stream> client;
  EXPECT_EQ(pair_.run(dial(pair_.n2.io(), {}, at, client, Duration::seconds(1))), -ECONNREFUSED);
  EXPECT_EQ(pair_.run(dial(pair_.n1.io(), {}, at, client, Duration::seconds(1))), 0);
  std::unique_ptr<io::Stream> server;
  EXPECT_EQ(pair_.run(take_call(*listener, server, Duration::seconds(1))), 0);
  EXPECT_EQ(server->peer_user(), 0U);
}

}  // namespace
}  // namespace replicator::sim
