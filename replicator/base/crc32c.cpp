#include "base/crc32c.hpp"

#include <isa-l/crc.h>

#include <algorithm>

namespace replicator {

std::uint32_t crc32c_raw(std::uint32_t state, ConstBytes bytes) noexcept {
  constexpr std::size_t step = 1U << 30U;
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), step);
    auto* data = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data()));
    state = crc32_iscsi(data, static_cast<int>(size), state);
    bytes = bytes.subspan(size);
  }
  return state;
}

std::uint32_t crc32c(ConstBytes bytes) noexcept { return ~crc32c_raw(~0U, bytes); }

std::uint32_t crc32_plain(ConstBytes bytes) noexcept {
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  return ~crc32_gzip_refl(~0U, data, bytes.size());
}

}  // namespace replicator
