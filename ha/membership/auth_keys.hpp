// The authkeys file.
#pragma once

#include <optional>
#include <string_view>

#include "ha/membership/authentication.hpp"
#include "ha/membership/diagnostic.hpp"

namespace ha::membership {

struct AuthKeysFile {
  std::optional<AuthKeys> keys;  // none when a diagnostic is an error
  Diagnostics diagnostics;
};

// `path` appears in the texts.
AuthKeysFile parse_auth_keys(std::string_view file, std::string_view path);

// A file that the group or others may read keeps no secret: the error, or nothing.
std::optional<Diagnostic> refuse_mode(std::uint32_t mode, std::string_view path);

}  // namespace ha::membership
