// Who is told of every change of state, in the instant it happens and in order, and of the handlers
// that are called (events2, metrics). Must not wait and must not change anything of the engine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace replicator {

class Resource;
class Volume;

// A handler is called (no wait status yet) or has ended.
struct HelperNote {
  std::string handler;
  std::optional<std::uint32_t> minor;       // none: it is about the whole resource
  std::optional<std::int32_t> wait_status;  // as waitpid() has it
};

class StateObserver {
 public:
  virtual ~StateObserver() = default;
  virtual void volume_changed(const Resource& resource, const Volume& volume) = 0;
  // It has other volumes, or a connection came or went.
  virtual void resource_changed(const Resource& resource) = 0;
  virtual void helper_noted(const Resource& resource, const HelperNote& note) = 0;
};

}  // namespace replicator
