// The four data generation identifiers of one replica and their primitive operations
// (docs/handshake.md#generations). Bit 0 of `current` is a role marker, not identity.
#pragma once

#include <cstdint>

namespace replicator {

inline constexpr std::uint64_t uuid_just_created = 4;

[[nodiscard]] constexpr bool same_generation(std::uint64_t a, std::uint64_t b) noexcept {
  return (a | 1U) == (b | 1U);
}

struct GenerationSet {
  std::uint64_t current = 0;
  std::uint64_t bitmap = 0;
  std::uint64_t history[2] = {0, 0};  // younger, older

  constexpr bool operator==(const GenerationSet&) const noexcept = default;

  void push(std::uint64_t value) noexcept {
    history[1] = history[0];
    history[0] = value;
  }
  void set_current(std::uint64_t value, bool primary) noexcept {
    current = primary ? value | 1U : value & ~std::uint64_t{1};
  }
  void rotate_bitmap(std::uint64_t value) noexcept {
    if (bitmap != 0) push(bitmap);
    bitmap = value;
  }
  // A new generation begins; the bitmap records changes since the old one. bitmap is 0 beforehand,
  // or holds "just created".
  void new_current(std::uint64_t random, bool primary) noexcept {
    bitmap = current;
    set_current(random, primary);
  }
  void clear_bitmap() noexcept {
    if (bitmap != 0) push(bitmap);
    bitmap = 0;
  }
};

}  // namespace replicator
