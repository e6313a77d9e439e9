// Who may speak in this cluster: the keys of the authkeys file. One key signs what is sent, any
// listed key is accepted, which is how keys are exchanged without a pause.
//   H15  a packet without a valid signature is nothing
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ha/words.hpp"

namespace ha::membership {

// crc guards against accidents only. sha256 is an extension that the original does not know.
enum class AuthMethod : std::uint8_t { crc, md5, sha1, sha256 };

struct AuthKey {
  std::uint32_t index = 0;
  AuthMethod method = AuthMethod::crc;
  std::string secret;

  bool operator==(const AuthKey&) const = default;
};

class AuthKeys {
 public:
  AuthKeys() = default;
  // `sending` is the index of one of the keys.
  AuthKeys(std::vector<AuthKey> keys, std::uint32_t sending);

  [[nodiscard]] bool empty() const noexcept { return keys_.empty(); }
  [[nodiscard]] std::uint32_t sending() const noexcept { return sending_; }
  [[nodiscard]] const std::vector<AuthKey>& keys() const noexcept { return keys_; }

  // "2 a981538eac…": the sending key's index and its digest in hexadecimal.
  [[nodiscard]] std::string sign(std::string_view data) const;
  // True when `signature` has that form and one of the keys made it; takes the same time for each
  // wrong digest.
  [[nodiscard]] bool verify(std::string_view data, std::string_view signature) const;

  bool operator==(const AuthKeys&) const = default;

 private:
  [[nodiscard]] const AuthKey* find(std::uint32_t index) const noexcept;

  std::vector<AuthKey> keys_;
  std::uint32_t sending_ = 0;
};

}  // namespace ha::membership
