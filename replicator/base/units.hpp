// Strong types for the numbers a replicator mixes up: bytes, 512-byte sectors, 4 KiB bitmap blocks,
// 4 MiB activity-log extents. A point (ByteOffset) and a distance (ByteCount) are different types.
// Bytes everywhere inside; sectors only where a format says so (protocol/, metadata/).
#pragma once

#include <compare>
#include <cstdint>

namespace replicator {

// One number with a meaning. No implicit conversion from or to integers.
template <class Tag>
class Quantity {
 public:
  constexpr Quantity() noexcept = default;
  constexpr explicit Quantity(std::uint64_t value) noexcept : value_(value) {}
  [[nodiscard]] constexpr std::uint64_t value() const noexcept { return value_; }
  constexpr auto operator<=>(const Quantity&) const noexcept = default;

 private:
  std::uint64_t value_ = 0;
};

// A distance: may be added, subtracted, scaled.
template <class Tag>
class Amount : public Quantity<Tag> {
 public:
  using Quantity<Tag>::Quantity;
  constexpr Amount& operator+=(Amount more) noexcept {
    *this = *this + more;
    return *this;
  }
  constexpr Amount& operator-=(Amount less) noexcept {
    *this = *this - less;
    return *this;
  }
  friend constexpr Amount operator+(Amount a, Amount b) noexcept {
    return Amount(a.value() + b.value());
  }
  friend constexpr Amount operator-(Amount a, Amount b) noexcept {
    return Amount(a.value() - b.value());
  }
  friend constexpr Amount operator*(Amount a, std::uint64_t times) noexcept {
    return Amount(a.value() * times);
  }
};

// A place, measured in the given distance type.
template <class Tag, class Distance>
class Place : public Quantity<Tag> {
 public:
  using Quantity<Tag>::Quantity;
  friend constexpr Place operator+(Place p, Distance d) noexcept {
    return Place(p.value() + d.value());
  }
  friend constexpr Place operator-(Place p, Distance d) noexcept {
    return Place(p.value() - d.value());
  }
  friend constexpr Distance operator-(Place a, Place b) noexcept {
    return Distance(a.value() - b.value());
  }
};

using ByteCount = Amount<struct ByteCountTag>;
using ByteOffset = Place<struct ByteOffsetTag, ByteCount>;
using SectorCount = Amount<struct SectorCountTag>;
using Sector = Place<struct SectorTag, SectorCount>;
using BlockCount = Amount<struct BlockCountTag>;               // 4 KiB bitmap blocks
using BitmapBlock = Place<struct BitmapBlockTag, BlockCount>;  // bit number

inline constexpr std::uint64_t sector_bytes = 512;
inline constexpr std::uint64_t block_bytes = 4096;                  // one bitmap bit
inline constexpr std::uint64_t extent_bytes = 4ULL << 20U;          // one activity-log slot
inline constexpr std::uint64_t resync_extent_bytes = 16ULL << 20U;  // lock unit of resync
inline constexpr std::uint64_t sectors_per_block = block_bytes / sector_bytes;

constexpr ByteOffset to_bytes(Sector s) noexcept { return ByteOffset(s.value() * sector_bytes); }
constexpr ByteCount to_bytes(SectorCount s) noexcept { return ByteCount(s.value() * sector_bytes); }
// Exact division is the caller's promise (own, validated numbers only).
constexpr Sector to_sector(ByteOffset b) noexcept { return Sector(b.value() / sector_bytes); }
constexpr SectorCount to_sectors(ByteCount b) noexcept {
  return SectorCount(b.value() / sector_bytes);
}

// Half-open range of bytes on a device.
struct ByteRange {
  ByteOffset begin;
  ByteCount length;

  constexpr ByteRange() noexcept = default;
  constexpr ByteRange(ByteOffset b, ByteCount l) noexcept : begin(b), length(l) {}
  [[nodiscard]] constexpr ByteOffset end() const noexcept { return begin + length; }
  [[nodiscard]] constexpr bool empty() const noexcept { return length.value() == 0; }
  [[nodiscard]] constexpr bool overlaps(const ByteRange& o) const noexcept {
    return begin < o.end() && o.begin < end();
  }
  [[nodiscard]] constexpr bool covers(const ByteRange& o) const noexcept {
    return begin <= o.begin && o.end() <= end();
  }
  constexpr bool operator==(const ByteRange&) const noexcept = default;
};

// Arithmetic on numbers from outside: false when the result does not fit in 64 bits.
constexpr bool checked_add(std::uint64_t a, std::uint64_t b, std::uint64_t& sum) noexcept {
  return !__builtin_add_overflow(a, b, &sum);
}
constexpr bool checked_mul(std::uint64_t a, std::uint64_t b, std::uint64_t& product) noexcept {
  return !__builtin_mul_overflow(a, b, &product);
}
constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) noexcept {
  return (value + unit - 1) / unit * unit;
}
constexpr std::uint64_t round_down(std::uint64_t value, std::uint64_t unit) noexcept {
  return value / unit * unit;
}
constexpr std::uint64_t ceil_div(std::uint64_t value, std::uint64_t unit) noexcept {
  return value / unit + (value % unit != 0 ? 1 : 0);
}

}  // namespace replicator
