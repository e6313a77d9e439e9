// What can go wrong, as a code. Each has one short English text (fault.cpp); the place and the
// errno that belong to it travel in Status.
#pragma once

#include <cstdint>

namespace replicator {

enum class Fault : std::uint8_t {
  none,
  io_error,  // a device or socket reported an error; errno says which
  no_space,  // out of descriptors, buffers, disk space
  timed_out,
  canceled,  // the thing waited for was closed
  closed,    // the other end closed the stream
  connection_lost,
  no_good_data,  // neither disk nor peer has current data
  read_only,     // write to a Secondary
  out_of_range,  // beyond the device, or not a multiple of the block size
  malformed,     // bytes from outside that do not parse
  unsupported,   // understood, but not offered
  not_permitted,
  busy,  // held open, claimed, in use
  not_found,
  exists,
  no_metadata,        // no valid meta data
  unclean_metadata,   // needs apply-al first
  metadata_mismatch,  // meta data does not fit the device
  too_small,
  authentication,  // challenge response failed
  protocol_error,  // the peer broke the protocol
  incompatible,    // no common protocol version or configuration
  state_refused,   // a state rule said no; the code travels beside
  suspended,
  no_disk,
  memory_held,  // a disk that was given up may still use the memory: again, with other memory
};

const char* text(Fault fault) noexcept;

}  // namespace replicator
