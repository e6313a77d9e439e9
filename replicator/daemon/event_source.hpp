// Between the engine, which says that something changed, and events2, which tells what.
#pragma once

#include "daemon/event_hub.hpp"
#include "engine/flow/resource.hpp"
#include "engine/state_observer.hpp"

namespace replicator {

class EventSource final : public StateObserver {
 public:
  explicit EventSource(EventHub& hub) noexcept : hub_(hub) {}

  void volume_changed(const Resource& resource, const Volume& volume) override {
    if (hub_.watched()) hub_.look_at(resource.name(), volume.status());
  }
  void resource_changed(const Resource& resource) override {
    if (hub_.watched()) hub_.look_at(resource.status());
  }
  void helper_noted(const Resource& resource, const HelperNote& note) override {
    hub_.helper(resource.name(), note.minor, note.handler, note.wait_status);
  }

 private:
  EventHub& hub_;
};

}  // namespace replicator
