#include "metatool/existing_data.hpp"

#include <gtest/gtest.h>

#include <array>

namespace replicator::metatool {
namespace {

using Kind = ExistingData::Kind;

TEST(existing_data, verdicts) {
  struct Case {
    Kind kind;
    std::optional<std::uint64_t> bytes;
    bool internal;
    bool ignore;
    Verdict verdict;
  };
  const std::vector<Case> cases{
      {Kind::none, std::nullopt, true, false, Verdict::proceed},
      {Kind::none, std::nullopt, false, false, Verdict::proceed},
      {Kind::unknown, std::nullopt, true, false, Verdict::confirm_unknown},
      {Kind::unknown, std::nullopt, false, true, Verdict::confirm_unknown},
      {Kind::filesystem, 1000, true, false, Verdict::confirm_guess},
      {Kind::filesystem, 1001, true, false, Verdict::refuse_truncate},
      {Kind::filesystem, 1001, true, true, Verdict::refuse_truncate},
      {Kind::filesystem, std::nullopt, true, false, Verdict::refuse_unshrinkable},
      {Kind::filesystem, 1, false, false, Verdict::refuse_overwrite},
      {Kind::filesystem, 1, false, true, Verdict::ignored},
      {Kind::other, 1000, true, false, Verdict::confirm_guess},
      {Kind::other, 1001, true, false, Verdict::refuse_unshrinkable},
      {Kind::other, std::nullopt, true, true, Verdict::refuse_unshrinkable},
      {Kind::other, std::nullopt, false, false, Verdict::refuse_overwrite},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Case& c = cases[i];
    EXPECT_EQ(judge(ExistingData{c.kind, "x", c.bytes}, c.internal, 1000, c.ignore), c.verdict)
        << i;
  }
}

TEST(existing_data, file_system_sizes) {
  std::array<std::byte, 4096> begin{};
  const Bytes bytes(begin);
  write_native<std::uint32_t>(bytes, 1024 + 4, 16384);  // blocks
  write_native<std::uint32_t>(bytes, 1024 + 24, 2);     // of 4 KiB
  EXPECT_EQ(filesystem_bytes("ext4", bytes), 64U << 20U);
  write_native<std::uint32_t>(bytes, 1024 + 336, 1);
  EXPECT_EQ(filesystem_bytes("ext2", bytes), 64U << 20U);
  write_native<std::uint32_t>(bytes, 1024 + 96, 0x80);  // 64bit
  EXPECT_EQ(filesystem_bytes("ext4", bytes), (1ULL << 44U) + (64U << 20U));
  write_native<std::uint32_t>(bytes, 1024 + 24, 7);
  EXPECT_FALSE(filesystem_bytes("ext4", bytes));
  write_be32(bytes, 4, 4096);
  write_be64(bytes, 8, 1000);
  EXPECT_EQ(filesystem_bytes("xfs", bytes), 4096000U);
  write_be64(bytes, 8, ~0ULL);
  EXPECT_FALSE(filesystem_bytes("xfs", bytes));
  EXPECT_FALSE(filesystem_bytes("btrfs", bytes));
  EXPECT_FALSE(filesystem_bytes("ext4", ConstBytes(bytes).first(1000)));
}

}  // namespace
}  // namespace replicator::metatool
