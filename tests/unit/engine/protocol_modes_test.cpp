// Protocols A, B and C: what an answered write has waited for, seen with a peer whose disk is
// stuck.
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

constexpr std::uint32_t all_writes = sim::bit(sim::DiskOp::write) | sim::bit(sim::DiskOp::zeroes);

class ProtocolTest : public EngineTest {
 protected:
  void primary(WireProtocol protocol) {
    net.protocol = protocol;
    up();
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
  }
  static void make_stuck(sim::Node& node) {
    sim::DiskFault fault;
    fault.kinds = all_writes;
    fault.sticky = true;
    fault.stuck = true;
    node.disk().inject(fault);
  }
  static void release(sim::Node& node) {
    node.disk().clear_faults();
    node.disk().release_stuck();
  }
  Task<Status> one_write(std::uint64_t at, bool stable) {
    buffer_ = pool_.try_take(4096);
    fill_bytes(buffer_.bytes(), std::byte{0x5a});
    return volume(pair_.n1).write(ByteRange(ByteOffset(at), ByteCount(4096)), buffer_.bytes(),
                                  stable);
  }
  bool ends(const Task<Status>& task, Duration limit = Duration::seconds(1)) {
    return pair_.world.run_until([&] { return task.done(); }, limit);
  }
  // A write while the peer's disk is stuck: is it answered before that is over?
  void expect_answered_early(WireProtocol protocol, bool stable, bool early) {
    primary(protocol);
    make_stuck(pair_.n2);
    Task<Status> write = one_write(0, stable);
    write.start();
    EXPECT_EQ(ends(write), early);
    Task<Status> flush = volume(pair_.n1).flush();
    flush.start();
    EXPECT_FALSE(ends(flush));  // D3, in every protocol
    release(pair_.n2);
    EXPECT_TRUE(ends(flush));
    EXPECT_TRUE(ends(write));
    EXPECT_TRUE(write.take().ok());
    EXPECT_TRUE(flush.take().ok());
    expect_equal();
  }

  io::BufferPool pool_{1U << 20U, false};
  io::BufferPool::Buffer buffer_;
};

TEST_F(ProtocolTest, a_answers_what_was_sent) {
  expect_answered_early(WireProtocol::a, false, true);
}
TEST_F(ProtocolTest, b_answers_what_was_received) {
  expect_answered_early(WireProtocol::b, false, true);
}
TEST_F(ProtocolTest, c_answers_what_was_written) {
  expect_answered_early(WireProtocol::c, false, false);
}
TEST_F(ProtocolTest, a_stable_write_waits_for_both_disks_in_a) {
  expect_answered_early(WireProtocol::a, true, false);
}
TEST_F(ProtocolTest, a_stable_write_waits_for_both_disks_in_b) {
  expect_answered_early(WireProtocol::b, true, false);
}

TEST_F(ProtocolTest, b_does_not_answer_what_nobody_received) {
  primary(WireProtocol::b);
  pair_.network.block(pair_.n1.id(), pair_.n2.id());
  Task<Status> write = one_write(0, false);
  write.start();
  EXPECT_FALSE(ends(write));
  EXPECT_TRUE(ends(write, Duration::seconds(60)));  // alone, after the peer was given up
  EXPECT_TRUE(write.take().ok());
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), 1U);
}

// D7: with the local disk failed, only the peer's proof is success.
TEST_F(ProtocolTest, a_failed_local_write_waits_for_the_peer_s_disk) {
  for (const char* line : {"local ", "disk failed, detaching"})
    pair_.world.expect_error(line);
  primary(WireProtocol::a);
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x11).ok());  // its extent is in the activity log
  ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
  make_stuck(pair_.n2);
  sim::DiskFault fault;
  fault.kinds = all_writes;
  pair_.n1.disk().inject(fault);
  Task<Status> write = one_write(0, false);
  write.start();
  EXPECT_FALSE(ends(write));
  EXPECT_EQ(pair_.n1.disk().fault_hits(), 1U);
  release(pair_.n2);
  EXPECT_TRUE(ends(write));
  EXPECT_TRUE(write.take().ok());
}

// D5: answered and in doubt; the lost connection marks it, and the next one copies it.
TEST_F(ProtocolTest, a_write_that_was_answered_in_a_is_resynced_when_the_peer_goes_away) {
  primary(WireProtocol::a);
  pair_.network.block(pair_.n1.id(), pair_.n2.id());
  ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x11).ok());
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), 0U);
  pair_.world.run_until([&] { return volume(pair_.n1).out_of_sync_blocks() != 0; },
                        Duration::seconds(60));
  EXPECT_EQ(volume(pair_.n1).out_of_sync_blocks(), 1U);
  pair_.network.heal_all();
  wait_until_synced();
  expect_equal();
}

TEST_F(ProtocolTest, protocols_that_differ_do_not_connect) {
  for (const char* line : {"protocol", "incompatible"})
    pair_.world.expect_error(line);
  ASSERT_EQ(attach(pair_.n1), 0);
  ASSERT_EQ(attach(pair_.n2), 0);
  net.protocol = WireProtocol::a;
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  net.protocol = WireProtocol::b;
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  const auto apart = [](sim::Node& node) {
    return volume(node).state().connection == ConnectionState::stand_alone;
  };
  EXPECT_TRUE(pair_.world.run_until([&] { return apart(pair_.n1) || apart(pair_.n2); },
                                    Duration::seconds(60)));
}

TEST_F(ProtocolTest, the_protocol_stays_while_connected) {
  primary(WireProtocol::b);
  NetOptions other = net;
  other.protocol = WireProtocol::c;
  EXPECT_EQ(resource(pair_.n1).set_net_options(other).code, 162);
}

// ko-count times timeout without an answer: the peer is given up, although it answers pings.
TEST_F(ProtocolTest, a_peer_whose_disk_is_stuck_is_given_up_in_time) {
  net.ko_count = 2;
  net.timeout_tenths = 20;
  primary(WireProtocol::c);
  make_stuck(pair_.n2);
  Task<Status> write = one_write(0, false);
  write.start();
  EXPECT_FALSE(ends(write, Duration::seconds(3)));
  EXPECT_TRUE(ends(write, Duration::seconds(4)));
  EXPECT_TRUE(write.take().ok());
  EXPECT_LT(static_cast<int>(volume(pair_.n1).state().connection),
            static_cast<int>(ConnectionState::connected));
  release(pair_.n2);
}

// An epoch that never rests is closed all the same: its writes must not look unanswered.
TEST_F(ProtocolTest, a_slow_steady_writer_does_not_cost_the_connection) {
  net.ko_count = 1;
  net.timeout_tenths = 30;
  primary(WireProtocol::a);
  const Instant until = pair_.world.now() + Duration::seconds(12);
  while (pair_.world.now() < until) {
    ASSERT_TRUE(write(pair_.n1, 0, 4096, 0x33).ok());
    pair_.world.run_for(Duration::milliseconds(40));
  }
  EXPECT_EQ(name(volume(pair_.n1).state().connection), "Connected");
}

// max-buffers: what the peer may have under way here.
TEST_F(ProtocolTest, the_receiver_takes_no_more_than_max_buffers) {
  net.max_buffers = 32;  // 128 KiB
  primary(WireProtocol::a);
  make_stuck(pair_.n2);
  io::BufferPool::Buffer data = pool_.try_take(65536);
  std::vector<Task<Status>> writes;
  for (std::uint64_t i = 0; i < 8; ++i) {
    writes.push_back(volume(pair_.n1).write(ByteRange(ByteOffset(i * 65536), ByteCount(65536)),
                                            data.bytes(), false));
    writes.back().start();
  }
  pair_.world.run_for(Duration::seconds(1));
  EXPECT_EQ(volume(pair_.n2).status().peer_unacknowledged, 2U);
  release(pair_.n2);
  ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
  for (Task<Status>& one : writes)
    EXPECT_TRUE(one.done() && one.take().ok());
  expect_equal();
}

}  // namespace
}  // namespace replicator
