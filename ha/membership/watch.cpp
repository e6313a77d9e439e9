#include "ha/membership/watch.hpp"

#include <algorithm>

#include "base/ensure.hpp"

namespace ha::membership {

NodeWatch::Heard NodeWatch::heard(std::size_t link, bool newest, Instant now,
                                  const WatchTimes& times) {
  ensure(link < links_.size());
  Heard result;
  Link& path = links_[link];
  result.link_came_up = !path.up;
  path.up = true;
  path.heard = now;
  if (!newest) return result;
  result.first = !ever_heard_;
  result.was_dead = liveness_ == Liveness::dead;
  if (ever_heard_ && now - heard_ > times.warntime) result.late = now - heard_;
  heard_ = now;
  ever_heard_ = true;
  liveness_ = Liveness::alive;
  return result;
}

NodeWatch::Expired NodeWatch::tick(Instant now, const WatchTimes& times) {
  Expired result;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    if (!links_[i].up || now - links_[i].heard < times.deadtime) continue;
    links_[i].up = false;
    result.links_died.push_back(i);
  }
  const bool silent = liveness_ == Liveness::alive && now - heard_ >= times.deadtime;
  const bool never_came = liveness_ == Liveness::unheard && now - started_ >= times.initdead;
  if (silent || never_came) {
    liveness_ = Liveness::dead;
    result.node_died = true;
  }
  return result;
}

Instant NodeWatch::deadline(const WatchTimes& times) const noexcept {
  Instant first = Instant::never();
  if (liveness_ == Liveness::unheard) first = started_ + times.initdead;
  for (const Link& link : links_) {
    if (link.up) first = std::min(first, link.heard + times.deadtime);
  }
  if (liveness_ == Liveness::alive) first = std::min(first, heard_ + times.deadtime);
  return first;
}

void NodeWatch::forgive(Duration pause) noexcept {
  started_ = started_ + pause;
  heard_ = heard_ + pause;
  for (Link& link : links_)
    link.heard = link.heard + pause;
}

void NodeWatch::left() noexcept {
  liveness_ = Liveness::dead;
  for (Link& link : links_)
    link.up = false;
}

}  // namespace ha::membership
