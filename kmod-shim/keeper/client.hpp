// A daemon's side of the keeper. Calls wait for that process and are made off the reactor's thread,
// by any thread.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "devices/file_descriptor.hpp"
#include "keeper/messages.hpp"
#include "keeper/packet.hpp"

namespace replicator::shim::keeper {

class Client {
 public:
  // The descriptor may be none: then nothing can be kept.
  explicit Client(FileDescriptor connection);

  [[nodiscard]] bool there() const noexcept { return there_; }

  // In place of one with this name.
  Status keep(const std::string& name, const std::string& note, int fd);
  struct Kept {
    FileDescriptor fd;
    std::string note;
  };
  // A duplicate of it; it stays kept.
  std::optional<Kept> fetch(const std::string& name);
  void forget(const std::string& name);

 private:
  std::optional<Packet> ask(const Message& message, int fd);

  std::atomic<bool> there_;
  FileDescriptor connection_;
  std::mutex turn_;
};

}  // namespace replicator::shim::keeper
