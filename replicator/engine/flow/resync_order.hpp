// The order of resyncs among all volumes of one daemon: pauses those that come after another one
// (`resync-after`) and lets them go on. One object for all resources that may refer to each other's
// minors. Decisions: decide/resync_order.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/decide/resync_order.hpp"

namespace replicator {

class Resource;
class Volume;

class ResyncOrder {
 public:
  // A resource belongs to the order as long as it lives.
  void add(Resource& resource);
  void remove(Resource& resource) noexcept;

  [[nodiscard]] bool may_sync(const Volume& volume) const;
  // 0, 132 or 133.
  [[nodiscard]] std::int32_t check(const Volume& volume, std::int32_t after) const;
  // Something changed: pauses and resumes until nothing changes any more. Calls from within are
  // answered by the outermost one.
  void reconsider();

 private:
  [[nodiscard]] std::vector<OrderedVolume> volumes() const;
  bool reconsider_once();

  std::vector<Resource*> resources_;
  bool reconsidering_ = false;
  bool again_ = false;
};

}  // namespace replicator
