// Who is there, as the part that decides is told: the membership, with a lease less and more than
// that.
//   H2   who is not heard any more is there until its lease has ended
//   H7   who has lost its own lease is alone, whoever is heard
#pragma once

#include <set>
#include <string>
#include <vector>

#include "ha/controller/controller.hpp"
#include "ha/daemon/guard.hpp"
#include "ha/membership/membership.hpp"

namespace ha::daemon {

class Attendance {
 public:
  Attendance(const membership::Membership& membership, const Guard& guard)
      : membership_(membership), guard_(guard) {}

  // A node died: true when nothing may be made of that yet.
  bool withhold(const std::string& node);
  struct Settled {
    std::string node;
    bool dead = false;  // its lease has ended; else it is heard again
  };
  // What became of those.
  std::vector<Settled> settle();

  [[nodiscard]] bool quorum() const;
  [[nodiscard]] controller::View view() const;

 private:
  const membership::Membership& membership_;
  const Guard& guard_;
  std::set<std::string> withheld_;
};

}  // namespace ha::daemon
