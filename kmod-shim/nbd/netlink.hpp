// The kernel's nbd client by generic netlink and sysfs. Each message has a socket of its own: there
// are a handful in the life of a device, and several threads may send them at once.
#pragma once

#include <cstddef>
#include <vector>

#include "nbd/control.hpp"

namespace replicator::shim::kernel_nbd {

class KernelControl final : public Control {
 public:
  std::int32_t issue(const Message& message, std::uint32_t& number) override;
  std::vector<std::uint32_t> numbers() override;
  std::string identifier_of(std::uint32_t number) override;
  Result<std::uint64_t> disk_number(std::uint32_t number) override;
  std::uint64_t size_of(std::uint32_t number) override;
  void set_patience(std::uint32_t number, std::uint32_t milliseconds) override;
  Status touch(std::uint32_t number) override;
};

// Whether this kernel has a client that can serve us; Fault::unsupported with the reason.
Status look_for_client();

// A message's attributes as the kernel reads them.
std::vector<std::byte> attributes(const Message& message);

}  // namespace replicator::shim::kernel_nbd
