// Digests by the kernel's names; the only user of OpenSSL in the data path.
//   P3  comparison is constant-time
#pragma once

#include <cstddef>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace replicator {

// "md5", "sha1", "sha256", "sha384", "sha512", and "hmac(…)" spelled forms of them.
bool digest_known(std::string_view name);
// HMAC of the message into `out` (64 bytes are enough); its length. Fault::unsupported: unknown
// name.
Result<std::size_t> hmac(std::string_view digest, std::string_view secret, ConstBytes message,
                         Bytes out);
bool equal_constant_time(ConstBytes a, ConstBytes b) noexcept;

}  // namespace replicator
