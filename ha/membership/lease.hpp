// Two nodes without fencing hardware: a node may hold resources only for as long as others confirm
// that they hear it (its lease); without that it stops, or resets itself, before anybody takes
// over.
//   H2   what a node that is not heard held is taken over only when its lease has surely ended
//   H7   a node counts from when it sent the last heartbeat that was confirmed, the other one from
//        when it received the last one: (lease + stop) x (1 + drift) + margin <= deadtime
// Who confirms: with two nodes the other one, else a ping node; with more, enough for a majority. A
// node that only votes confirms one side of a partition and never both (Arbiter). Pure.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "ha/words.hpp"

namespace ha::membership {

// What a node says with each heartbeat.
struct Statement {
  bool holds = false;          // resources are active here, or may be
  std::set<std::string> lost;  // it does not hear these any more
  // Of a node that votes: these have no vote of it, and of these the lease has ended by now.
  std::set<std::string> excluded;
  std::set<std::string> expired;
  bool operator==(const Statement&) const = default;
};

// Another node, as this one sees it.
struct Standing {
  bool voter = false;
  bool alive = false;
  std::optional<Instant> heard;
  // When this node sent the last heartbeat that the other one says it has heard.
  std::optional<Instant> confirmed;
  Statement statement;
};

struct LeaseView {
  std::string own_name;
  std::map<std::string, Standing> others;
  std::optional<Instant> ping;  // the last answer of any ping node …
  Instant ping_since;           // … and the first of those without a gap between
};

// The longest that may pass from the last confirmation until everything has stopped, as another
// node's clock sees it. Clocks may differ by one part in a hundred.
Duration worst_case(Duration lease, Duration stop, Duration keepalive) noexcept;

// The end of the lease as far as is known now; nothing: nobody confirms this node.
std::optional<Instant> lease_end(const LeaseView& view, Duration lease);
// Of a node that is not heard any more, or does not hear this one.
bool may_take_over(const LeaseView& view, const std::string& node, Duration lease, Instant now);

// This node's own lease, from one look to the next.
class LeaseKeeper {
 public:
  LeaseKeeper(Duration lease, Duration stop) : lease_(lease), stop_(stop) {}
  void look(const LeaseView& view, Instant now);
  [[nodiscard]] bool backed() const noexcept { return backed_; }
  // When whatever is still active here has to end at once; never() while backed.
  [[nodiscard]] Instant stop_by() const noexcept { return stop_by_; }
  [[nodiscard]] Duration lease() const noexcept { return lease_; }

 private:
  Duration lease_;
  Duration stop_;
  bool backed_ = false;
  Instant end_;  // the last that was known while backed
  Instant stop_by_ = Instant::never();
};

// The node that only votes: of two that do not hear each other it keeps the one that holds
// resources, and says when the other one's lease has ended.
class Arbiter {
 public:
  Arbiter(std::set<std::string> nodes, Duration deadtime)
      : nodes_(std::move(nodes)), deadtime_(deadtime) {}
  Statement look(const LeaseView& view, Instant now);

 private:
  void judge(const LeaseView& view, const std::string& first, const std::string& second,
             Instant now);
  std::set<std::string> nodes_;  // all others
  Duration deadtime_;
  std::optional<Instant> began_;
  std::map<std::string, Instant> excluded_;  // since when
};

}  // namespace ha::membership
