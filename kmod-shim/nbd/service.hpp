// The server's end of a device's connection with the kernel. What comes over it is carried out by
// the transmission phase of frontend/nbd.
//
// A connection that ends while the device is kept is replaced, when everything that came over it
// has been carried out: the kernel sends again what was not answered, and a write must not be
// carried out for the first time after newer ones.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "devices/device_record.hpp"
#include "devices/file_descriptor.hpp"
#include "frontend/nbd/connection.hpp"
#include "io/block_device.hpp"
#include "io/io.hpp"
#include "io/sync.hpp"
#include "nbd/control.hpp"
#include "uring/reactor.hpp"

namespace replicator::shim::kernel_nbd {

class Service {
 public:
  // The references outlive this; so must the end of the serving.
  Service(uring::Reactor& reactor, Control& control, io::BlockDevice& device, std::string name);

  // Serves a new connection; the result is the kernel's end of it.
  Result<FileDescriptor> connect();
  // The connection is that of this device, and is replaced from now on.
  void keep(const DeviceRecord& record);
  // It is not replaced any more.
  void let_go() noexcept;
  // Ends it, too. Requests in flight are still carried out.
  void cut() noexcept;
  // Not before let_go().
  Task<void> ended();

  // As a connection's (frontend/nbd/connection.hpp), of all that there will be.
  void hold() noexcept;
  [[nodiscard]] bool quiet() const noexcept;
  void release() noexcept;
  Task<void> leave();

  // The volume has another size, which the kernel is about to be told.
  void resized() noexcept;

 private:
  Task<void> serve(std::unique_ptr<io::Stream> stream);
  Task<void> serve_one(std::unique_ptr<io::Stream> stream);
  Task<std::unique_ptr<io::Stream>> replacement();

  uring::Reactor& reactor_;
  Control& control_;
  io::BlockDevice& device_;
  std::string name_;
  nbd::Limits limits_;
  nbd::PayloadShare share_;
  nbd::Connection* connection_ = nullptr;
  std::optional<DeviceRecord> kept_;
  bool held_ = false;
  io::Op pause_;
  io::Gate serving_;  // last: its frames refer to everything above
};

}  // namespace replicator::shim::kernel_nbd
