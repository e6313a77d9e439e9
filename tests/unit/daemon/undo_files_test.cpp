// Undo files in a real directory.
#include "daemon/undo_files.hpp"

#include <dirent.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>

namespace replicator {
namespace {

class UndoFilesTest : public testing::Test {
 protected:
  UndoFilesTest() {
    EXPECT_NE(mkdtemp(folder_), nullptr);
    below_ = std::string(folder_) + "/undo";
    Result<std::unique_ptr<uring::Reactor>> made = uring::Reactor::create(uring::ReactorOptions());
    EXPECT_TRUE(made.has_value());
    reactor_ = std::move(*made);
    files_ = std::make_unique<UndoFiles>(*reactor_, below_);
  }
  ~UndoFilesTest() override {
    for (const std::string& name : names())
      unlink((below_ + "/" + name).c_str());
    rmdir(below_.c_str());
    rmdir(folder_);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    DIR* const folder = opendir(below_.c_str());
    if (folder == nullptr) return all;
    while (const dirent* const entry = readdir(folder))
      if (entry->d_name[0] != '.') all.emplace_back(entry->d_name);
    closedir(folder);
    return all;
  }
  Result<std::unique_ptr<io::Disk>> create(std::uint64_t size) {
    return reactor_->run_task(files_->create("r0", 3, ByteCount(size)));
  }
  char folder_[32] = "/tmp/pollux-undo-XXXXXX";
  std::string below_;
  std::unique_ptr<uring::Reactor> reactor_;
  std::unique_ptr<UndoFiles> files_;
};

TEST_F(UndoFilesTest, a_file_grows_is_found_again_and_gets_its_name) {
  EXPECT_EQ(reactor_->run_task(files_->reopen("r0", 3)).error().fault(), Fault::not_found);
  {
    const Result<std::unique_ptr<io::Disk>> made = create(1U << 30U);
    ASSERT_TRUE(made) << made.error().where();
    EXPECT_EQ((*made)->size(), ByteCount(1U << 30U));
    EXPECT_EQ(create(1U << 30U).error().fault(), Fault::exists);
  }
  EXPECT_TRUE(reactor_->run_task(files_->reopen("r0", 3)));
  const std::string name = reactor_->run_task(files_->finish("r0", 3));
  EXPECT_EQ(name.rfind(below_ + "/r0-3-", 0), 0U) << name;
  EXPECT_EQ(name.substr(name.size() - 5), ".undo");
  EXPECT_EQ(reactor_->run_task(files_->finish("r0", 3)), "") << "there is none any more";
  EXPECT_EQ(names().size(), 1U);
  EXPECT_GT(reactor_->run_task(files_->space()).total.value(), 0U);
}

TEST_F(UndoFilesTest, a_volume_larger_than_any_file_is_said_to_be) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 1U << 20U;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  signal(SIGXFSZ, SIG_IGN);
  const Result<std::unique_ptr<io::Disk>> made = create(2U << 20U);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().fault(), Fault::unsupported);
  EXPECT_STREQ(made.error().where(), "its file system has no files that large");
  EXPECT_EQ(names().size(), 0U) << "nothing is left behind";
}

}  // namespace
}  // namespace replicator
