#include "metatool/dump_reader.hpp"

#include <gtest/gtest.h>

#include <random>

#include "metatool/dump_text.hpp"
#include "tests/support/metadata_image.hpp"

namespace replicator::metatool {
namespace {

struct Dump {
  std::optional<Superblock> superblock;
  std::vector<DumpReader::Run> runs;
  std::string problem;
};

Dump read(const std::string& text) {
  std::FILE* file = std::tmpfile();
  std::fwrite(text.data(), 1, text.size(), file);
  std::rewind(file);
  DumpReader reader(file);
  Dump dump;
  dump.superblock = reader.head();
  if (dump.superblock) {
    while (const auto run = reader.next())
      dump.runs.push_back(*run);
  }
  dump.problem = reader.problem();
  std::fclose(file);
  return dump;
}

TEST(DumpReader, ReadsWhatTheOriginalWrote) {
  for (const std::string& name : test::metadata_image_names()) {
    const std::vector<std::byte> image = test::metadata_image(name);
    const Superblock on_disk = *parse_superblock(ConstBytes(image).subspan(image.size() - 4096));
    const Dump dump = read("version \"v08\";\n" + test::metadata_dump(name));
    ASSERT_TRUE(dump.superblock) << name << dump.problem;
    EXPECT_EQ(dump.problem, "") << name;
    EXPECT_EQ(dump.superblock->generations.current, on_disk.generations.current);
    EXPECT_EQ(dump.superblock->generations.history[1], on_disk.generations.history[1]);
    EXPECT_EQ(dump.superblock->la_size_sectors, on_disk.la_size_sectors);
    EXPECT_EQ(dump.superblock->device_uuid, on_disk.device_uuid);
    std::size_t at = image.size() - 80UL * 512;
    for (const DumpReader::Run& run : dump.runs) {
      for (std::uint64_t i = 0; i < run.count; ++i, at += 8)
        ASSERT_EQ(run.word, read_le64(image, at)) << name;
    }
  }
}

constexpr const char* small = R"(# a comment
version "v08";
uuid {
    0x0000000000000004; 0x0000000000000000; 0x0000000000000000; 0x0000000000000000;
    flags 0x00000080;
}
la-size-sect 1024;
bm-byte-per-bit 4096;
device-uuid 0x781E9933C4F03AB3;
la-peer-max-bio-size 0;
al-stripes 1;
al-stripe-size-4k 8;
bm {
   # at 0kB
    2 times 0xFFFFFFFFFFFFFFFF;
    0x0000000000000001;
}
)";

std::string with(const std::string& from, const std::string& to) {
  std::string text = small;
  return text.replace(text.find(from), from.size(), to);
}

TEST(DumpReader, NamesWhatIsWrongAndWhere) {
  EXPECT_EQ(read(small).problem, "");
  EXPECT_EQ(read(small).runs.size(), 2U);
  const std::pair<std::string, std::string> rows[] = {
      {with("\"v08\"", "\"v09\""), "dump is 'v09' you requested 'v08'."},
      {with("\"v08\"", "v08"),
       "Parse error in line 2: Expected a format in quotes but found 'v08'"},
      {with("uuid {", "This_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.\nuuid {"),
       "Parse error in line 3: Expected 'uuid' but found "
       "'This_is_an_unclean_meta_data_dump'"},
      {with("1024;", "0x1;"), "Parse error in line 7: Expected a number but found '0x1'"},
      {with("1024;", "1024"), "Parse error in line 8: Expected ';' but found 'bm-byte-per-bit'"},
      {with("2 times", "2 x"), "Parse error in line 15: Expected 'times' but found 'x'"},
      {with("0001;\n}", "0001;\n"),
       "Parse error in line 18: Expected repeat count, 16-digit hex number, or closing brace (}) "
       "but found the end of the file"},
      {std::string(small) + "more",
       "Parse error in line 18: Expected the end of the file but found "
       "'more'"},
      {with("al-stripes 1;", "al-stripes 4294967296;"), "a number in the dump is out of range"},
      {"", "Parse error in line 1: Expected 'version' but found the end of the file"},
  };
  for (const auto& [text, problem] : rows)
    EXPECT_EQ(read(text).problem, problem);
}

TEST(DumpReader, AReadErrorIsNotAnEnd) {
  std::FILE* file = std::fopen("/", "re");
  ASSERT_NE(file, nullptr);
  DumpReader reader(file);
  EXPECT_FALSE(reader.head());
  EXPECT_EQ(reader.problem(), "Reading failed in line 1: Is a directory");
  std::fclose(file);
}

TEST(DumpReader, AnyBytesAreADumpOrAnError) {
  unsigned broken = 0;
  for (unsigned seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    std::string text = small;
    const std::size_t at = random() % text.size();
    switch (random() % 3) {
      case 0: text[at] = static_cast<char>(random()); break;
      case 1: text.erase(at, 1 + random() % 40); break;
      default: text.insert(at, text, random() % text.size(), 1 + random() % 40); break;
    }
    const Dump dump = read(text);
    if (!dump.problem.empty()) ++broken;
    else EXPECT_TRUE(dump.superblock) << seed;
  }
  EXPECT_GT(broken, 1000U);
  EXPECT_LT(broken, 2000U);
}

}  // namespace
}  // namespace replicator::metatool
