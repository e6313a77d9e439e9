#include "base/fault.hpp"

namespace replicator {

const char* text(Fault fault) noexcept {
  switch (fault) {
    case Fault::none: return "ok";
    case Fault::io_error: return "I/O error";
    case Fault::no_space: return "out of space";
    case Fault::timed_out: return "timed out";
    case Fault::canceled: return "canceled";
    case Fault::closed: return "closed by the other end";
    case Fault::connection_lost: return "connection lost";
    case Fault::no_good_data: return "no up-to-date data reachable";
    case Fault::read_only: return "read only";
    case Fault::out_of_range: return "out of range";
    case Fault::malformed: return "malformed";
    case Fault::unsupported: return "not supported";
    case Fault::not_permitted: return "not permitted";
    case Fault::busy: return "in use";
    case Fault::not_found: return "not found";
    case Fault::exists: return "exists already";
    case Fault::no_metadata: return "no valid meta data";
    case Fault::unclean_metadata: return "unclean meta data";
    case Fault::metadata_mismatch: return "meta data does not fit the device";
    case Fault::too_small: return "too small";
    case Fault::authentication: return "authentication failed";
    case Fault::protocol_error: return "protocol error";
    case Fault::incompatible: return "incompatible";
    case Fault::state_refused: return "refused by a state rule";
    case Fault::suspended: return "suspended";
    case Fault::no_disk: return "no disk";
    case Fault::memory_held: return "memory held by a disk that hangs";
  }
  return "unknown fault";
}

}  // namespace replicator
