// Recorded meta data (tests/fixtures/metadata), and devices that hold it in memory.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "metatool/meta_device.hpp"

namespace replicator::test {

inline constexpr std::uint64_t image_disk_bytes = 16U << 20U;
inline constexpr std::uint64_t image_tail_bytes = 64U << 10U;

// NODE-MOMENT of each recording.
std::vector<std::string> metadata_image_names();
// The last image_tail_bytes of the disk; empty when there is no such file.
std::vector<std::byte> metadata_image(const std::string& name);
std::string metadata_dump(const std::string& name);

// A disk of which only the end is kept; in front of it everything is zero, and writes there fail.
class MemoryMetaDevice final : public metatool::MetaDevice {
 public:
  MemoryMetaDevice(std::uint64_t size, std::vector<std::byte> tail)
      : size_(size), tail_(std::move(tail)) {}

  // Writes beyond this many fail, as at a power cut; of the first one that fails the sectors of
  // `torn` arrive.
  std::optional<unsigned> writes_left;
  std::uint64_t torn = 0;  // bit n: sectors n, n + 64, …
  unsigned writes = 0;

  [[nodiscard]] const std::vector<std::byte>& tail() const noexcept { return tail_; }
  [[nodiscard]] std::vector<std::byte>& tail() noexcept { return tail_; }

  [[nodiscard]] const std::string& name() const noexcept override { return name_; }
  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  Status read(std::uint64_t offset, Bytes into) override;
  Status write(std::uint64_t offset, ConstBytes from) override;
  Status zero(std::uint64_t offset, std::uint64_t length) override;
  Status flush() override { return Status(); }
  [[nodiscard]] int probe_descriptor() const noexcept override { return -1; }

 private:
  [[nodiscard]] std::uint64_t begin() const noexcept { return size_ - tail_.size(); }

  std::string name_ = "/dev/test";
  std::uint64_t size_;
  std::vector<std::byte> tail_;
};

}  // namespace replicator::test
