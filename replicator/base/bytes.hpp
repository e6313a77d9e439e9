// Wire and disk integers. Packed structs are never cast over buffers; these read and write at a
// place in a span, big-endian unless the name says otherwise. The caller has checked the length.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/ensure.hpp"

namespace replicator {

using Bytes = std::span<std::byte>;
using ConstBytes = std::span<const std::byte>;

template <class Integer>
Integer read_native(ConstBytes from, std::size_t at) noexcept {
  ensure(at + sizeof(Integer) <= from.size());
  Integer value;
  std::memcpy(&value, from.data() + at, sizeof value);
  return value;
}
template <class Integer>
void write_native(Bytes to, std::size_t at, Integer value) noexcept {
  ensure(at + sizeof value <= to.size());
  std::memcpy(to.data() + at, &value, sizeof value);
}

inline std::uint16_t read_be16(ConstBytes from, std::size_t at = 0) noexcept {
  return __builtin_bswap16(read_native<std::uint16_t>(from, at));
}
inline std::uint32_t read_be32(ConstBytes from, std::size_t at = 0) noexcept {
  return __builtin_bswap32(read_native<std::uint32_t>(from, at));
}
inline std::uint64_t read_be64(ConstBytes from, std::size_t at = 0) noexcept {
  return __builtin_bswap64(read_native<std::uint64_t>(from, at));
}
inline std::uint64_t read_le64(ConstBytes from, std::size_t at = 0) noexcept {
  return read_native<std::uint64_t>(from, at);
}
inline void write_be16(Bytes to, std::size_t at, std::uint16_t value) noexcept {
  write_native(to, at, __builtin_bswap16(value));
}
inline void write_be32(Bytes to, std::size_t at, std::uint32_t value) noexcept {
  write_native(to, at, __builtin_bswap32(value));
}
inline void write_be64(Bytes to, std::size_t at, std::uint64_t value) noexcept {
  write_native(to, at, __builtin_bswap64(value));
}
inline void write_le64(Bytes to, std::size_t at, std::uint64_t value) noexcept {
  write_native(to, at, value);
}
static_assert(std::endian::native == std::endian::little);

inline void copy_bytes(Bytes to, ConstBytes from) noexcept {
  ensure(from.size() <= to.size());
  if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
}
inline void fill_bytes(Bytes to, std::byte value) noexcept {
  if (!to.empty()) std::memset(to.data(), static_cast<int>(value), to.size());
}
inline bool all_zero(ConstBytes bytes) noexcept {
  return bytes.empty() || (bytes[0] == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace replicator
