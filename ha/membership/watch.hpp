// Is a node there? Decided from when it was last heard, over which link. Time is an argument.
//   H15  a pause of this program is not taken for the silence of others
//   H16  a node is dead when all its links are silent, not before
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "ha/words.hpp"

namespace ha::membership {

struct WatchTimes {
  Duration warntime;
  Duration deadtime;
  Duration initdead;  // for a node that was never heard
};

enum class Liveness : std::uint8_t { unheard, alive, dead };

class NodeWatch {
 public:
  NodeWatch(std::size_t links, Instant started) : links_(links), started_(started) {}

  struct Heard {
    bool link_came_up = false;
    bool first = false;  // never heard before, dead or not
    bool was_dead = false;
    std::optional<Duration> late;  // the silence that ended now, if it was beyond warntime
  };
  // `newest`: nothing later was heard from the node yet. Anything else, a copy that came over
  // another link or a packet that was recorded before, shows that the link works, not that the node
  // is there.
  Heard heard(std::size_t link, bool newest, Instant now, const WatchTimes& times);

  struct Expired {
    bool node_died = false;
    std::vector<std::size_t> links_died;
  };
  Expired tick(Instant now, const WatchTimes& times);
  // When tick() will have something to say if nothing is heard; never() when it will not.
  [[nodiscard]] Instant deadline(const WatchTimes& times) const noexcept;

  // This program did not run for so long.
  void forgive(Duration pause) noexcept;
  // It said goodbye: dead now.
  void left() noexcept;

  [[nodiscard]] Liveness liveness() const noexcept { return liveness_; }
  [[nodiscard]] bool link_up(std::size_t link) const noexcept { return links_[link].up; }
  [[nodiscard]] bool ever_heard() const noexcept { return ever_heard_; }
  [[nodiscard]] Instant heard_at() const noexcept { return heard_; }

 private:
  struct Link {
    Instant heard;
    bool up = false;
  };
  std::vector<Link> links_;
  Instant started_;
  Instant heard_;
  Liveness liveness_ = Liveness::unheard;
  bool ever_heard_ = false;
};

}  // namespace ha::membership
