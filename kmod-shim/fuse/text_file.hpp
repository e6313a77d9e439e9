// A file like those of /proc: its text is made when it is opened, and stays the same for that
// reader until it is closed. Read-only, for everybody.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <string>

#include "fuse/file.hpp"

namespace replicator::shim {

class TextFile : public File {
 public:
  using Generate = std::function<std::string()>;
  explicit TextFile(Generate generate) : generate_(std::move(generate)) {}

  // As in /proc: unknown before it is read, shown as 0.
  [[nodiscard]] std::uint64_t size() const noexcept override { return 0; }
  [[nodiscard]] std::uint32_t mode() const noexcept override { return 0444; }
  int open(const Opener& opener, std::uint64_t& handle) override;
  void release(std::uint64_t handle, bool for_writing) noexcept override;
  void read(Reply reply, std::uint64_t handle, std::uint64_t offset, std::size_t size) override;

 private:
  // Root has a share of its own: nobody can keep it from looking by holding files open.
  enum class Share : std::uint8_t { root, others };
  static constexpr std::size_t share_max = 512;
  struct Text {
    std::string text;
    Share share;
  };
  Generate generate_;
  std::map<std::uint64_t, Text> texts_;
  std::array<std::size_t, 2> open_{};  // by share
  std::uint64_t next_handle_ = 1;
};

}  // namespace replicator::shim
