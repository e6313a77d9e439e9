// A dump that is another one, or none, when it is read for the second time: there are no meta data
// then, and above all none with half a bitmap.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "metatool/commands.hpp"
#include "tests/support/metadata_image.hpp"

namespace replicator::metatool {
namespace {

using test::MemoryMetaDevice;

// Something happens just before its first write.
class EventfulDevice final : public MetaDevice {
 public:
  explicit EventfulDevice(std::function<void()> before_writing)
      : before_writing_(std::move(before_writing)),
        inner_(test::image_disk_bytes, std::vector<std::byte>(test::image_tail_bytes)),
        empty_(memfd_create("nothing", MFD_CLOEXEC)) {
    EXPECT_EQ(ftruncate(empty_, test::image_disk_bytes), 0);
  }
  ~EventfulDevice() override { close(empty_); }

  [[nodiscard]] const std::vector<std::byte>& tail() const noexcept { return inner_.tail(); }
  [[nodiscard]] const std::string& name() const noexcept override { return inner_.name(); }
  [[nodiscard]] std::uint64_t size() const noexcept override { return inner_.size(); }
  Status read(std::uint64_t offset, Bytes into) override { return inner_.read(offset, into); }
  Status write(std::uint64_t offset, ConstBytes from) override {
    event();
    return inner_.write(offset, from);
  }
  Status zero(std::uint64_t offset, std::uint64_t length) override {
    event();
    return inner_.zero(offset, length);
  }
  Status flush() override { return Status(); }
  [[nodiscard]] int probe_descriptor() const noexcept override { return empty_; }

 private:
  void event() {
    if (before_writing_) std::exchange(before_writing_, nullptr)();
  }
  std::function<void()> before_writing_;
  MemoryMetaDevice inner_;
  int empty_;  // to be probed for data: there are none
};

// Longer than what is read at a time, so that the bitmap is read after the first write. 64 words
// are those of the 16 MiB disk; all but the last are clean.
std::string dump(std::uint32_t stripe_blocks, unsigned words) {
  std::string text =
      "version \"v08\";\nuuid {\n 0x0000000000000006; 0x0000000000000000; 0x0000000000000000; "
      "0x0000000000000000;\n flags 0x00000081;\n}\nla-size-sect 32688;\nbm-byte-per-bit 4096;\n"
      "device-uuid 0x781E9933C4F03AB3;\nla-peer-max-bio-size 0;\nal-stripes 1;\n"
      "al-stripe-size-4k " +
      std::to_string(stripe_blocks) + ";\nbm {\n";
  text += "# " + std::string(100000, '-') + "\n";
  return text + std::to_string(words - 1) + " times 0x0000000000000000;\n0xFF00000000000000;\n}\n";
}

class RestoreMd : public testing::Test {
 protected:
  RestoreMd() {
    char name[] = "/tmp/pollux-restore.XXXXXX";
    fd_ = mkstemp(name);
    path_ = name;
    call_.arguments = {path_};
    said_ = std::tmpfile();
  }
  ~RestoreMd() override {
    std::fclose(said_);
    close(fd_);
    unlink(path_.c_str());
  }
  void contents(const std::string& text) const {
    EXPECT_EQ(ftruncate(fd_, 0), 0);
    EXPECT_EQ(pwrite(fd_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  int restore(EventfulDevice& device) {
    Console console(stdin, said_, said_, true);
    Session session{call_, device, console};
    return restore_md(session);
  }
  static Result<Superblock> superblock(const EventfulDevice& device) {
    return parse_superblock(ConstBytes(device.tail()).last(superblock_bytes));
  }
  std::string said() {
    std::fflush(said_);
    std::string text(4096, '\0');
    const ssize_t got = pread(fileno(said_), text.data(), text.size(), 0);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return text;
  }

  int fd_ = -1;
  std::string path_;
  std::FILE* said_ = nullptr;
  MetaCall call_;
};

TEST_F(RestoreMd, the_same_again_is_restored) {
  contents(dump(8, 64));
  EventfulDevice device(nullptr);
  ASSERT_EQ(restore(device), exit_ok) << said();
  ASSERT_TRUE(superblock(device));
  EXPECT_EQ(superblock(device)->generations.current, 6U);
}

TEST_F(RestoreMd, another_dump_the_second_time_leaves_no_metadata) {
  const std::string other_words = dump(8, 65);
  const std::string endless = dump(8, 4000000);
  for (const std::string& text :
       {std::string(), dump(8, 64).substr(0, 90000), other_words, endless, dump(8, 63)}) {
    contents(dump(8, 64));
    EventfulDevice device([&] { contents(text); });
    EXPECT_EQ(restore(device), exit_failed)
        << text.substr(text.size() - std::min(text.size(), 60UL));
    EXPECT_FALSE(superblock(device)) << text.size();
    EXPECT_NE(said().find("Writing failed"), std::string::npos) << said();
  }
}

}  // namespace
}  // namespace replicator::metatool
