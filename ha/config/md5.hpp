// MD5, for digests that find changes and damage; it protects nothing.
#pragma once

#include <string>
#include <string_view>

namespace ha::config {

[[nodiscard]] std::string md5(std::string_view bytes);

}  // namespace ha::config
