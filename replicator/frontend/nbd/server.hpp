// The NBD server of one volume, on one unix socket. Connections are limited, each has a deadline
// for its handshake, and stop() ends within a bound whatever clients do (P2, P6, L4), given that
// the device answers the requests it has been given: suspended I/O has to be failed or resumed
// first.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/list.hpp"
#include "frontend/nbd/connection.hpp"
#include "io/acceptor.hpp"
#include "io/block_device.hpp"
#include "io/buffer_pool.hpp"
#include "io/io.hpp"
#include "io/sync.hpp"

namespace replicator {

class NbdServer {
 public:
  // The export is known by this name, RESOURCE/VOLUME, and by the empty one. References outlive the
  // server. A server that has served must be stopped before it is destroyed, except when the world
  // around it ends too.
  NbdServer(io::World& world, io::BufferPool& pool, io::BlockDevice& device,
            std::string export_name, nbd::Limits limits = {});
  NbdServer(const NbdServer&) = delete;
  NbdServer& operator=(const NbdServer&) = delete;

  // Accepts clients on the unix socket at `path` from now on. Once.
  Status listen(std::string_view path);
  // Serves one client that is connected already. Drops it when there are too many.
  void serve(std::unique_ptr<io::Stream> stream);
  // No new clients; the present ones get answers to what they have asked, as far as that takes no
  // longer than the limit, and are disconnected. Done when the last one is gone. One stop at a
  // time.
  Task<void> stop();

  // The processes that hold the device open, each connection once.
  [[nodiscard]] std::vector<std::uint32_t> users() noexcept;
  [[nodiscard]] std::uint32_t connections() const noexcept { return clients_.clients(); }

 private:
  Task<void> serve_client(std::unique_ptr<io::Stream> stream);
  Task<void> cut_in_time();

  io::World& world_;
  // When several volumes stand still, they have taken all of what is shared: each goes on with a
  // little of its own (L2).
  static constexpr std::size_t own_bytes = 1U << 20U;
  io::BufferPool pool_;
  io::BlockDevice& device_;
  std::string export_name_;
  nbd::Limits limits_;
  nbd::PayloadShare share_;
  List<nbd::Connection> connections_;
  io::Op grace_;  // of stopping
  io::Gate helpers_;
  io::Acceptor clients_;
};

}  // namespace replicator
