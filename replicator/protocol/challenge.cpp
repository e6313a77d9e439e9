#include "protocol/challenge.hpp"

#include <array>
#include <utility>

#include "protocol/digest.hpp"
#include "protocol/packets.hpp"

namespace replicator {

Challenge::Challenge(std::string algorithm, std::string secret)
    : algorithm_(std::move(algorithm)), secret_(std::move(secret)) {}

Result<std::size_t> Challenge::respond(ConstBytes mine, ConstBytes theirs, Bytes out) const {
  if (theirs.size() < challenge_bytes || theirs.size() > 2 * challenge_bytes) {
    return failure(Fault::authentication, "the peer's challenge has a bad length");
  }
  if (equal_constant_time(theirs.first(challenge_bytes), mine.first(challenge_bytes))) {
    return failure(Fault::authentication, "the peer presented our own challenge");
  }
  return hmac(algorithm_, secret_, theirs, out);
}

Status Challenge::verify(ConstBytes mine, ConstBytes response) const {
  std::array<std::byte, 64> expected{};
  const Result<std::size_t> size = hmac(algorithm_, secret_, mine, expected);
  if (!size) return size.error();
  return equal_constant_time(ConstBytes(expected).first(*size), response)
             ? Status()
             : Status(Fault::authentication, "wrong response");
}

}  // namespace replicator
