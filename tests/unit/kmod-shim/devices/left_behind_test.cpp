#include "devices/left_behind.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <map>

namespace replicator::shim {
namespace {

class FakeDriver final : public LeftBehind {
 public:
  using LeftBehind::LeftBehind;
  std::map<std::uint32_t, Fate> fates;  // by id
  std::vector<std::uint32_t> ended;
  [[nodiscard]] std::string name(const DeviceRecord&) const override { return "device"; }
  Fate look_at(const DeviceRecord& record) override { return fates[record.id]; }
  void end(const DeviceRecord& record) override { ended.push_back(record.id); }
};

class LeftBehindTest : public testing::Test {
 protected:
  LeftBehindTest() : folder_(mkdtemp(path_)), records_(folder_), driver_(records_) {
    note(1, "r0-0", Fate::waits);
    note(2, "r0-1", Fate::useless);
    note(3, "r1-0", Fate::not_ours);
    note(4, "a-b-0", Fate::waits);
  }
  ~LeftBehindTest() override {
    for (const std::uint32_t minor : left())
      records_.remove(minor);
    rmdir(folder_);
  }
  void note(std::uint32_t minor, const char* volume, Fate fate) {
    DeviceRecord record;
    record.minor = minor;
    record.id = minor + 10;
    record.volume = volume;
    EXPECT_TRUE(records_.write(record).ok());
    driver_.fates[record.id] = fate;
  }
  std::vector<std::uint32_t> left() const {
    std::vector<std::uint32_t> minors;
    for (std::uint32_t minor = 1; minor < 8; ++minor)
      if (records_.read(minor)) minors.push_back(minor);
    return minors;
  }
  using Numbers = std::vector<std::uint32_t>;

  char path_[32] = "/tmp/pollux-records.XXXXXX";
  const char* folder_;
  DeviceRecords records_;
  FakeDriver driver_;
};

TEST_F(LeftBehindTest, OnlyTheUsefulWait) {
  EXPECT_EQ(driver_.sort_out(true).size(), 2U);
  EXPECT_EQ(left(), Numbers({1, 4}));
  EXPECT_EQ(driver_.ended, Numbers({12}));
}

TEST_F(LeftBehindTest, NobodyWaitsForADriverThatIsNotUsed) {
  EXPECT_EQ(driver_.sort_out(false).size(), 2U) << "there is a word for each that has users";
  EXPECT_EQ(left(), Numbers());
  EXPECT_EQ(driver_.ended.size(), 3U);
}

TEST_F(LeftBehindTest, TheVolumeOfTheMinorTakesItOver) {
  EXPECT_EQ(driver_.waiting_for(1, "r0-0")->id, 11U);
  EXPECT_FALSE(driver_.waiting_for(5, "r0-0"));
  EXPECT_FALSE(driver_.waiting_for(4, "r0-0"));
  EXPECT_FALSE(driver_.waiting_for(3, "r1-0"));
  EXPECT_EQ(left(), Numbers({1, 2}));
  EXPECT_EQ(driver_.ended, Numbers({14}));
}

TEST_F(LeftBehindTest, DownEndsThoseOfAResource) {
  driver_.give_up("a");
  driver_.give_up("r");
  EXPECT_TRUE(driver_.ended.empty());
  driver_.give_up("r0");
  driver_.give_up("a-b");
  EXPECT_EQ(left(), Numbers({3}));
  EXPECT_EQ(driver_.ended.size(), 3U);
}

}  // namespace
}  // namespace replicator::shim
