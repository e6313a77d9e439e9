// The configuration on disk: whole or not there, damage is found, an older one takes its place.
#include "ha/config/store.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "ha/config/cib.hpp"
#include "ha/config/edit.hpp"

namespace ha::config {
namespace {

class CibStore : public testing::Test {
 protected:
  CibStore() {
    char name[] = "/tmp/pollux-cib.XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~CibStore() override {
    for (int i = 0; i < 10; ++i)
      unlink((folder_ + "/cib-" + std::to_string(i) + ".xml").c_str());
    unlink((folder_ + "/cib.xml").c_str());
    unlink((folder_ + "/cib.new").c_str());
    rmdir(folder_.c_str());
  }
  static Element version(int epoch) {
    Element root = empty_cib();
    set_version(root, {0, epoch, 7});
    root.child("status")->children.push_back({"node_state", {{"id", "1"}}, {}, {}});
    return root;
  }
  void keep(int epoch) { ASSERT_TRUE(store_cib(folder_, stored_text(version(epoch))).ok()); }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
  }
  [[nodiscard]] std::int64_t loaded_epoch() const {
    const LoadedCib loaded = load_cib(folder_);
    return loaded.root ? version_of(*loaded.root).epoch : -1;
  }
  std::string folder_;
};

TEST_F(CibStore, WhatIsStoredIsLoadedWithoutTheStatus) {
  EXPECT_EQ(loaded_epoch(), -1);
  keep(4);
  const LoadedCib loaded = load_cib(folder_);
  ASSERT_TRUE(loaded.root);
  EXPECT_TRUE(loaded.remarks.empty());
  EXPECT_EQ(version_of(*loaded.root).epoch, 4);
  EXPECT_TRUE(loaded.root->child("status")->children.empty());
}

TEST_F(CibStore, DamageIsFoundAndAnOlderOneTaken) {
  for (const int epoch : {4, 5, 6})
    keep(epoch);
  const std::string good = read("cib.xml");
  // Cut anywhere, or changed anywhere: never taken for good.
  for (std::size_t size = 0; size < good.size(); size += 7) {
    write("cib.xml", good.substr(0, size));
    const std::int64_t epoch = loaded_epoch();
    EXPECT_EQ(epoch, 5) << size;
  }
  for (std::size_t at = 0; at < good.rfind("<!--"); at += 5) {
    std::string bad = good;
    bad[at] = bad[at] == 'x' ? 'y' : 'x';
    write("cib.xml", bad);
    EXPECT_EQ(loaded_epoch(), 5) << at;
  }
  EXPECT_FALSE(load_cib(folder_).remarks.empty());
}

TEST_F(CibStore, AFileWrittenByHandCounts) {
  write("cib.xml", "<cib epoch='12'><configuration><resources/></configuration></cib>");
  EXPECT_EQ(loaded_epoch(), 12);
}

TEST_F(CibStore, ACrashBeforeTheRenameLeavesTheOldOne) {
  keep(4);
  write("cib.new", "<cib epo");
  EXPECT_EQ(loaded_epoch(), 4);
  keep(5);
  EXPECT_EQ(loaded_epoch(), 5);
}

TEST_F(CibStore, AFullDiskLeavesTheOldOne) {
  keep(4);
  // What stands in for a file system that takes nothing more.
  ASSERT_EQ(symlink("/dev/full", (folder_ + "/cib.new").c_str()), 0);
  const replicator::Status status = store_cib(folder_, stored_text(version(5)));
  EXPECT_EQ(status.fault(), replicator::Fault::no_space);
  EXPECT_EQ(loaded_epoch(), 4);
  keep(5);
  EXPECT_EQ(loaded_epoch(), 5);
}

TEST_F(CibStore, TenOlderOnesAreKept) {
  for (int epoch = 1; epoch <= 25; ++epoch)
    keep(epoch);
  unlink((folder_ + "/cib.xml").c_str());
  EXPECT_EQ(loaded_epoch(), 24);
  EXPECT_EQ(version_of(*parse_stored(read("cib-5.xml"))).epoch, 15);
}

}  // namespace
}  // namespace ha::config
