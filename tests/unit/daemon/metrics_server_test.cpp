// What HTTP clients ask for, and what those get who ask for something else, too much, too slowly,
// or are too many.
#include "daemon/metrics_server.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "base/prng.hpp"
#include "tests/sim/two_nodes.hpp"

namespace replicator {
namespace {

TEST(JudgeHttp, Requests) {
  const struct {
    const char* line;
    int status;
    bool metrics;
  } rows[] = {
      {"GET /metrics HTTP/1.1", 200, true},
      {"GET / HTTP/1.0", 200, true},
      {"GET /metrics?name[]=x HTTP/1.1", 200, true},
      {"HEAD /metrics HTTP/1.1", 200, true},
      {"GET /metricsx HTTP/1.1", 404, false},
      {"GET /../etc/passwd HTTP/1.1", 404, false},
      {"GET http://a/metrics HTTP/1.1", 404, false},
      {"POST /metrics HTTP/1.1", 405, false},
      {"get /metrics HTTP/1.1", 405, false},
      {"GET /metrics HTTP/2.0", 505, false},
      {"GET /metrics HTTP/1.1 ", 400, false},
      {"GET  /metrics HTTP/1.1", 400, false},
      {"GET /metrics", 400, false},
      {"GET", 400, false},
      {"", 400, false},
      {" ", 400, false},
      {"\x16\x03\x01", 400, false},
  };
  for (const auto& row : rows) {
    const HttpAnswer answer = judge_http(std::string(row.line) + "\r\nHost: x\r\n\r\n");
    EXPECT_EQ(answer.status, row.status) << row.line;
    EXPECT_EQ(answer.wants_metrics, row.metrics) << row.line;
  }
  EXPECT_FALSE(judge_http("HEAD / HTTP/1.1\r\n\r\n").body);
  Prng random(9);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(random.below(40), ' ');
    for (char& c : bytes)
      c = static_cast<char>(random.below(256));
    EXPECT_FALSE(judge_http(bytes).wants_metrics && !bytes.starts_with("GET /"));
  }
}

class MetricsServerTest : public testing::Test {
 protected:
  MetricsServerTest()
      : pair_(3), server_(pair_.n1.io(), [this] {
          ++made_;
          return std::string("metric 1\n");
        }) {
    EXPECT_TRUE(server_.listen(io::unix_address("/run/http")).ok());
  }
  ~MetricsServerTest() override {
    clients_.clear();
    pair_.run(server_.stop(), Duration::seconds(30));
    EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text;
  }

  struct Client {
    explicit Client(io::World& io) : world(io) {}
    io::World& world;
    std::unique_ptr<io::Stream> stream;

    Task<void> dial() {
      const io::Address nowhere;
      const io::Address server = io::unix_address("/run/http");
      io::Op op;
      world.network.connect(op, nowhere, server, io::SocketOptions(), stream, Duration::seconds(5));
      const std::int32_t result = co_await op;
      EXPECT_EQ(result, 0);
    }
    Task<void> say(std::string text) {
      const io::IoSlice slice{reinterpret_cast<const std::byte*>(text.data()), text.size()};
      const std::span<const io::IoSlice> slices(&slice, 1);
      io::Op op;
      stream->send(op, slices);
      const std::int32_t sent = co_await op;
      static_cast<void>(sent);
    }
    Task<std::string> hear() {
      std::string text;
      std::byte chunk[256];
      const Bytes into(chunk);
      for (;;) {
        io::Op op;
        stream->receive(op, into);
        const std::int32_t got = co_await op;
        if (got <= 0) co_return text;
        text.append(reinterpret_cast<const char*>(chunk), static_cast<std::size_t>(got));
      }
    }
  };
  Client& client() {
    clients_.push_back(std::make_unique<Client>(pair_.n1.io()));
    pair_.run(clients_.back()->dial());
    return *clients_.back();
  }
  std::string ask(std::string request) {
    Client& one = client();
    pair_.run(one.say(std::move(request)));
    return pair_.run(one.hear(), Duration::seconds(30));
  }

  sim::TwoNodes pair_;
  int made_ = 0;
  MetricsServer server_;
  std::vector<std::unique_ptr<Client>> clients_;
};

TEST_F(MetricsServerTest, ServesThemAndHangsUp) {
  EXPECT_EQ(ask("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
            "Content-Length: 9\r\nConnection: close\r\n\r\nmetric 1\n");
  EXPECT_TRUE(ask("HEAD /metrics HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
  EXPECT_EQ(made_, 1) << "made anew within a second";
}

TEST_F(MetricsServerTest, RefusesWithAReason) {
  EXPECT_TRUE(ask("GET /x HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_NE(ask("PUT / HTTP/1.1\r\n\r\n").find("\r\nAllow: GET, HEAD\r\n"), std::string::npos);
  EXPECT_TRUE(ask("GET / HTTP/1.1\r\nX: " + std::string(10000, 'x')).starts_with("HTTP/1.1 431 "));
  EXPECT_EQ(made_, 0);
}

TEST_F(MetricsServerTest, WhoDoesNotAskIsHungUpOn) {
  EXPECT_EQ(ask("GET / HT"), "");
  EXPECT_EQ(ask(""), "");
}

TEST_F(MetricsServerTest, OneTooManyIsHungUpOnAndTheOthersAreServed) {
  std::vector<Client*> all;
  for (std::uint32_t i = 0; i < MetricsServer::clients_max; ++i)
    all.push_back(&client());
  EXPECT_EQ(ask("GET / HTTP/1.1\r\n\r\n"), "");
  pair_.run(all.back()->say("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_TRUE(pair_.run(all.back()->hear()).starts_with("HTTP/1.1 200 OK\r\n"));
}

}  // namespace
}  // namespace replicator
