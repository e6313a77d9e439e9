#include "daemon/metrics_server.hpp"

#include <fmt/format.h>

#include <array>
#include <span>
#include <utility>

#include "io/send_within.hpp"

namespace replicator {

namespace {

constexpr Duration request_patience = Duration::seconds(5);
constexpr Duration answer_patience = Duration::seconds(10);
constexpr Duration freshness = Duration::seconds(1);
constexpr std::string_view end_of_head = "\r\n\r\n";
constexpr int too_large = 431;

const char* phrase(int status) noexcept {
  switch (status) {
    case 200: return "OK";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 431: return "Request Header Fields Too Large";
    case 505: return "HTTP Version Not Supported";
    default: return "Bad Request";
  }
}

std::string head_of(const HttpAnswer& answer, std::size_t body_bytes) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: text/plain; {}charset=utf-8\r\nContent-Length: {}\r\n{}"
      "Connection: close\r\n\r\n",
      answer.status, phrase(answer.status), answer.wants_metrics ? "version=0.0.4; " : "",
      body_bytes, answer.status == 405 ? "Allow: GET, HEAD\r\n" : "");
}

io::IoSlice slice_of(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace

// "GET /metrics HTTP/1.1"; a query behind the path is ignored, as are all header fields.
HttpAnswer judge_http(std::string_view head) noexcept {
  HttpAnswer answer;
  const std::string_view line = head.substr(0, head.find("\r\n"));
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last <= first + 1 || first == 0) return answer;
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!version.starts_with("HTTP/") || target.find(' ') != std::string_view::npos) return answer;
  answer.status = 505;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return answer;
  answer.status = 405;
  if (method != "GET" && method != "HEAD") return answer;
  answer.body = method == "GET";
  const std::string_view path = target.substr(0, target.find('?'));
  answer.wants_metrics = path == "/metrics" || path == "/";
  answer.status = answer.wants_metrics ? 200 : 404;
  return answer;
}

MetricsServer::MetricsServer(io::World& world, std::function<std::string()> text)
    : world_(world),
      text_(std::move(text)),
      clients_(world, "metrics", clients_max,
               [this](std::unique_ptr<io::Stream> stream) { return serve(std::move(stream)); }) {}

Status MetricsServer::listen(const io::Address& address) {
  const Status claimed = clients_.claim(address);
  if (claimed.ok()) clients_.start();
  return claimed;
}

Task<void> MetricsServer::stop() { return clients_.stop(); }

Task<void> MetricsServer::serve(std::unique_ptr<io::Stream> stream) {
  std::string head;
  const bool whole = co_await receive_head(*stream, head);
  HttpAnswer answer;
  if (whole) answer = judge_http(head);
  else if (head.size() >= head_bytes_max) answer.status = too_large;
  if (whole || head.size() >= head_bytes_max) {
    const std::shared_ptr<const std::string> body =
        answer.wants_metrics
            ? metrics()
            : std::make_shared<std::string>(phrase(answer.status) + std::string("\n"));
    const std::string first = head_of(answer, body->size());
    const std::array<io::IoSlice, 2> both{slice_of(first), slice_of(*body)};
    const std::span<const io::IoSlice> slices(both.data(), answer.body ? 2 : 1);
    const std::int32_t sent =
        co_await io::send_within(world_.clock, *stream, slices, answer_patience);
    static_cast<void>(sent);
  }
  stream->shutdown();
}

std::shared_ptr<const std::string> MetricsServer::metrics() {
  const Instant now = world_.clock.now();
  if (latest_ && now - made_ < freshness) return latest_;
  made_ = now;
  latest_ = std::make_shared<const std::string>(text_());
  return latest_;
}

// The deadline is that of the whole head: a byte now and then does not keep a place.
Task<bool> MetricsServer::receive_head(io::Stream& stream, std::string& head) {
  const Instant until = world_.clock.now() + request_patience;
  std::array<std::byte, 1024> chunk{};
  const Bytes into(chunk);
  while (head.find(end_of_head) == std::string::npos) {
    const Instant now = world_.clock.now();
    if (head.size() >= head_bytes_max || now >= until || clients_.closed()) co_return false;
    const Duration left = until - now;
    io::Op op;
    stream.receive(op, into, left);
    const std::int32_t got = co_await op;
    if (got <= 0) co_return false;
    head.append(reinterpret_cast<const char*>(chunk.data()), static_cast<std::size_t>(got));
  }
  co_return true;
}

}  // namespace replicator
