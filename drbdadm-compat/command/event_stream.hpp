// What `drbdsetup events2` does with the lines of the daemon: each is printed at once, behind the
// time of day if asked for, until the dump is complete (--now) or the daemon takes leave.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace replicator::command {

class EventStream {
 public:
  EventStream(std::FILE* out, bool timestamps, bool now)
      : out_(out), timestamps_(timestamps), now_(now) {}

  // False: that was the last one.
  bool take(std::string_view line);
  [[nodiscard]] bool begun() const noexcept { return begun_; }
  // The dump that was asked for is complete, or nobody reads any more.
  [[nodiscard]] bool done() const noexcept { return done_; }
  // Why the daemon ended it, if it did.
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
  std::FILE* out_;
  bool timestamps_;
  bool now_;
  bool begun_ = false;
  bool done_ = false;
  std::string problem_;
};

}  // namespace replicator::command
