// What a node proves itself with: a certificate and its key, and who signs the peer's; or a key
// that both nodes hold. As text: whoever reads the files is not here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace replicator::tls {

struct Material {
  // PEM. Empty when a pre-shared key is used.
  std::string certificate;  // the leaf first, then the chain
  std::string private_key;
  std::string authorities;
  // Names of which the peer's certificate must bear one: host names or addresses.
  std::vector<std::string> peer_names;

  std::string psk_identity;
  std::vector<std::byte> psk;

  [[nodiscard]] bool uses_psk() const noexcept { return !psk_identity.empty(); }
};

// The key of `identity` in a file of lines `identity:hexadecimal digits`, as psktool writes it;
// lines that begin with # and empty ones are skipped. At least 16 and at most 64 bytes.
Result<std::vector<std::byte>> find_psk(std::string_view file, std::string_view identity);

}  // namespace replicator::tls
