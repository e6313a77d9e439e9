// The end of a link that the peer is to understand. What was sent has to be read first: a peer that
// sees its meta socket end may drop the data socket with our generations or our answer unread, and
// would try again where it should decide as we did. So the data socket ends behind what was sent on
// it, and the meta socket stays until the peer has ended it.
//   L1  bounded: a peer that does not end its side within ping-timeout is left
#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"

namespace replicator {

void Connection::begin_farewell(const char* why) {
  leave(ConnectionState::disconnecting, why);
  link_->data.close();
}

Task<void> Connection::farewell(const char* why) {
  begin_farewell(why);
  if (link_->failed()) co_return;
  io::Op patience;
  farewell_sleep_ = &patience;
  resource_.world().clock.sleep(patience,
                                Duration::tenths(std::int64_t{options_.ping_timeout_tenths}));
  co_await patience;
  farewell_sleep_ = nullptr;
}

}  // namespace replicator
