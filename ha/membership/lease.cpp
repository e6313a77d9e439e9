#include "ha/membership/lease.hpp"

#include <algorithm>
#include <vector>

namespace ha::membership {

namespace {

bool recent(const std::optional<Instant>& when, Duration lease, Instant now) {
  return when && *when + lease > now;
}

// Of two that are there, one does not hear the other one.
bool apart(const LeaseView& view, const std::string& a, const std::string& b) {
  const Standing& one = view.others.at(a);
  const Standing& other = view.others.at(b);
  if (!one.alive || !other.alive || one.voter || other.voter) return false;
  return one.statement.lost.contains(b) || other.statement.lost.contains(a);
}

}  // namespace

Duration worst_case(Duration lease, Duration stop, Duration keepalive) noexcept {
  const Duration own = lease + stop;
  return own + own / 100 + keepalive;
}

std::optional<Instant> lease_end(const LeaseView& view, Duration lease) {
  const std::size_t needed = (view.others.size() + 1) / 2;
  if (needed == 0) return Instant::never();
  std::vector<Instant> ends;
  std::optional<Instant> last_heard;
  for (const auto& [name, other] : view.others) {
    const bool refused = other.voter && other.statement.excluded.contains(view.own_name);
    if (other.confirmed && !refused) ends.push_back(*other.confirmed + lease);
    if (other.heard) last_heard = std::max(last_heard.value_or(*other.heard), *other.heard);
  }
  // A ping node speaks for this one only while the other one is silent: who hears it, and is not
  // heard, will be taken for dead. And not at once: when a cable is plugged in again its answer may
  // come before the other one's heartbeat.
  const bool one_way = last_heard && view.ping && *last_heard + lease / 2 > *view.ping;
  const bool lasting = view.ping && view.ping_since + lease <= *view.ping;
  if (view.others.size() == 1 && lasting && !one_way) ends.push_back(*view.ping + lease);
  if (ends.size() < needed) return std::nullopt;
  std::sort(ends.begin(), ends.end(), [](Instant a, Instant b) { return b < a; });
  return ends[needed - 1];
}

bool may_take_over(const LeaseView& view, const std::string& node, Duration lease, Instant now) {
  bool voters = false;
  for (const auto& [name, other] : view.others) {
    if (!other.voter) continue;
    if (name == node) return true;
    voters = true;
    const Statement& says = other.statement;
    if (recent(other.confirmed, lease, now) && says.expired.contains(node) &&
        !says.excluded.contains(view.own_name))
      return true;
  }
  if (voters) return false;
  // Else it is the deadtime that says it; of two, a ping node may speak for one that is heard and
  // does not hear.
  const auto other = view.others.find(node);
  return other == view.others.end() || view.others.size() > 1 || !other->second.alive;
}

void LeaseKeeper::look(const LeaseView& view, Instant now) {
  const std::optional<Instant> end = lease_end(view, lease_);
  if (end && *end > now) {
    backed_ = true;
    end_ = *end;
    stop_by_ = Instant::never();
    return;
  }
  if (backed_) stop_by_ = std::min(now, end_) + stop_;
  // The other node may count from an earlier time than this one thought.
  if (backed_ && end && view.others.size() == 1) stop_by_ = std::min(stop_by_, *end + stop_);
  backed_ = false;
}

// --- The vote ----------------------------------------------------------------------------------

Statement Arbiter::look(const LeaseView& view, Instant now) {
  if (!began_) began_ = now;
  Statement says;
  // What it said in an earlier life is forgotten: until that has run out nobody has its vote.
  if (now < *began_ + deadtime_) {
    says.excluded = nodes_;
    return says;
  }
  for (const auto& [name, other] : view.others) {
    bool at_odds = false;
    for (const auto& [second, standing] : view.others)
      at_odds = at_odds || (second != name && apart(view, name, second));
    if (!other.alive) excluded_.emplace(name, now);
    else if (!at_odds) excluded_.erase(name);
  }
  for (auto first = view.others.begin(); first != view.others.end(); ++first) {
    for (auto second = std::next(first); second != view.others.end(); ++second)
      if (apart(view, first->first, second->first)) judge(view, first->first, second->first, now);
  }
  for (const auto& [name, since] : excluded_) {
    says.excluded.insert(name);
    const auto other = view.others.find(name);
    const bool silent = other == view.others.end() || !other->second.alive;
    if (silent || now >= since + deadtime_) says.expired.insert(name);
  }
  return says;
}

void Arbiter::judge(const LeaseView& view, const std::string& first, const std::string& second,
                    Instant now) {
  if (excluded_.contains(first) || excluded_.contains(second)) return;
  const bool only_second_holds =
      view.others.at(second).statement.holds && !view.others.at(first).statement.holds;
  excluded_.emplace(only_second_holds ? first : second, now);
}

}  // namespace ha::membership
