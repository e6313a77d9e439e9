// The device that meta data lies on, as drbdmeta sees it: blocking, in multiples of 512 bytes at
// multiples of 4096. Buffers are AlignedBuffer, because a block device is read and written without
// page cache: what this program reads is what the daemon wrote.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace replicator::metatool {

class AlignedBuffer {
 public:
  explicit AlignedBuffer(std::size_t size);
  [[nodiscard]] Bytes bytes() noexcept { return {memory_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* memory) const noexcept { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::size_t size_;
};

class MetaDevice {
 public:
  MetaDevice() = default;
  MetaDevice(const MetaDevice&) = delete;
  MetaDevice& operator=(const MetaDevice&) = delete;
  virtual ~MetaDevice() = default;

  [[nodiscard]] virtual const std::string& name() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;  // bytes
  virtual Status read(std::uint64_t offset, Bytes into) = 0;
  virtual Status write(std::uint64_t offset, ConstBytes from) = 0;
  virtual Status zero(std::uint64_t offset, std::uint64_t length) = 0;
  // What was written survives a power cut.
  virtual Status flush() = 0;
  // A descriptor to probe for existing data, or -1.
  [[nodiscard]] virtual int probe_descriptor() const noexcept = 0;
};

}  // namespace replicator::metatool
