// The model of drbdmon: what is known after each line of events2.
#include "monitor/model.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace replicator::monitor {
namespace {

const std::vector<std::string> pair_lines = {
    "exists resource name:r0 role:Primary suspended:no write-ordering:flush may_promote:no",
    "exists connection name:r0 peer-node-id:0 conn-name:bravo connection:Connected role:Secondary",
    "exists device name:r0 volume:0 minor:3 backing_dev:/dev/sdb disk:UpToDate size:98264",
    "exists peer-device name:r0 peer-node-id:0 conn-name:bravo volume:0 replication:Established "
    "peer-disk:UpToDate resync-suspended:no sent:5 out-of-sync:0",
    "exists path name:r0 peer-node-id:0 conn-name:bravo local:ipv4:10.0.0.1:7788 "
    "peer:ipv4:10.0.0.2:7788 established:yes",
    "exists -"};

Model after(Model model, const std::vector<std::string>& lines) {
  for (const std::string& line : lines)
    model = with_line(std::move(model), line, "12:00:00");
  return model;
}

std::vector<std::string> texts(const Model& model) {
  std::vector<std::string> found;
  for (const RecentEvent& event : model.events)
    found.push_back(event.text);
  return found;
}

TEST(MonitorModel, ADumpIsTheState) {
  const Model model = after({}, pair_lines);
  EXPECT_TRUE(model.complete);
  EXPECT_TRUE(model.events.empty());
  ASSERT_EQ(model.resources.count("r0"), 1U);
  const Resource& resource = model.resources.at("r0");
  const ResourceWords words = words_of(resource);
  EXPECT_EQ(words.role, "Primary");
  EXPECT_EQ(words.peer_role, "Secondary");
  EXPECT_EQ(words.connection, "Connected");
  EXPECT_EQ(words.health, Health::good);
  const VolumeWords volume = words_of(resource, 0);
  EXPECT_EQ(volume.disk, "UpToDate");
  EXPECT_EQ(volume.peer_disk, "UpToDate");
  EXPECT_EQ(number_of(resource.volumes.at(0), "size"), 98264U);
  EXPECT_EQ(value_of(resource.connections.at("bravo").path, "established"), "yes");
}

TEST(MonitorModel, ChangesAreAppliedAndNoted) {
  Model model = after({}, pair_lines);
  model = with_line(std::move(model), "change resource name:r0 role:Secondary may_promote:yes",
                    "12:00:01");
  model = with_line(std::move(model),
                    "change peer-device name:r0 conn-name:bravo volume:0 replication:SyncSource "
                    "peer-disk:Inconsistent done:12.50 out-of-sync:800 dbdt1:3.00 eta:70",
                    "12:00:02");
  const std::vector<RecentEvent> expected = {
      {"12:00:01", "r0 role Primary->Secondary"},
      {"12:00:02", "r0/0 replication Established->SyncSource, peer-disk UpToDate->Inconsistent"}};
  EXPECT_EQ(std::vector<RecentEvent>(model.events.begin(), model.events.end()), expected);
  const Resource& resource = model.resources.at("r0");
  EXPECT_EQ(words_of(resource).role, "Secondary");
  EXPECT_EQ(words_of(resource).health, Health::busy);
  EXPECT_TRUE(in_progress(model));
  EXPECT_EQ(value_of(*peer_of(resource, 0), "done"), "12.50");
}

TEST(MonitorModel, ProgressThatIsNoLongerToldIsOver) {
  Model model = after({}, pair_lines);
  const std::string head = "exists peer-device name:r0 conn-name:bravo volume:0 replication:";
  model = after(std::move(model), {head + "SyncSource done:50.00 dbdt1:1.00 eta:9"});
  model = after(std::move(model), {head + "SyncSource done:51.00 dbdt1:0.00"});
  EXPECT_EQ(peer_of(model.resources.at("r0"), 0)->count("eta"), 0U);
  model = after(std::move(model), {head + "Established"});
  EXPECT_EQ(peer_of(model.resources.at("r0"), 0)->count("done"), 0U);
  EXPECT_FALSE(in_progress(model));
}

TEST(MonitorModel, NumbersAloneAreNoEvent) {
  Model model = after({}, pair_lines);
  model = after(std::move(model), {"change resource name:r0 promotion_score:1",
                                   "change device name:r0 volume:0 minor:3 disk:UpToDate read:5"});
  EXPECT_TRUE(model.events.empty());
  EXPECT_EQ(number_of(model.resources.at("r0").volumes.at(0), "read"), 5U);
}

TEST(MonitorModel, HandlersAreNoted) {
  const Model model = after(
      {}, {"call helper name:r0 conn-name:bravo volume:1 minor:4 helper:before-resync-target",
           "response helper name:r0 conn-name:bravo volume:1 minor:4 helper:before-resync-target "
           "status:768"});
  EXPECT_EQ(texts(model),
            (std::vector<std::string>{"r0/1 handler before-resync-target called",
                                      "r0/1 handler before-resync-target ended: exit code 3"}));
}

TEST(MonitorModel, WhatIsDestroyedIsForgotten) {
  Model model = after({}, pair_lines);
  model = after(std::move(model), {"destroy path name:r0 conn-name:bravo",
                                   "destroy peer-device name:r0 conn-name:bravo volume:0",
                                   "destroy connection name:r0 conn-name:bravo"});
  EXPECT_TRUE(model.resources.at("r0").connections.empty());
  EXPECT_EQ(words_of(model.resources.at("r0")).connection, "StandAlone");
  EXPECT_EQ(words_of(model.resources.at("r0")).health, Health::bad);
  model = after(std::move(model),
                {"destroy device name:r0 volume:0 minor:3", "destroy resource name:r0"});
  EXPECT_TRUE(model.resources.empty());
  EXPECT_EQ(texts(model), (std::vector<std::string>{"r0 connection to bravo is gone",
                                                    "r0/0 is gone", "r0 is gone"}));
}

TEST(MonitorModel, WithoutItsDaemonNothingIsKnown) {
  const Model model = without_daemon(after({}, pair_lines), "silence", "12:00:09");
  EXPECT_TRUE(model.resources.empty());
  EXPECT_FALSE(model.complete);
  EXPECT_EQ(model.trouble, "silence");
  EXPECT_EQ(texts(model), std::vector<std::string>{"the daemon has gone"});
  // Said once, not at each attempt.
  EXPECT_EQ(without_daemon(model, "silence", "12:00:10").events.size(), 1U);
  EXPECT_EQ(after(model, pair_lines).trouble, "");
}

TEST(MonitorModel, LinesWithoutSenseChangeNothing) {
  for (const char* line :
       {"", " ", "exists", "exists resource", "exists device name:r0",
        "exists device name:r0 volume:x", "change path", "destroy nothing name:r0",
        "exists peer-device name:r0 volume:-1", "exists what name:r0"}) {
    const Model model = with_line({}, line, "");
    EXPECT_TRUE(model.resources.empty()) << line;
    EXPECT_FALSE(model.complete) << line;
  }
}

TEST(MonitorModel, OnlyTheLastEventsAreKept) {
  Model model;
  for (std::size_t i = 0; i < Model::remembered_events + 5; ++i)
    model = with_line(std::move(model), "call helper name:r" + std::to_string(i) + " helper:x", "");
  EXPECT_EQ(model.events.size(), Model::remembered_events);
  EXPECT_EQ(model.events.front().text, "r5 handler x called");
}

struct HealthCase {
  const char* connection;
  const char* disk;
  const char* replication;
  const char* peer_disk;
  const char* suspended;
  Health expected;
};

TEST(MonitorModel, Health) {
  const HealthCase table[] = {
      {"Connected", "UpToDate", "Established", "UpToDate", "no", Health::good},
      {"Connected", "UpToDate", "VerifyS", "UpToDate", "no", Health::busy},
      {"Connected", "Inconsistent", "SyncTarget", "UpToDate", "no", Health::busy},
      {"Connected", "UpToDate", "PausedSyncS", "Inconsistent", "no", Health::busy},
      {"Connected", "UpToDate", "Established", "Diskless", "no", Health::bad},
      {"Connected", "Diskless", "Established", "UpToDate", "no", Health::bad},
      {"Connected", "Inconsistent", "Established", "Inconsistent", "no", Health::bad},
      {"Connecting", "UpToDate", "Off", "DUnknown", "no", Health::bad},
      {"StandAlone", "UpToDate", "Off", "Outdated", "no", Health::bad},
      {"Connected", "UpToDate", "Established", "UpToDate", "user", Health::bad},
  };
  for (const HealthCase& row : table) {
    Resource resource;
    resource.values["suspended"] = row.suspended;
    resource.volumes[0]["disk"] = row.disk;
    Connection& connection = resource.connections["peer"];
    connection.values["connection"] = row.connection;
    connection.volumes[0]["replication"] = row.replication;
    connection.volumes[0]["peer-disk"] = row.peer_disk;
    EXPECT_EQ(words_of(resource).health, row.expected)
        << row.connection << " " << row.disk << " " << row.replication << " " << row.peer_disk;
  }
}

}  // namespace
}  // namespace replicator::monitor
