#include "daemon/turn.hpp"

namespace replicator {

namespace {
constexpr Duration look_after = Duration::milliseconds(200);
}

Task<bool> Turn::wait(io::Clock& clock, io::Stream& caller) {
  line_.start(stand_in_line(clock));
  if (mine_) co_return true;
  while (!mine_) {
    if (!caller.alive()) co_return false;
    clock.sleep(pause_, look_after);
    co_await pause_;
  }
  co_return caller.alive();
}

Task<void> Turn::stand_in_line(io::Clock& clock) {
  co_await take_;
  mine_ = true;
  clock.wake(pause_);
}

}  // namespace replicator
