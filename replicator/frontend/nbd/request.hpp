// Validate, then act: one function looks at everything a client may get wrong in a request and
// gives each reason its own error number; what passes is carried out without further checks (P1,
// P4, P5).
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "base/units.hpp"
#include "frontend/nbd/wire.hpp"

namespace replicator::nbd {

// What negotiation has agreed on. The size stays what the client was told: it learns of another
// size by connecting again (the kernel's is told), and the device checks every range against its
// present size anyway.
struct Session {
  std::uint64_t size = 0;
  std::uint32_t block_bytes = 512;
  std::uint32_t piece_bytes = 1U << 20U;  // largest transfer handed to the device, >= 64 KiB
  bool writable = false;
  bool structured = false;
  bool allocation = false;  // base:allocation was selected
};

struct Verdict {
  Error error = Error::none;
  const char* why = "";
  bool close = false;  // the stream cannot be trusted any more, or its payload is out of proportion
};

inline ByteRange range_of(const Request& request) noexcept {
  return {ByteOffset(request.offset), ByteCount(request.length)};
}

// `length` bytes of the request, from `begin` on.
inline Request part_of(const Request& whole, std::uint32_t begin, std::uint32_t length) noexcept {
  Request part = whole;
  part.offset += begin;
  part.length = length;
  return part;
}

Verdict validate(const Request& request, const Session& session) noexcept;

// The answer for what the device has said. `command` tells a range beyond the end apart: the
// protocol wants "no space" for writes and "invalid" for reads.
Error error_of(const Status& status, Command command) noexcept;

}  // namespace replicator::nbd
