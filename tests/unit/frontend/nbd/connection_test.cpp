// One NBD connection over an in-memory stream and a memory device: what clients get for each
// command, back-pressure, split transfers, disconnects at every byte, orders of commands.
#include "frontend/nbd/connection.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_block_device.hpp"
#include "tests/support/nbd_client.hpp"
#include "tests/support/pipe_stream.hpp"

namespace replicator::nbd {
namespace {

using namespace replicator::test;

constexpr std::uint64_t device_bytes = 40U << 20U;
constexpr std::uint32_t mib = 1U << 20U;

ByteString operator+(ByteString left, const ByteString& right) {
  append(left, right);
  return left;
}

class NbdConnectionTest : public testing::Test {
 protected:
  ~NbdConnectionTest() override {
    if (client_ != nullptr) client_->shutdown();
    device_.release();
    queue_.run_all();
    EXPECT_TRUE(gate_.empty()) << "a connection has not ended";
    EXPECT_EQ(device_.open_count, 0);
    EXPECT_EQ(pool_.free_bytes(), pool_.arena().size());
  }

  void start(const PipeOptions& options = {}) {
    PipeStream::Pair pair = PipeStream::make(options);
    client_ = std::move(pair.first);
    server_end_ = pair.second.get();
    parser_ = ReplyParser();
    gate_.start(serve(std::move(pair.second)));
    queue_.run_all();
  }
  Task<void> serve(std::unique_ptr<io::Stream> stream) {
    const Environment environment = {clock_, pool_, device_, name_, limits_, share_};
    const auto connection = std::make_unique<Connection>(environment, std::move(stream));
    connection_ = connection.get();
    Task<void> running = connection->run();
    co_await running;
    connection_ = nullptr;
  }
  static ByteString handshake(bool structured, bool allocation = false) {
    ByteString bytes = client_flags();
    if (structured) append(bytes, option(Option::structured_reply));
    if (allocation) {
      append(bytes, option(Option::set_meta_context, name_and_queries("", {"base:allocation"})));
    }
    append(bytes, option(Option::go, name_and_infos("", {3})));
    return bytes;
  }
  void agree(bool structured, bool allocation = false, const PipeOptions& options = {}) {
    start(options);
    put(handshake(structured, allocation));
    const ByteString answer = all_that_comes();
    ASSERT_GT(answer.size(), 18U);
    ASSERT_EQ(option_replies(ConstBytes(answer).subspan(18)).back(), "ack");
  }
  void put(const ByteString& bytes) {
    client_->put(bytes);
    queue_.run_all();
  }
  ByteString all_that_comes() {
    ByteString all;
    queue_.run_all();
    for (ByteString more = client_->get(); !more.empty(); more = client_->get()) {
      append(all, more);
      queue_.run_all();
    }
    return all;
  }
  // Everything that has been answered, by cookie; the chunks of a structured reply put together.
  std::map<std::uint64_t, Reply> replies() {
    parser_.feed(all_that_comes());
    std::map<std::uint64_t, Reply> all;
    Reply reply;
    while (parser_.next(reply)) {
      Reply& whole = all[reply.cookie];
      if (reply.structured && reply.chunk == Chunk::offset_data) {
        Reply& open = partial_[reply.cookie];
        if (open.data.empty()) open.offset = reply.offset;
        const std::size_t at = reply.offset - base_of(reply.cookie);
        open.data.resize(std::max(open.data.size(), at + reply.data.size()));
        copy_bytes(Bytes(open.data).subspan(at), reply.data);
      } else if (!reply.data.empty() && reply.error == 0) {
        partial_[reply.cookie].data = reply.data;
      }
      if (!reply.done) {
        all.erase(reply.cookie);
        continue;
      }
      whole = reply;
      whole.data = partial_[reply.cookie].data;
      partial_.erase(reply.cookie);
    }
    return all;
  }
  std::uint64_t base_of(std::uint64_t cookie) { return bases_[cookie]; }
  ByteString read(std::uint64_t cookie, std::uint64_t offset, std::uint32_t length,
                  std::uint16_t flags = 0) {
    parser_.expect_data(cookie, length);
    bases_[cookie] = offset;
    return request(Command::read, cookie, offset, length, flags);
  }
  static ByteString write(std::uint64_t cookie, std::uint64_t offset, const ByteString& data,
                          std::uint16_t flags = 0) {
    return request(Command::write, cookie, offset, static_cast<std::uint32_t>(data.size()), flags) +
           data;
  }
  ByteString on_device(std::uint64_t offset, std::size_t length) {
    const auto begin = device_.data.begin() + static_cast<std::ptrdiff_t>(offset);
    return {begin, begin + static_cast<std::ptrdiff_t>(length)};
  }
  [[nodiscard]] bool ended() const { return gate_.empty(); }

  io::RunQueue queue_;
  io::RunQueue::Scope scope_{queue_};
  ManualClock clock_;
  io::BufferPool pool_{16U << 20U, false};
  PayloadShare share_{pool_};
  MemoryBlockDevice device_{device_bytes};
  std::string name_ = "r0/0";
  Limits limits_;
  std::unique_ptr<PipeStream> client_;
  PipeStream* server_end_ = nullptr;
  Connection* connection_ = nullptr;
  ReplyParser parser_;
  std::map<std::uint64_t, Reply> partial_;
  std::map<std::uint64_t, std::uint64_t> bases_;
  io::Gate gate_;
};

TEST_F(NbdConnectionTest, each_command_does_what_it_says) {
  for (const bool structured : {false, true}) {
    device_.data = pattern(device_bytes, 5);
    agree(structured, structured);
    EXPECT_EQ(device_.open_count, 1);
    const ByteString data = pattern(4096, 9);
    put(write(1, 8192, data) + read(2, 4096, 4096) + request(Command::flush, 3, 0, 0) +
        request(Command::trim, 4, 1U << 20U, 4096) +
        request(Command::write_zeroes, 5, 2U << 20U, 4096, flag_no_hole) +
        write(6, 16384, data, flag_fua));
    std::map<std::uint64_t, Reply> all = replies();
    ASSERT_EQ(all.size(), 6U);
    for (const auto& [cookie, reply] : all)
      EXPECT_EQ(reply.error, 0U) << cookie;
    EXPECT_EQ(on_device(8192, 4096), data);
    EXPECT_EQ(all[2].data, on_device(4096, 4096));
    EXPECT_EQ(all[2].structured, structured);
    EXPECT_FALSE(all[1].structured) << "short replies where the protocol allows them";
    EXPECT_EQ(device_.flushes, 1U);
    EXPECT_EQ(device_.stable_writes, 1U);
    EXPECT_FALSE(device_.last_may_unmap);
    EXPECT_TRUE(all_zero(on_device(2U << 20U, 4096)));
    EXPECT_EQ(on_device(1U << 20U, 1)[0], std::byte{0xdd});
    put(request(Command::disconnect, 9, 0, 0));
    EXPECT_TRUE(ended());
    EXPECT_EQ(device_.open_count, 0);
    device_.flushes = device_.stable_writes = 0;
  }
}

TEST_F(NbdConnectionTest, unit_access_of_trim_and_zeroes_is_a_flush_behind_them) {
  agree(false);
  put(request(Command::trim, 1, 0, 4096, flag_fua) +
      request(Command::write_zeroes, 2, 0, 4096, flag_fua));
  EXPECT_EQ(replies().size(), 2U);
  EXPECT_EQ(device_.flushes, 2U);
  put(read(3, 0, 512, flag_fua) + request(Command::flush, 4, 0, 0, flag_fua));
  EXPECT_EQ(replies().size(), 2U);
  EXPECT_EQ(device_.flushes, 3U);
}

TEST_F(NbdConnectionTest, block_status_says_allocated) {
  agree(true, true);
  put(request(Command::block_status, 1, 4096, 1U << 20U, flag_req_one));
  const Reply reply = replies()[1];
  EXPECT_EQ(reply.chunk, Chunk::block_status);
  ASSERT_EQ(reply.data.size(), 12U);
  EXPECT_EQ(read_be32(reply.data, 0), allocation_context_id);
  EXPECT_EQ(read_be32(reply.data, 4), 1U << 20U);
  EXPECT_EQ(read_be32(reply.data, 8), 0U);
}

TEST_F(NbdConnectionTest, errors_of_the_device_are_answered) {
  for (const bool structured : {false, true}) {
    agree(structured);
    device_.io_result = Status(Fault::io_error, "test", 5);
    put(read(1, 0, 4096) + write(2, 0, pattern(512, 1)) + request(Command::flush, 3, 0, 0) +
        request(Command::trim, 4, 0, 512) + read(5, 0, 2 * mib) + write(6, 0, pattern(3 * mib, 1)));
    std::map<std::uint64_t, Reply> all = replies();
    EXPECT_EQ(all.size(), 6U);
    for (const auto& [cookie, reply] : all) {
      EXPECT_EQ(reply.error, 5U) << cookie;
      EXPECT_EQ(reply.structured, structured);
      EXPECT_TRUE(reply.data.empty());
      if (structured) {
        EXPECT_EQ(reply.text, text(Fault::io_error));
      }
    }
    device_.io_result = Status(Fault::canceled);
    put(read(7, 0, 4096));
    EXPECT_EQ(replies()[7].error, 108U);
    device_.io_result = Status();
    put(read(8, 0, 4096));
    EXPECT_EQ(replies()[8].error, 0U);
    put(request(Command::disconnect, 0, 0, 0));
  }
}

TEST_F(NbdConnectionTest, a_trim_the_device_cannot_do_is_not_an_error) {
  agree(false);
  device_.io_result = Status(Fault::unsupported);
  put(request(Command::trim, 1, 0, 512) + request(Command::write_zeroes, 2, 0, 512));
  std::map<std::uint64_t, Reply> all = replies();
  EXPECT_EQ(all[1].error, 0U);
  EXPECT_EQ(all[2].error, 5U);
}

TEST_F(NbdConnectionTest, a_secondary_refuses_and_says_why) {
  device_.limits_now.writable = false;
  device_.open_result = Status(Fault::read_only);
  start();
  put(handshake(false));
  const std::vector<std::byte> bytes = client_->get();
  EXPECT_EQ(option_replies(ConstBytes(bytes).subspan(18)).back(), "error 2");
  const std::string all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  EXPECT_NE(all.find("not Primary"), std::string::npos);
  device_.open_result = Status();
  device_.limits_now.writable = true;
  put(option(Option::go, name_and_infos("")));
  EXPECT_EQ(option_replies(client_->get()).back(), "ack") << "and may be asked again";
}

TEST_F(NbdConnectionTest, asking_for_information_keeps_nothing_open) {
  start();
  put(client_flags() + option(Option::info, name_and_infos("r0/0")));
  EXPECT_EQ(device_.open_count, 0);
  EXPECT_EQ(option_replies(ConstBytes(client_->get()).subspan(18)).back(), "ack");
  put(option(Option::list) + option(Option::abort));
  EXPECT_TRUE(ended());
}

TEST_F(NbdConnectionTest, a_read_only_device_is_exported_read_only) {
  device_.limits_now.writable = false;
  agree(false);
  put(write(1, 0, pattern(512, 1)) + write(2, 0, pattern(100U << 10U, 1)) + read(3, 0, 512) +
      request(Command::trim, 4, 0, 512));
  std::map<std::uint64_t, Reply> all = replies();
  EXPECT_EQ(all[1].error, 1U);
  EXPECT_EQ(all[2].error, 1U);
  EXPECT_EQ(all[3].error, 0U);
  EXPECT_EQ(all[4].error, 1U);
  EXPECT_EQ(device_.writes, 0U);
}

TEST_F(NbdConnectionTest, refused_requests_do_not_disturb_their_neighbours) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{100000}}) {
    agree(true, false, {piece, {}, 1U << 30U});
    put(write(1, 1, pattern(512, 1)) + read(2, 0, 0) + write(3, device_bytes, pattern(4096, 1)) +
        write(4, device_bytes - 512, pattern(70000, 1)) + request(Command::cache, 5, 0, 512) +
        request(static_cast<Command>(77), 6, 0, 512) + write(7, 512, pattern(512, 7)));
    std::map<std::uint64_t, Reply> all = replies();
    const std::map<std::uint64_t, std::uint32_t> expected = {{1, 22}, {2, 22}, {3, 28}, {4, 28},
                                                             {5, 22}, {6, 22}, {7, 0}};
    for (const auto& [cookie, error] : expected)
      EXPECT_EQ(all[cookie].error, error) << cookie;
    EXPECT_EQ(on_device(512, 512), pattern(512, 7));
    put(request(Command::disconnect, 0, 0, 0));
  }
}

TEST_F(NbdConnectionTest, garbage_and_oversized_payloads_end_the_connection) {
  ByteString garbage = request(Command::read, 1, 0, 512);
  garbage[0] ^= std::byte{1};
  const ByteString bad[] = {
      garbage,
      request(Command::write, 1, 0, maximum_payload_bytes + 1),
      request(Command::write, 1, 0, 1U << 31U),
      request(Command::write, 1, 0, ~0U),
  };
  for (const ByteString& bytes : bad) {
    agree(false);
    put(write(5, 0, pattern(512, 3)) + bytes);
    EXPECT_TRUE(ended());
    EXPECT_EQ(replies()[5].error, 0U) << "what was asked before is answered";
  }
}

// Every length around a limit, written and read back, through streams that cut everywhere.
TEST_F(NbdConnectionTest, lengths_around_the_limits_survive) {
  const std::uint32_t lengths[] = {512, 4096,      64U << 10U, (64U << 10U) + 512, mib - 512,
                                   mib, mib + 512, 2 * mib,    3 * mib + 512,      8 * mib};
  std::uint64_t seed = 1;
  for (const bool structured : {false, true}) {
    for (const std::uint32_t length : lengths) {
      agree(structured, false, {300000, ++seed, 200000});
      const ByteString data = pattern(length, length / 512U);
      std::uint64_t offset = 7 * 512;
      put(write(1, offset, data) + write(2, offset + length, pattern(512, 8)));
      std::map<std::uint64_t, Reply> all = replies();
      EXPECT_EQ(all[1].error, 0U);
      EXPECT_EQ(all[2].error, 0U);
      EXPECT_EQ(on_device(offset, length), data) << length;
      EXPECT_LE(device_.largest_transfer, mib);
      put(read(3, offset, length) + read(4, offset + length, 512));
      std::map<std::uint64_t, Reply> got = replies();
      EXPECT_EQ(got[3].data, data) << length;
      EXPECT_EQ(got[4].data, pattern(512, 8));
      put(request(Command::disconnect, 0, 0, 0));
      ASSERT_TRUE(ended());
    }
  }
}

TEST_F(NbdConnectionTest, the_largest_transfer_works_with_little_memory) {
  for (const bool structured : {false, true}) {
    agree(structured);
    const ByteString data = pattern(maximum_payload_bytes, 77);
    put(write(1, 512, data));
    EXPECT_EQ(replies()[1].error, 0U);
    EXPECT_EQ(on_device(512, data.size()), data);
    put(read(2, 512, maximum_payload_bytes) + read(3, 0, 512));
    std::map<std::uint64_t, Reply> got = replies();
    EXPECT_EQ(got[2].data, data);
    EXPECT_EQ(got[3].data.size(), 512U);
    put(request(Command::disconnect, 0, 0, 0));
  }
}

// A simple reply has promised success when the device fails: the client must not take what follows
// for data.
TEST_F(NbdConnectionTest, an_error_in_the_middle_of_a_long_simple_reply_ends_the_connection) {
  agree(false, false, {1U << 30U, {}, 64U << 10U});
  put(read(1, 0, 4 * mib));
  device_.io_result = Status(Fault::io_error, "test", 5);
  std::size_t received = client_->get().size();
  for (int i = 0; i < 100; ++i) {
    queue_.run_all();
    received += client_->get().size();
  }
  EXPECT_TRUE(ended());
  EXPECT_LT(received, 16 + 4 * std::size_t{mib});
}

TEST_F(NbdConnectionTest, an_error_in_one_part_fails_the_whole) {
  agree(true);
  device_.data.resize(2 * mib);  // the device has shrunk behind the client's back
  put(read(1, mib, 2 * mib) + write(2, mib, pattern(2 * mib, 1)) + read(3, 0, mib));
  std::map<std::uint64_t, Reply> all = replies();
  EXPECT_EQ(all[1].error, 22U);
  EXPECT_EQ(all[2].error, 28U);
  EXPECT_EQ(all[3].error, 0U);
}

TEST_F(NbdConnectionTest, replies_that_finish_together_leave_in_one_send) {
  agree(false);
  device_.held = true;
  ByteString batch;
  for (std::uint64_t i = 0; i < 32; ++i)
    append(batch, i % 2 == 0 ? read(i, i * 4096, 4096) : write(i, i * 4096, pattern(4096, 1)));
  put(batch);
  EXPECT_EQ(device_.waiting, 32U);
  const std::uint32_t before = server_end_->sends();
  device_.release();
  queue_.run_all();
  EXPECT_EQ(server_end_->sends(), before + 1);
  EXPECT_EQ(replies().size(), 32U);
}

TEST_F(NbdConnectionTest, requests_in_flight_are_bounded) {
  limits_.requests_in_flight = 4;
  agree(false);
  device_.held = true;
  ByteString batch;
  for (std::uint64_t i = 0; i < 10; ++i)
    append(batch, request(Command::flush, i, 0, 0));
  put(batch);
  EXPECT_EQ(device_.waiting, 4U);
  device_.release();
  queue_.run_all();
  EXPECT_EQ(replies().size(), 10U);
}

// Also replies that are not read count.
TEST_F(NbdConnectionTest, a_client_that_does_not_read_is_not_read_from) {
  limits_.requests_in_flight = 8;
  agree(false, false, {1U << 30U, {}, 64});
  device_.held = true;
  ByteString batch;
  for (std::uint64_t i = 0; i < 1000; ++i)
    append(batch, request(static_cast<Command>(99), i, 0, 0));
  put(batch);
  parser_.feed(ByteString());
  std::size_t answered = 0;
  for (int i = 0; i < 1000 && answered < 1000; ++i)
    answered += replies().size();
  EXPECT_EQ(answered, 1000U);
}

TEST_F(NbdConnectionTest, a_client_that_never_reads_is_dropped_in_the_end) {
  agree(false, false, {1U << 30U, {}, 1000});
  put(read(1, 0, 4096) + read(2, 0, 4096));
  clock_.advance(limits_.unread_replies);  // the first look may come at once after the send
  queue_.run_all();
  EXPECT_FALSE(ended());
  clock_.advance(limits_.unread_replies);
  queue_.run_all();
  EXPECT_TRUE(ended());
}

TEST_F(NbdConnectionTest, a_slow_client_is_not_dropped) {
  agree(false, false, {1U << 30U, {}, 1000});
  put(read(1, 0, 64U << 10U));
  for (int i = 0; i < 100 && !ended(); ++i) {
    clock_.advance(Duration::seconds(40));
    queue_.run_all();
    put(request(Command::flush, 100 + static_cast<std::uint64_t>(i), 0, 0));
    replies();
  }
  EXPECT_FALSE(ended());
}

TEST_F(NbdConnectionTest, payload_memory_is_bounded) {
  agree(false);
  device_.held = true;
  ByteString batch;
  for (std::uint64_t i = 0; i < 20; ++i)
    append(batch, write(i, i * mib, pattern(mib, 1)));
  put(batch);
  EXPECT_EQ(device_.waiting, 4U) << "a quarter of the pool";
  EXPECT_EQ(pool_.free_bytes(), 12U << 20U);
  device_.release();
  queue_.run_all();
  EXPECT_EQ(replies().size(), 20U);
}

TEST_F(NbdConnectionTest, connections_of_a_volume_share_its_payload_memory) {
  agree(false);
  share_.used = share_.budget;  // of another connection
  put(write(1, 0, pattern(4096, 1)) + request(Command::flush, 2, 0, 0));
  EXPECT_TRUE(replies().empty());
  share_.used = 0;
  share_.released.notify_all();
  queue_.run_all();
  EXPECT_EQ(replies().size(), 2U);
  EXPECT_EQ(share_.used, 0U);
}

TEST_F(NbdConnectionTest, requests_wait_for_memory) {
  agree(false);
  std::vector<io::BufferPool::Buffer> taken;
  while (pool_.free_bytes() > 0)
    taken.push_back(pool_.try_take(mib));
  put(write(1, 0, pattern(4096, 3)) + read(2, 0, 4096) + write(3, 8192, pattern(mib, 4)) +
      read(4, mib, 2 * mib));
  EXPECT_TRUE(replies().empty());
  taken.clear();
  queue_.run_all();
  std::map<std::uint64_t, Reply> got = replies();
  EXPECT_EQ(got.size(), 4U);
  EXPECT_EQ(on_device(8192, mib), pattern(mib, 4));
}

// At every byte of a session the client goes away: nothing is left open, no memory is lost.
TEST_F(NbdConnectionTest, disconnect_at_every_byte) {
  const ByteString session =
      client_flags() + option(Option::list) + option(Option::structured_reply) +
      option(Option::set_meta_context, name_and_queries("", {"base:allocation"})) +
      option(Option::info, name_and_infos("r0/0", {1, 3})) +
      option(Option::go, name_and_infos("", {3})) + write(1, 0, pattern(512, 1)) +
      request(Command::read, 2, 0, 1024) + request(Command::flush, 3, 0, 0) +
      request(Command::block_status, 4, 0, 512) + request(Command::disconnect, 0, 0, 0);
  for (std::size_t cut = 0; cut <= session.size(); ++cut) {
    start({13, cut, 1U << 30U});
    put({session.begin(), session.begin() + static_cast<std::ptrdiff_t>(cut)});
    client_->shutdown();
    queue_.run_all();
    ASSERT_TRUE(ended()) << cut;
    ASSERT_EQ(device_.open_count, 0) << cut;
  }
}

TEST_F(NbdConnectionTest, disconnect_inside_large_payloads) {
  for (const std::uint32_t length : {4096U, 100U << 10U, 3 * mib}) {
    const ByteString whole = write(1, 0, pattern(length, 1));
    for (const std::size_t cut : {std::size_t{1}, std::size_t{27}, std::size_t{28}, std::size_t{29},
                                  whole.size() / 2, whole.size() - 1}) {
      agree(false);
      put({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)});
      EXPECT_FALSE(ended());
      client_->shutdown();
      queue_.run_all();
      ASSERT_TRUE(ended()) << length << " cut at " << cut;
      ASSERT_EQ(pool_.free_bytes(), pool_.arena().size());
    }
  }
}

TEST_F(NbdConnectionTest, requests_in_flight_outlive_the_client) {
  agree(true);
  device_.held = true;
  put(write(1, 0, pattern(4096, 1)) + write(2, 4096, pattern(2 * mib, 2)) + read(3, 0, 3 * mib) +
      request(Command::disconnect, 0, 0, 0));
  client_->shutdown();
  queue_.run_all();
  EXPECT_FALSE(ended());
  EXPECT_EQ(device_.open_count, 1) << "open as long as it is being written to";
  device_.release();
  queue_.run_all();
  EXPECT_TRUE(ended());
  EXPECT_EQ(on_device(4096, 2 * mib), pattern(2 * mib, 2));
}

TEST_F(NbdConnectionTest, a_disconnect_request_waits_for_its_predecessors) {
  agree(false);
  device_.held = true;
  put(write(1, 0, pattern(4096, 1)) + request(Command::disconnect, 0, 0, 0));
  EXPECT_FALSE(ended());
  device_.release();
  queue_.run_all();
  EXPECT_TRUE(ended());
  EXPECT_EQ(replies()[1].error, 0U);
}

TEST_F(NbdConnectionTest, stopping_answers_what_is_in_flight_and_refuses_the_rest) {
  agree(false);
  device_.held = true;
  put(write(1, 0, pattern(4096, 1)));
  connection_->stop();
  put(write(2, 0, pattern(4096, 2)) + write(3, 0, pattern(100U << 10U, 2)));
  device_.release();
  queue_.run_all();
  EXPECT_TRUE(ended());
  std::map<std::uint64_t, Reply> all = replies();
  EXPECT_EQ(all[1].error, 0U);
  EXPECT_EQ(all[2].error, 108U);
  EXPECT_EQ(all[3].error, 108U);
  EXPECT_EQ(device_.writes, 1U);
}

TEST_F(NbdConnectionTest, stopping_ends_idle_and_negotiating_clients_at_once) {
  agree(false);
  connection_->stop();
  queue_.run_all();
  EXPECT_TRUE(ended());
  start();
  connection_->stop();
  queue_.run_all();
  EXPECT_TRUE(ended());
}

TEST_F(NbdConnectionTest, the_handshake_has_a_deadline_for_all_of_it) {
  start();
  EXPECT_EQ(server_end_->receive_patience(), limits_.handshake);
  clock_.advance(Duration::seconds(20));
  put(client_flags());
  EXPECT_EQ(server_end_->receive_patience(), Duration::seconds(10));
  clock_.advance(Duration::seconds(10));
  put(option(Option::list));
  EXPECT_TRUE(ended());
  agree(false);
  EXPECT_TRUE(server_end_->receive_patience().is_forever());
}

TEST_F(NbdConnectionTest, requests_may_follow_the_last_option_at_once) {
  start();
  put(handshake(false) + write(1, 0, pattern(512, 6)));
  EXPECT_EQ(on_device(0, 512), pattern(512, 6));
}

// All orders of three commands, each legal or not, on both kinds of replies: one answer each.
TEST_F(NbdConnectionTest, all_orders_of_commands_to_depth_three) {
  const auto commands = [this](std::uint64_t cookie, int which) {
    switch (which) {
      case 0: return read(cookie, 0, 1024);
      case 1: return write(cookie, 512, pattern(512, 2));
      case 2: return request(Command::flush, cookie, 0, 0);
      case 3: return request(Command::trim, cookie, 0, 512, flag_fua);
      case 4: return request(Command::write_zeroes, cookie, 0, 512);
      case 5: return request(Command::block_status, cookie, 0, 512);
      case 6: return request(Command::cache, cookie, 0, 512);
      case 7: return read(cookie, device_bytes, 512);
      case 8: return write(cookie, 3, pattern(70000, 1));
      case 9: return read(cookie, 0, mib + 512);
      case 10: return write(cookie, 0, pattern(mib + 512, 1));
      default: return request(Command::disconnect, cookie, 0, 0);
    }
  };
  constexpr int kinds = 12;
  for (int order = 0; order < kinds * kinds * kinds; ++order) {
    const int which[] = {order / (kinds * kinds), order / kinds % kinds, order % kinds};
    const bool structured = order % 2 == 0;
    agree(structured, structured);
    std::size_t expected = 0;
    ByteString bytes;
    for (std::uint64_t i = 0; i < 3; ++i) {
      append(bytes, commands(i, which[i]));
      if (which[i] == kinds - 1) break;
      ++expected;
    }
    put(bytes);
    ASSERT_EQ(replies().size(), expected) << which[0] << " " << which[1] << " " << which[2];
    client_->shutdown();
    queue_.run_all();
    ASSERT_TRUE(ended());
  }
}

// Many requests of all sizes, in random pieces, with the device answering in its own time: every
// write is found again.
TEST_F(NbdConnectionTest, random_traffic_is_carried_out_exactly) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Prng prng(seed);
    agree(seed % 2 == 0, false, {std::size_t{1} << prng.between(4, 18), seed, 300000});
    ByteString model = device_.data;
    std::map<std::uint64_t, ByteString> expected;
    std::uint64_t place = 0;
    std::uint64_t cookie = seed << 32U;
    std::map<std::uint64_t, Reply> got;
    while (place < (8U << 20U)) {
      const std::uint64_t kind = prng.below(4);
      const auto length = static_cast<std::uint32_t>(512 * prng.between(1, kind == 0 ? 4000 : 16));
      if (place + length > device_bytes) break;
      device_.held = prng.chance(50);
      ++cookie;
      if (prng.chance(50)) {
        const ByteString data = pattern(length, static_cast<unsigned>(cookie));
        copy_bytes(Bytes(model).subspan(place), data);
        put(write(cookie, place, data));
        expected[cookie] = {};
      } else {
        const ConstBytes wanted = ConstBytes(model).subspan(place, length);
        expected[cookie] = {wanted.begin(), wanted.end()};
        put(read(cookie, place, length));
      }
      if (!device_.held) device_.release();
      place += length;
      for (auto& [id, reply] : replies())
        got[id] = reply;
    }
    device_.release();
    for (auto& [id, reply] : replies())
      got[id] = reply;
    ASSERT_EQ(got.size(), expected.size()) << seed;
    for (auto& [id, data] : expected)
      ASSERT_EQ(got[id].data, data) << seed;
    EXPECT_EQ(device_.data, model);
    put(request(Command::disconnect, 0, 0, 0));
    ASSERT_TRUE(ended());
  }
}

// The simulator's power cut: frames are destroyed where they stand.
TEST_F(NbdConnectionTest, everything_may_vanish_at_any_moment) {
  agree(true);
  device_.held = true;
  put(write(1, 0, pattern(4096, 1)) + read(2, 0, 3 * mib) + write(3, 0, pattern(2 * mib, 1)));
  {
    io::Gate doomed;
    PipeStream::Pair pair = PipeStream::make();
    doomed.start(serve(std::move(pair.second)));
    pair.first->put(handshake(true) + write(1, 0, pattern(4096, 1)) + read(2, 0, 3 * mib) +
                    write(3, 0, pattern(2 * mib, 1)) + ByteString(10));
    queue_.run_all();
    EXPECT_EQ(device_.open_count, 2);
  }
  device_.open_count = 1;
}

}  // namespace
}  // namespace replicator::nbd
