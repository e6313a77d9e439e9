#include "metatool/existing_data.hpp"

#include "base/units.hpp"

namespace replicator::metatool {

namespace {

std::uint32_t read_le32(ConstBytes from, std::size_t at) noexcept {
  return read_native<std::uint32_t>(from, at);
}

// ext2/3/4: the superblock is at 1024.
std::optional<std::uint64_t> ext_bytes(ConstBytes begin) noexcept {
  constexpr std::size_t super = 1024;
  constexpr std::uint32_t incompat_64bit = 0x80;
  const std::uint32_t log_block = read_le32(begin, super + 24);
  std::uint64_t blocks = read_le32(begin, super + 4);
  if ((read_le32(begin, super + 96) & incompat_64bit) != 0) {
    blocks |= std::uint64_t{read_le32(begin, super + 336)} << 32U;
  }
  std::uint64_t bytes = 0;
  if (log_block > 6 || !checked_mul(blocks, std::uint64_t{1024} << log_block, bytes)) {
    return std::nullopt;
  }
  return bytes;
}

std::optional<std::uint64_t> xfs_bytes(ConstBytes begin) noexcept {
  std::uint64_t bytes = 0;
  if (!checked_mul(read_be32(begin, 4), read_be64(begin, 8), bytes)) return std::nullopt;
  return bytes;
}

}  // namespace

std::optional<std::uint64_t> filesystem_bytes(const std::string& type, ConstBytes begin) noexcept {
  if (begin.size() < block_bytes) return std::nullopt;
  if (type.starts_with("ext")) return ext_bytes(begin);
  if (type == "xfs") return xfs_bytes(begin);
  return std::nullopt;
}

Verdict judge(const ExistingData& data, bool internal, std::uint64_t usable,
              bool ignore_sanity_checks) noexcept {
  using Kind = ExistingData::Kind;
  if (data.kind == Kind::none) return Verdict::proceed;
  if (data.kind == Kind::unknown) return Verdict::confirm_unknown;
  if (!internal) return ignore_sanity_checks ? Verdict::ignored : Verdict::refuse_overwrite;
  if (!data.bytes) return Verdict::refuse_unshrinkable;
  if (*data.bytes <= usable) return Verdict::confirm_guess;
  return data.kind == Kind::filesystem ? Verdict::refuse_truncate : Verdict::refuse_unshrinkable;
}

}  // namespace replicator::metatool
