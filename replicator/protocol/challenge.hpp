// CRAM-HMAC as a pure exchange: the answer to the peer's challenge and the check of its answer to
// ours.
//   P3  our own challenge sent back is refused
#pragma once

#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace replicator {

class Challenge {
 public:
  Challenge(std::string algorithm, std::string secret);
  // The response to the peer's challenge (64..128 bytes) into `out` (64 bytes); its length.
  Result<std::size_t> respond(ConstBytes mine, ConstBytes theirs, Bytes out) const;
  // Fault::authentication unless `response` is right for our challenge.
  Status verify(ConstBytes mine, ConstBytes response) const;

 private:
  std::string algorithm_;
  std::string secret_;
};

}  // namespace replicator
