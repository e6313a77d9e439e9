// A peer that does not keep up: the Primary pulls ahead and announces instead of sending, until
// what it had sent is stable there; or it disconnects.
//   E2, E7  every write of the state Ahead is marked and announced, before the sync identifier that
//   ends
//           it
//   D3      a flush while Ahead waits until the peer knows that it is Behind: from then on it does
//   not
//           pass for current, whatever happens to this node
#include "engine/decide/congestion.hpp"
#include "base/log.hpp"
#include "base/mark.hpp"
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"

namespace replicator {

namespace {

constexpr Duration look_again = Duration::milliseconds(100);
constexpr int quiet_looks = 10;  // in a row, before the resync: a second

}  // namespace

bool Connection::relieve_congestion(Volume& volume) {
  if (options_.on_congestion == OnCongestion::block || !established_) return false;
  Backlog backlog;
  backlog.sectors = volume.in_doubt_sectors_;
  backlog.extents = volume.backing_ ? volume.backing_->extents_held() : 0;
  backlog.log_full = log_.full();
  const Relief wanted = relief(options_, volume.state_, link_->agreed_version, backlog);
  if (wanted == Relief::none) return false;
  log::info("{}/{} {}", resource_.name(), volume.number(), congested_by(options_, backlog));
  close_epoch();
  if (wanted == Relief::disconnect) {
    go_stand_alone_ = true;
    fail(ConnectionState::disconnecting, "congestion");
    return true;
  }
  StateDelta delta;
  delta.connection(ConnectionState::ahead);
  const StateCode code = resource_.change(volume, delta, false);
  if (static_cast<int>(code) < 1) return false;
  mark("pulled ahead");
  volume.peer_.knows_it_is_behind = false;
  link_tasks_.start(catch_up(volume));
  return true;
}

// Back to a resync of what was announced, once the peer has made stable what it was sent.
Task<void> Connection::catch_up(Volume& volume) {
  // Nothing is asked for: the answer tells that the peer has read everything up to here.
  const std::int32_t reply = co_await ask_peer(&volume, 0, 0);
  if (reply != connection_was_lost) volume.peer_.knows_it_is_behind = true;
  resource_.changed.notify_all();
  int quiet = 0;
  while (established_ && volume.state_.connection == ConnectionState::ahead) {
    if (quiet == quiet_looks) {
      const Status started = co_await start_as_source(volume);
      if (!started.ok()) fail(ConnectionState::protocol_error, started.where());
      break;
    }
    io::Op op;
    resource_.world().clock.sleep(op, look_again);
    co_await op;
    quiet = volume.in_doubt_sectors_ == 0 ? quiet + 1 : 0;
  }
}

// D3. False when the connection went away first: then the loss is on media (G3) like any other.
Task<void> Volume::peer_knows_it_is_behind() {
  while (state_.connection == ConnectionState::ahead && !peer_.knows_it_is_behind) {
    io::Event::Wait wait(resource_.changed);
    co_await wait;
  }
}

}  // namespace replicator
