#include <gtest/gtest.h>

#include <cstring>

#include "metatool/console.hpp"
#include "metatool/dump_text.hpp"
#include "metatool/generations_text.hpp"
#include "tests/support/metadata_image.hpp"

namespace replicator::metatool {
namespace {

std::string bitmap_text(const std::vector<std::uint64_t>& words, std::size_t piece = ~0UL) {
  const ConstBytes bytes = std::as_bytes(std::span(words));
  BitmapText printer;
  std::string text;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t length = std::min(piece, bytes.size() - at);
    printer.add(bytes.subspan(at, length), text);
    at += length;
  }
  printer.finish(text);
  return text;
}

TEST(dump_text, recordings_are_printed_as_the_original_printed_them) {
  for (const std::string& name : test::metadata_image_names()) {
    const std::vector<std::byte> image = test::metadata_image(name);
    const std::size_t end = image.size();
    MetadataOnDisk found;
    found.superblock = *parse_superblock(ConstBytes(image).subspan(end - 4096));
    const std::uint64_t sectors = test::image_disk_bytes / 512;
    found.layout = place_metadata(MetaDiskIndex(), sectors, sectors, AlStripes());
    std::string expected = test::metadata_dump(name);
    // That version of the original prints all flags as 0.
    const std::string flags = fmt::format("flags 0x{:08X};", found.superblock.flags);
    const std::size_t place = expected.find("flags 0x00000000;");
    ASSERT_NE(place, std::string::npos) << name;
    expected.replace(place, flags.size(), flags);
    std::string text = dump_head(found);
    BitmapText bitmap;
    bitmap.add(ConstBytes(image).subspan(end - 80UL * 512, found.bitmap_bytes()), text);
    bitmap.finish(text);
    text += fmt::format("# bits-set {};\n", bitmap.bits_set());
    EXPECT_EQ(text, expected) << name;
  }
}

TEST(dump_text, words_stand_four_to_a_line) {
  EXPECT_EQ(bitmap_text({}), "\n}\n");
  EXPECT_EQ(bitmap_text({1}), "\n   # at 0kB\n    0x0000000000000001;\n}\n");
  EXPECT_EQ(bitmap_text({0, 0, 0, 0, 0, 0, 0}),
            "\n   # at 0kB\n"
            "    0x0000000000000000; 0x0000000000000000; 0x0000000000000000; 0x0000000000000000;\n"
            "    0x0000000000000000; 0x0000000000000000; 0x0000000000000000;\n}\n");
}

TEST(dump_text, runs_are_counted_from_the_beginning_of_a_line) {
  EXPECT_EQ(bitmap_text(std::vector<std::uint64_t>(11, 0)),
            "\n   # at 0kB\n    8 times 0x0000000000000000;\n"
            "    0x0000000000000000; 0x0000000000000000; 0x0000000000000000;\n}\n");
  std::vector<std::uint64_t> words(40, ~0ULL);
  words[0] = 2;
  EXPECT_EQ(bitmap_text(words),
            "\n   # at 0kB\n"
            "    0x0000000000000002; 0xFFFFFFFFFFFFFFFF; 0xFFFFFFFFFFFFFFFF; 0xFFFFFFFFFFFFFFFF;\n"
            "    36 times 0xFFFFFFFFFFFFFFFF;\n}\n");
  words.assign(40, 7);  // its halves differ
  EXPECT_EQ(bitmap_text(words).find("times"), std::string::npos);
}

TEST(dump_text, places_are_noted_each_8_mib) {
  std::vector<std::uint64_t> words(68);
  for (std::size_t i = 0; i < words.size(); ++i)
    words[i] = i;
  const std::string text = bitmap_text(words);
  EXPECT_NE(text.find("0x000000000000001F;\n   # at 8192kB\n    0x0000000000000020;"),
            std::string::npos);
  EXPECT_NE(text.find("\n   # at 16384kB\n"), std::string::npos);
}

TEST(dump_text, pieces_do_not_show) {
  std::vector<std::uint64_t> words(100, 0);
  words[50] = 5;
  words[51] = ~0ULL;
  for (const std::size_t piece : {8UL, 24UL, 320UL}) {
    EXPECT_EQ(bitmap_text(words, piece), bitmap_text(words)) << piece;
  }
}

TEST(generations_text, there_and_back) {
  Superblock s;
  s.generations = GenerationSet{1, 0xD227189FD02A68AC, {3, 4}};
  s.flags = md_flag_consistent | md_flag_connected | md_flag_crashed_primary | md_flag_al_clean;
  const std::string text =
      "0000000000000001:D227189FD02A68AC:0000000000000003:0000000000000004:1:0:0:1:0:0:1";
  EXPECT_EQ(generations_text(s), text);
  Superblock other;
  other.flags = md_flag_al_clean | md_flag_peer_outdated;
  EXPECT_EQ(with_generations(other, text), s);
}

TEST(generations_text, empty_and_missing_fields_keep_their_value) {
  Superblock s;
  s.generations = GenerationSet{1, 2, {3, 4}};
  s.flags = md_flag_consistent;
  Superblock expected = s;
  expected.generations.bitmap = 0xab;
  EXPECT_EQ(with_generations(s, ":AB"), expected);
  expected.flags = md_flag_primary;
  EXPECT_EQ(with_generations(s, ":ab:::0::1"), expected);
  for (const char* wrong : {"x", "12345678901234567", "1:2:3:4:2", "1 ", "::::::::::::", "0x1"}) {
    EXPECT_FALSE(with_generations(s, wrong)) << wrong;
  }
}

TEST(generations_text, flags) {
  Superblock s;
  s.flags = 0;
  EXPECT_EQ(flags_text(s), "Secondary, StandAlone, Inconsistent");
  EXPECT_EQ(disk_state_text(s), "Inconsistent");
  s.flags = md_flag_consistent | md_flag_primary;
  EXPECT_EQ(flags_text(s), "Primary, StandAlone, Outdated");
  EXPECT_EQ(disk_state_text(s), "Outdated");
  s.flags |= md_flag_was_up_to_date;
  EXPECT_EQ(disk_state_text(s), "Consistent");
  s.flags = 0x7f;
  EXPECT_EQ(flags_text(s), "crashed Primary, Connected, UpToDate, need full sync, peer Outdated");
  EXPECT_EQ(disk_state_text(s), "UpToDate");
}

TEST(console, sizes) {
  EXPECT_EQ(size_text(0), "0 KB");
  EXPECT_EQ(size_text(9999), "9999 KB");
  EXPECT_EQ(size_text(16344), "16 MB");
  EXPECT_EQ(size_text(98264), "96 MB");
  EXPECT_EQ(size_text(1ULL << 40U), "1024 TB");
  EXPECT_EQ(size_text(~0ULL), "16384 EB");
}

}  // namespace
}  // namespace replicator::metatool
