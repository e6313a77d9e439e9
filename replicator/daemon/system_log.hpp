// Lines for the system's log, sent as datagrams that never wait: whoever takes them may be held up
// by a file system that is on a volume of ours (L1). What finds no room is lost, and counted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/log.hpp"

namespace replicator {

class SystemLog {
 public:
  explicit SystemLog(std::string path = "/dev/log") : path_(std::move(path)) {}
  SystemLog(const SystemLog&) = delete;
  SystemLog& operator=(const SystemLog&) = delete;
  ~SystemLog();

  void add(log::Level level, std::string_view line);
  // As a log::Sink; the context is the object.
  static void sink(void* context, log::Level level, std::string_view line);
  // Since the last line that got through.
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

 private:
  bool connect_to_it() noexcept;
  bool send_line(log::Level level, std::string_view line) noexcept;

  std::string path_;
  int fd_ = -1;
  std::uint64_t lost_ = 0;
};

}  // namespace replicator
