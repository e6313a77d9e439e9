// The kernel's nbd client as the rest of this folder sees it. Calls wait for the kernel, some for
// the server of the device, which is the reactor: never on the reactor's thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "nbd/messages.hpp"

namespace replicator::shim::kernel_nbd {

class Control {
 public:
  virtual ~Control() = default;

  // 0 or -errno. After a connect, `number` is the device's.
  virtual std::int32_t issue(const Message& message, std::uint32_t& number) = 0;
  // All devices that there are, connected or not.
  virtual std::vector<std::uint32_t> numbers() = 0;
  // Empty for a device that is not connected, and closed by all.
  virtual std::string identifier_of(std::uint32_t number) = 0;
  virtual Result<std::uint64_t> disk_number(std::uint32_t number) = 0;
  virtual std::uint64_t size_of(std::uint32_t number) = 0;
  // Of a request that is still without an answer, before the kernel looks whether it has to be sent
  // again. Waits for the requests in flight: not for a device whose connection is dead.
  virtual void set_patience(std::uint32_t number, std::uint32_t milliseconds) = 0;
  // Opens it and closes it again.
  virtual Status touch(std::uint32_t number) = 0;
};

}  // namespace replicator::shim::kernel_nbd
