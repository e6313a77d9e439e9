// The control socket in the simulator: what clients send in every piece size, what they do not send
// in time, too many of them, and an end in the middle of a command.
#include "control/server.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "control/codes.hpp"
#include "tests/sim/two_nodes.hpp"
#include "tests/support/pipe_stream.hpp"

namespace replicator::control {
namespace {

constexpr std::string_view path = "/run/pollux/control.sock";

// Notes requests; "wait" is held until release() or until its caller is gone.
class Handler final : public CommandHandler {
 public:
  explicit Handler(io::Clock& clock) : clock_(clock) {}

  Task<Reply> handle(Request request, io::Stream& caller) override {
    handled.push_back(request);
    Reply reply;
    reply.info.push_back(request.command);
    if (request.command == "wait") {
      while (!released_ && caller.alive()) {
        io::Op op;
        clock_.sleep(op, Duration::milliseconds(50));
        co_await op;
      }
      ++ended;
    }
    co_return reply;
  }
  [[nodiscard]] bool may_wait(const Request& request) const override {
    return request.command == "wait";
  }
  void release() { released_ = true; }

  std::vector<Request> handled;
  int ended = 0;

 private:
  io::Clock& clock_;
  bool released_ = false;
};

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
  Task<bool> say(std::string text) {
    const io::IoSlice slice{reinterpret_cast<const std::byte*>(text.data()), text.size()};
    const std::span<const io::IoSlice> slices(&slice, 1);
    io::Op op;
    stream->send(op, slices);
    const std::int32_t sent = co_await op;
    co_return sent == static_cast<std::int32_t>(text.size());
  }
  // A line without its newline, or nothing when the server ends first.
  Task<std::string> line() {
    std::string text;
    std::byte byte{};
    const Bytes into(&byte, 1);
    for (;;) {
      io::Op op;
      stream->receive(op, into);
      const std::int32_t got = co_await op;
      if (got <= 0) co_return std::string();
      if (byte == std::byte{'\n'}) co_return text;
      text.push_back(static_cast<char>(byte));
    }
  }
  Task<std::string> call(std::string text) {
    const bool said = co_await say(std::move(text));
    if (!said) co_return std::string();
    co_return co_await line();
  }
  // True when the server hangs up without a word.
  Task<bool> ended() {
    const std::string text = co_await line();
    co_return text.empty();
  }
};

std::string request_line(const char* command) {
  Request request;
  request.command = command;
  request.object = "r0";
  return encode(request);
}

class ControlServer : public testing::Test {
 protected:
  ControlServer() : pair_(7), handler_(pair_.n1.io().clock), server_(pair_.n1.io(), handler_) {
    EXPECT_TRUE(server_.listen(std::string(path)).ok());
  }
  ~ControlServer() override {
    handler_.release();
    pair_.run(server_.stop(), Duration::seconds(60));
    EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text;
  }
  Client dialled() {
    Client client(pair_.n1.io());
    EXPECT_EQ(pair_.run(client.dial()), 0);
    return client;
  }
  Reply ask(Client& client, std::string text) {
    const Result<Reply> reply = decode_reply(pair_.run(client.call(std::move(text))));
    EXPECT_TRUE(reply);
    return reply ? *reply : Reply();
  }

  sim::TwoNodes pair_;
  Handler handler_;
  Server server_;
};

TEST_F(ControlServer, AnswersOneRequest) {
  Client client = dialled();
  const Reply reply = ask(client, request_line("ping"));
  EXPECT_EQ(reply.code, ok_code);
  EXPECT_EQ(reply.info, std::vector<std::string>{"ping"});
  ASSERT_EQ(handler_.handled.size(), 1U);
  EXPECT_EQ(handler_.handled[0].object, "r0");
}

TEST_F(ControlServer, RequestsInOnePieceAreAnsweredInOrder) {
  Client client = dialled();
  ASSERT_TRUE(pair_.run(client.say(request_line("one") + request_line("two"))));
  EXPECT_NE(pair_.run(client.line()).find("\"one\""), std::string::npos);
  EXPECT_NE(pair_.run(client.line()).find("\"two\""), std::string::npos);
}

TEST_F(ControlServer, ARequestMayArriveByteByByte) {
  Client client = dialled();
  const std::string text = request_line("ping");
  for (const char byte : text.substr(0, text.size() - 1)) {
    ASSERT_TRUE(pair_.run(client.say(std::string(1, byte))));
    pair_.world.run_for(Duration::milliseconds(10));
  }
  EXPECT_TRUE(handler_.handled.empty());
  EXPECT_EQ(ask(client, "\n").code, ok_code);
}

TEST_F(ControlServer, NonsenseIsRefusedAndTheConversationGoesOn) {
  Client client = dialled();
  for (const char* text :
       {"\n", "drbd\n", "[]\n", "{}\n", "{\"command\":7}\n", "{\"command\":\n"}) {
    const Reply reply = ask(client, text);
    EXPECT_EQ(reply.code, err_invalid_request) << text;
    EXPECT_EQ(reply.info.size(), 1U) << text;
  }
  EXPECT_TRUE(handler_.handled.empty());
  EXPECT_EQ(ask(client, request_line("ping")).code, ok_code);
}

TEST_F(ControlServer, ALineWithoutAnEndIsCutOff) {
  Client client = dialled();
  ASSERT_TRUE(pair_.run(client.say(std::string(max_request_bytes + 4096, 'x'))));
  EXPECT_TRUE(pair_.run(client.ended()));
  EXPECT_TRUE(handler_.handled.empty());
}

TEST_F(ControlServer, ALongRequestWithinTheLimitIsServed) {
  Request request;
  request.command = "ping";
  request.arguments.assign(600, std::string(100, 'a'));
  Client client = dialled();
  EXPECT_EQ(ask(client, encode(request)).code, ok_code);
  ASSERT_EQ(handler_.handled.size(), 1U);
  EXPECT_EQ(handler_.handled[0], request);
}

TEST_F(ControlServer, ASilentClientLosesItsPlaceInTime) {
  Client client = dialled();
  const Instant before = pair_.world.now();
  EXPECT_TRUE(pair_.run(client.ended(), Duration::seconds(20)));
  EXPECT_GE(pair_.world.now() - before, Duration::seconds(4));
  EXPECT_LE(pair_.world.now() - before, Duration::seconds(6));
}

TEST_F(ControlServer, ATricklingClientDoesNotKeepItsPlace) {
  Client client = dialled();
  bool open = true;
  for (int second = 0; second < 10 && open; ++second) {
    open = pair_.run(client.say("x"));
    pair_.world.run_for(Duration::seconds(1));
    open = open && client.stream->alive();
  }
  EXPECT_FALSE(open);
}

TEST_F(ControlServer, TheDeadlineIsThatOfARequestNotOfTheConversation) {
  Client client = dialled();
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(ask(client, request_line("ping")).code, ok_code);
    pair_.world.run_for(Duration::seconds(3));
  }
}

TEST_F(ControlServer, WaitingCommandsLeaveRoomForTheOthers) {
  std::vector<Client> waiting;
  for (std::size_t i = 0; i < Server::waiting_max; ++i) {
    waiting.push_back(dialled());
    ASSERT_TRUE(pair_.run(waiting.back().say(request_line("wait"))));
  }
  pair_.world.run_for(Duration::seconds(1));
  ASSERT_EQ(handler_.handled.size(), Server::waiting_max);
  Client other = dialled();
  EXPECT_EQ(ask(other, request_line("wait")).info,
            std::vector<std::string>{"too many commands are waiting already; end some of them"});
  EXPECT_EQ(ask(other, request_line("resume-io")).code, ok_code);
  waiting.back().stream.reset();
  pair_.world.run_for(Duration::seconds(1));
  ASSERT_TRUE(pair_.run(other.say(request_line("wait"))));
  pair_.world.run_for(Duration::seconds(1));
  EXPECT_EQ(handler_.handled.size(), Server::waiting_max + 2);
}

TEST_F(ControlServer, OneClientTooManyIsTurnedAwayUntilThereIsRoom) {
  std::vector<Client> clients;
  for (std::size_t i = 0; i < Server::clients_max; ++i)
    clients.push_back(dialled());
  Client late = dialled();
  EXPECT_TRUE(pair_.run(late.ended()));
  EXPECT_TRUE(clients.front().stream->alive());
  clients.back().stream.reset();
  pair_.world.run_for(Duration::milliseconds(100));
  Client later = dialled();
  EXPECT_EQ(ask(later, request_line("ping")).code, ok_code);
}

TEST_F(ControlServer, AWaitEndsWithItsCaller) {
  Client client = dialled();
  ASSERT_TRUE(pair_.run(client.say(request_line("wait"))));
  pair_.world.run_for(Duration::seconds(30));
  EXPECT_EQ(handler_.ended, 0) << "a command may take longer than a request";
  client.stream.reset();
  pair_.world.run_for(Duration::seconds(1));
  EXPECT_EQ(handler_.ended, 1);
}

TEST_F(ControlServer, StoppingAnswersTheCommandsInProgress) {
  Client client = dialled();
  ASSERT_TRUE(pair_.run(client.say(request_line("wait"))));
  pair_.world.run_for(Duration::seconds(1));
  Task<void> stopping = server_.stop();
  stopping.start();
  pair_.world.run_for(Duration::seconds(20));
  EXPECT_FALSE(stopping.done());
  Client late(pair_.n1.io());
  EXPECT_NE(pair_.run(late.dial()), 0);
  handler_.release();
  const Result<Reply> reply = decode_reply(pair_.run(client.line()));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->code, ok_code);
  pair_.world.run_for(Duration::seconds(10));
  EXPECT_TRUE(stopping.done());
}

// A socket whose one client is somebody else than root.
class StrangersStream final : public io::Stream {
 public:
  explicit StrangersStream(std::unique_ptr<io::Stream> inner) : inner_(std::move(inner)) {}
  void receive(io::Op& op, Bytes into, Duration patience) override {
    inner_->receive(op, into, patience);
  }
  void send(io::Op& op, std::span<const io::IoSlice> slices, Duration patience) override {
    inner_->send(op, slices, patience);
  }
  void shutdown() noexcept override { inner_->shutdown(); }
  [[nodiscard]] bool alive() noexcept override { return inner_->alive(); }
  [[nodiscard]] io::Address local() const noexcept override { return {}; }
  [[nodiscard]] io::Address peer() const noexcept override { return {}; }
  [[nodiscard]] std::uint32_t peer_user() const noexcept override { return 1000; }

 private:
  std::unique_ptr<io::Stream> inner_;
};

class StrangersNetwork final : public io::Network {
 public:
  explicit StrangersNetwork(std::unique_ptr<io::Stream> only) : only_(std::move(only)) {}
  Result<std::unique_ptr<io::Listener>> listen(const io::Address&, io::SocketOptions) override {
    return std::unique_ptr<io::Listener>(std::make_unique<Door>(std::move(only_)));
  }
  void connect(io::Op&, const io::Address&, const io::Address&, io::SocketOptions,
               std::unique_ptr<io::Stream>&, Duration) override {
    ensure(false);
  }
  void cancel(io::Op&) noexcept override {}

 private:
  class Door final : public io::Listener, io::Backend {
   public:
    explicit Door(std::unique_ptr<io::Stream> only) : only_(std::move(only)) {}
    void accept(io::Op& op, std::unique_ptr<io::Stream>& accepted, Duration) override {
      begin(op);
      waiting_ = &op;
      if (!only_) return;
      accepted = std::make_unique<StrangersStream>(std::move(only_));
      finish(*std::exchange(waiting_, nullptr), 0);
    }
    void close() noexcept override {
      if (waiting_ != nullptr) finish(*std::exchange(waiting_, nullptr), -ECANCELED);
    }

   private:
    void forget(io::Op&) noexcept override { waiting_ = nullptr; }
    std::unique_ptr<io::Stream> only_;
    io::Op* waiting_ = nullptr;
  };
  std::unique_ptr<io::Stream> only_;
};

TEST(ControlServerAccess, OnlyRootIsServed) {
  sim::TwoNodes pair(7);
  auto [near, far] = test::PipeStream::make();
  StrangersNetwork network(std::move(far));
  io::World& real = pair.n1.io();
  io::World world{real.storage, network, real.clock, real.entropy, real.helper};
  Handler handler(real.clock);
  Server server(world, handler);
  ASSERT_TRUE(server.listen(std::string(path)).ok());
  Client client(world);
  client.stream = std::move(near);
  const Result<Reply> reply = decode_reply(pair.run(client.call(request_line("ping"))));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->code, err_permission);
  EXPECT_TRUE(handler.handled.empty());
  client.stream.reset();
  pair.run(server.stop());
  EXPECT_FALSE(pair.world.failed()) << pair.world.failure().text;
}

}  // namespace
}  // namespace replicator::control
