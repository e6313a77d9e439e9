// An HTTP/1.1 responder for one thing: GET /metrics.
//   P6  a bounded number of clients, a bounded request, deadlines for it to arrive and for the
//       answer to be taken; one request, then the connection is closed. What is served is made at
//       most once a second, however many ask
// Nobody is asked who they are: listen where only those can connect who may know.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "io/acceptor.hpp"
#include "io/io.hpp"
#include "io/task.hpp"

namespace replicator {

// The answer to a request's head (everything up to the empty line), without the body.
struct HttpAnswer {
  int status = 400;
  bool wants_metrics = false;
  bool body = true;  // not for HEAD
};
HttpAnswer judge_http(std::string_view head) noexcept;

class MetricsServer {
 public:
  static constexpr std::uint32_t clients_max = 16;
  static constexpr std::size_t head_bytes_max = 8192;

  // `text` makes what is served.
  MetricsServer(io::World& world, std::function<std::string()> text);

  Status listen(const io::Address& address);
  Task<void> stop();

 private:
  Task<void> serve(std::unique_ptr<io::Stream> stream);
  Task<bool> receive_head(io::Stream& stream, std::string& head);
  std::shared_ptr<const std::string> metrics();

  io::World& world_;
  std::function<std::string()> text_;
  std::shared_ptr<const std::string> latest_;
  Instant made_;
  io::Acceptor clients_;  // last: its frames refer to everything above
};

}  // namespace replicator
