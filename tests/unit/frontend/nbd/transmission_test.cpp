// A connection without a handshake, as the kernel's client has it: the size may change under it, it
// can be held, left, and take its time.
#include <gtest/gtest.h>

#include "frontend/nbd/connection.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_block_device.hpp"
#include "tests/support/nbd_client.hpp"
#include "tests/support/pipe_stream.hpp"

namespace replicator::nbd {
namespace {

using namespace replicator::test;

constexpr std::uint64_t device_bytes = 1U << 20U;
constexpr std::size_t reply_bytes = 16;

class NbdTransmissionTest : public testing::Test {
 protected:
  NbdTransmissionTest() {
    EXPECT_TRUE(device_.open(true).ok());
    PipeStream::Pair pair = PipeStream::make({});
    client_ = std::move(pair.first);
    gate_.start(serve(std::move(pair.second)));
    queue_.run_all();
  }
  ~NbdTransmissionTest() override {
    client_->shutdown();
    device_.release();
    queue_.run_all();
    EXPECT_TRUE(gate_.empty()) << "the connection has not ended";
    EXPECT_EQ(pool_.free_bytes(), pool_.arena().size());
  }
  Task<void> serve(std::unique_ptr<io::Stream> stream) {
    const Environment environment = {clock_, pool_, device_, name_, limits_, share_};
    const auto connection = std::make_unique<Connection>(environment, std::move(stream));
    connection_ = connection.get();
    Task<void> running = connection->run_without_handshake();
    co_await running;
    connection_ = nullptr;
  }
  void flush(std::uint64_t cookie) { put(request(Command::flush, cookie, 0, 0)); }
  void put(const ByteString& bytes) {
    client_->put(bytes);
    queue_.run_all();
  }
  // The error of each answer.
  std::vector<std::uint32_t> answers() {
    std::vector<std::uint32_t> errors;
    const ByteString all = client_->get();
    for (std::size_t at = 0; at + reply_bytes <= all.size(); at += reply_bytes)
      errors.push_back(read_be32(all, at + 4));
    return errors;
  }
  using Errors = std::vector<std::uint32_t>;

  io::RunQueue queue_;
  io::RunQueue::Scope scope_{queue_};
  ManualClock clock_;
  io::BufferPool pool_{16U << 20U, false};
  PayloadShare share_{pool_};
  MemoryBlockDevice device_{device_bytes};
  std::string name_ = "r0/0";
  Limits limits_;
  std::unique_ptr<PipeStream> client_;
  Connection* connection_ = nullptr;
  io::Gate gate_;
};

TEST_F(NbdTransmissionTest, RequestsAreCarriedOutAtOnce) {
  flush(1);
  EXPECT_EQ(answers(), Errors({0}));
  EXPECT_EQ(device_.flushes, 1U);
}

TEST_F(NbdTransmissionTest, TheDeviceStaysOpen) {
  put(request(Command::disconnect, 1, 0, 0));
  EXPECT_TRUE(gate_.empty());
  EXPECT_EQ(device_.open_count, 1);
}

TEST_F(NbdTransmissionTest, TheSizeFollowsTheDevices) {
  const ByteString beyond = request(Command::trim, 1, device_bytes, 4096);
  put(beyond);
  EXPECT_EQ(answers(), Errors({static_cast<std::uint32_t>(Error::invalid)}));
  device_.data.resize(2 * device_bytes);
  device_.limits_now.size = ByteCount(2 * device_bytes);
  put(beyond);
  EXPECT_NE(answers(), Errors({0})) << "nobody has told the client yet";
  connection_->resized();
  put(beyond);
  EXPECT_EQ(answers(), Errors({0}));
}

TEST_F(NbdTransmissionTest, WhileItIsHeldNothingBegins) {
  device_.held = true;
  flush(1);
  connection_->hold();
  flush(2);
  EXPECT_EQ(connection_->in_flight(), 1U);
  device_.release();
  queue_.run_all();
  EXPECT_EQ(answers(), Errors({0}));
  EXPECT_EQ(connection_->in_flight(), 0U);
  flush(3);
  EXPECT_EQ(device_.flushes, 1U);
  connection_->release();
  queue_.run_all();
  EXPECT_EQ(answers(), Errors({0, 0}));
}

TEST_F(NbdTransmissionTest, OnceItIsLeftNothingBegins) {
  connection_->hold();
  flush(1);
  flush(2);
  connection_->leave();
  queue_.run_all();
  EXPECT_TRUE(gate_.empty());
  EXPECT_EQ(device_.flushes, 0U);
}

}  // namespace
}  // namespace replicator::nbd
