// CRC-32C (Castagnoli), and the older CRC-32; hardware speed through ISA-L.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace replicator {

// The standard value: initial value and final inversion all ones.
std::uint32_t crc32c(ConstBytes bytes) noexcept;
// Without inversions, continuing from `state`: the convention of DRBD's activity log (state 0).
std::uint32_t crc32c_raw(std::uint32_t state, ConstBytes bytes) noexcept;
// The polynomial of gzip, from zero and without inversions: what the kernel calls crc32.
std::uint32_t crc32_plain(ConstBytes bytes) noexcept;

}  // namespace replicator
