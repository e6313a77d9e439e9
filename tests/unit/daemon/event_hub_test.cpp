// Who watches gets everything in order; who does not read is let go, told why, and holds nobody up.
#include "daemon/event_hub.hpp"

#include <gtest/gtest.h>

#include "tests/sim/two_nodes.hpp"
#include "tests/support/pipe_stream.hpp"

namespace replicator {
namespace {

using test::PipeStream;

class EventHubTest : public testing::Test {
 protected:
  EventHubTest() : pair_(3), hub_(pair_.n1.io().clock, [this] { return now_; }) {
    ResourceStatus resource;
    resource.name = "r0";
    resource.volumes.emplace_back();
    now_.push_back(resource);
  }
  ~EventHubTest() override {
    pair_.run(hub_.stop(), Duration::seconds(5));
    pair_.run(tasks_.close(), Duration::seconds(5));
    EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text;
  }

  // The reader's end.
  PipeStream& watch(control::OptionMap options = {}, std::string resource = {},
                    test::PipeOptions pipe = {}) {
    auto [daemon, reader] = PipeStream::make(pipe);
    daemons_.push_back(std::move(daemon));
    readers_.push_back(std::move(reader));
    tasks_.start(hub_.serve(std::move(resource), std::move(options), *daemons_.back()));
    settle();
    return *readers_.back();
  }
  void settle() { pair_.run(a_moment(), Duration::seconds(5)); }
  Task<void> a_moment() {
    io::Op op;
    pair_.n1.io().clock.sleep(op, Duration::milliseconds(1));
    co_await op;
  }
  static std::string read(PipeStream& reader) {
    const std::vector<std::byte> bytes = reader.get();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  void become(DiskState disk) {
    now_[0].volumes[0].state.disk = disk;
    hub_.look_at("r0", now_[0].volumes[0]);
  }

  sim::TwoNodes pair_;
  std::vector<ResourceStatus> now_;
  EventHub hub_;
  std::vector<std::unique_ptr<PipeStream>> daemons_;
  std::vector<std::unique_ptr<PipeStream>> readers_;
  io::Gate tasks_;
};

TEST_F(EventHubTest, ADumpThenEachChange) {
  PipeStream& reader = watch();
  std::string told = read(reader);
  EXPECT_TRUE(told.starts_with("exists resource name:r0 role:")) << told;
  EXPECT_TRUE(told.ends_with("\nexists -\n")) << told;
  become(DiskState::attaching);
  become(DiskState::up_to_date);
  settle();
  EXPECT_EQ(read(reader),
            "change device name:r0 volume:0 minor:0 disk:Attaching\n"
            "change resource name:r0 may_promote:yes promotion_score:10100\n"
            "change device name:r0 volume:0 minor:0 disk:UpToDate\n");
  hub_.helper("r0", 0, "local-io-error", 256);
  hub_.gone("r0");
  settle();
  told = read(reader);
  EXPECT_TRUE(told.starts_with("response helper name:r0 ")) << told;
  EXPECT_TRUE(told.ends_with("destroy device name:r0 volume:0 minor:0\ndestroy resource name:r0\n"))
      << told;
}

TEST_F(EventHubTest, NowEndsWithTheDump) {
  PipeStream& reader = watch({{"now", "yes"}});
  EXPECT_TRUE(read(reader).ends_with("exists -\n"));
  EXPECT_FALSE(reader.alive());
  EXPECT_FALSE(hub_.watched());
}

TEST_F(EventHubTest, WhatIsSaidAsksForAnotherDump) {
  PipeStream& reader = watch();
  read(reader);
  now_[0].volumes[0].disk_read_kib = 4;
  const std::byte word[] = {std::byte{'n'}, std::byte{'\n'}};
  reader.put(ConstBytes(word));
  settle();
  EXPECT_TRUE(read(reader).ends_with("exists -\n"));
}

TEST_F(EventHubTest, OnlyOneResource) {
  PipeStream& reader = watch({}, "r1");
  EXPECT_EQ(read(reader), "exists -\n");
  ResourceStatus other;
  other.name = "r1";
  hub_.look_at(other);
  become(DiskState::failed);
  settle();
  EXPECT_TRUE(read(reader).starts_with("create resource name:r1 "));
  EXPECT_EQ(read(reader), "");
}

TEST_F(EventHubTest, AnotherWatcherMissesNothing) {
  PipeStream& first = watch();
  read(first);
  PipeStream& second = watch({{"now", "yes"}});
  read(second);
  become(DiskState::failed);
  settle();
  EXPECT_EQ(read(first), "change device name:r0 volume:0 minor:0 disk:Failed\n");
}

TEST_F(EventHubTest, WhoDoesNotReadIsLetGo) {
  test::PipeOptions narrow;
  narrow.capacity = 16;
  PipeStream& slow = watch({}, {}, narrow);
  PipeStream& quick = watch();
  read(quick);
  std::size_t told = 0;
  for (int i = 0; i < 30000; ++i) {
    become(i % 2 == 0 ? DiskState::failed : DiskState::diskless);
    if (i % 100 != 0) continue;
    settle();
    told += read(quick).size();
  }
  settle();
  told += read(quick).size();
  EXPECT_GT(told, EventHub::queue_bytes);
  EXPECT_TRUE(quick.alive());
  // What it was being told when it stopped reading, and then only why it is over.
  std::string heard;
  for (int i = 0; i < 10000; ++i) {
    heard += read(slow);
    settle();
    if (!slow.alive()) break;
  }
  heard += read(slow);
  EXPECT_LT(heard.size(), 2000U);
  EXPECT_TRUE(heard.ends_with("closed events were lost: they were not read as fast as they came\n"))
      << heard;
}

TEST_F(EventHubTest, TheEndOfTheDaemonIsTold) {
  PipeStream& reader = watch();
  test::PipeOptions narrow;
  narrow.capacity = 16;
  watch({}, {}, narrow);  // does not read at all
  read(reader);
  pair_.run(hub_.stop(), Duration::seconds(5));
  EXPECT_EQ(read(reader), "closed polluxd has ended\n");
  EXPECT_FALSE(hub_.watched());
}

TEST_F(EventHubTest, NotMoreThanSoMany) {
  for (std::size_t i = 0; i < EventHub::watchers_max; ++i) {
    EXPECT_FALSE(hub_.full());
    watch();
  }
  EXPECT_TRUE(hub_.full());
  readers_.back()->shutdown();
  settle();
  EXPECT_FALSE(hub_.full());
}

}  // namespace
}  // namespace replicator
