// Deterministic pseudo-random numbers (xoshiro256**, seeded through splitmix64): tests, the
// simulator and retry jitter. Never for secrets; those come from io::Entropy.
#pragma once

#include <cstdint>

namespace replicator {

class Prng {
 public:
  explicit Prng(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15ULL;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
      z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
      word = z ^ (z >> 31U);
    }
  }
  std::uint64_t next() noexcept {
    const std::uint64_t result = rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17U;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotl(state_[3], 45);
    return result;
  }
  // 0 <= result < bound; bound > 0. The bias is below 2^-32 for the bounds we use.
  std::uint64_t below(std::uint64_t bound) noexcept {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64U);
  }
  // lowest <= result <= highest
  std::uint64_t between(std::uint64_t lowest, std::uint64_t highest) noexcept {
    return lowest + below(highest - lowest + 1);
  }
  bool chance(std::uint32_t percent) noexcept { return below(100) < percent; }

 private:
  static std::uint64_t rotl(std::uint64_t x, unsigned k) noexcept {
    return (x << k) | (x >> (64U - k));
  }
  std::uint64_t state_[4];
};

}  // namespace replicator
