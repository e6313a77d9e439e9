// The lines of events2: order and presence of keys, and that applying what is told from one look to
// the next gives the next look.
#include "control/event_lines.hpp"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "base/prng.hpp"

namespace replicator::control {
namespace {

VolumeStatus volume_of(std::uint32_t number, std::uint32_t minor) {
  VolumeStatus volume;
  volume.volume = number;
  volume.minor = minor;
  volume.state.role = Role::secondary;
  volume.state.peer_role = Role::secondary;
  volume.state.connection = ConnectionState::connected;
  volume.state.disk = DiskState::up_to_date;
  volume.state.peer_disk = DiskState::up_to_date;
  volume.backing_disk = "/dev/vdb";
  volume.size_kib = 98264;
  return volume;
}

ResourceStatus resource_of(std::vector<VolumeStatus> volumes) {
  ResourceStatus resource;
  resource.name = "r0";
  resource.has_connection = true;
  resource.peer_name = "bravo";
  resource.peer.local = *io::parse_ipv4("10.77.0.1", 7789);
  resource.peer.peer = *io::parse_ipv4("10.77.0.2", 7789);
  resource.volumes = std::move(volumes);
  return resource;
}

std::string lines(const std::vector<Event>& events, EventStyle style = {}) {
  std::string text;
  for (const Event& event : events)
    text += event_line(event, style);
  return text;
}

TEST(EventLines, ADumpHasTheKeysInTheirOrder) {
  ResourceStatus resource = resource_of({volume_of(0, 3)});
  resource.has_connection = false;
  resource.volumes[0].state.connection = ConnectionState::stand_alone;
  EXPECT_EQ(lines(events_of(resource)),
            "exists resource name:r0 role:Secondary suspended:no force-io-failures:no "
            "may_promote:yes promotion_score:10100\n"
            "exists device name:r0 volume:0 minor:3 backing_dev:/dev/vdb disk:UpToDate client:no "
            "quorum:yes\n");
  resource.has_connection = true;
  resource.volumes[0].state.connection = ConnectionState::connected;
  const std::string linked = lines(events_of(resource));
  EXPECT_NE(linked.find("exists connection name:r0 peer-node-id:0 conn-name:bravo "
                        "connection:Connected role:Secondary\n"),
            std::string::npos);
  EXPECT_NE(linked.find("exists peer-device name:r0 peer-node-id:0 conn-name:bravo volume:0 "
                        "replication:Established peer-disk:UpToDate peer-client:no "
                        "resync-suspended:no\n"),
            std::string::npos);
}

TEST(EventLines, StatisticsFollowTheValues) {
  const ResourceStatus resource = resource_of({volume_of(0, 0)});
  EventStyle style;
  style.statistics = true;
  const std::string text = lines(events_of(resource), style);
  EXPECT_NE(text.find(" quorum:yes size:98264 read:0 written:0 al-writes:0 bm-writes:0 "
                      "upper-pending:0 lower-pending:0 al-suspended:no blocked:no\n"),
            std::string::npos);
  EXPECT_NE(text.find(" resync-suspended:no received:0 sent:0 out-of-sync:0 pending:0 unacked:0\n"),
            std::string::npos);
  EXPECT_NE(text.find(" force-io-failures:no write-ordering:flush may_promote:yes"),
            std::string::npos);
}

TEST(EventLines, AChangeTellsOnlyWhatChanged) {
  ResourceStatus known = resource_of({volume_of(0, 0)});
  VolumeStatus next = known.volumes[0];
  next.state.disk = DiskState::failed;
  const std::vector<Event> events = events_of_volume(known, next);
  EXPECT_EQ(lines(events),
            "change resource name:r0 promotion_score:1\n"
            "change device name:r0 volume:0 minor:0 disk:Failed\n");
  EventStyle diff;
  diff.diff = true;
  EXPECT_EQ(lines(events, diff),
            "change resource name:r0 promotion_score:10101->1\n"
            "change device name:r0 volume:0 minor:0 disk:UpToDate->Failed\n");
  EventStyle full;
  full.full = true;
  EXPECT_NE(lines(events, full).find("role:Secondary suspended:no"), std::string::npos);
  EXPECT_EQ(known.volumes[0].state.disk, DiskState::failed);
}

TEST(EventLines, CountersAloneAreNoEvent) {
  ResourceStatus known = resource_of({volume_of(0, 0)});
  VolumeStatus next = known.volumes[0];
  next.disk_written_kib = 4;
  next.out_of_sync_kib = 8;
  EXPECT_TRUE(events_of_volume(known, next).empty());
  EXPECT_EQ(known.volumes[0].out_of_sync_kib, 8U);
}

TEST(EventLines, WhatGoesGoesBeforeWhatItBelongsTo) {
  const ResourceStatus resource = resource_of({volume_of(0, 0)});
  const std::string text = lines(events_between(&resource, nullptr));
  std::istringstream in(text);
  std::vector<std::string> types;
  for (std::string line; std::getline(in, line);) {
    EXPECT_TRUE(line.starts_with("destroy ")) << line;
    types.push_back(line.substr(8, line.find(" name:") - 8));
  }
  EXPECT_EQ(types,
            (std::vector<std::string>{"path", "peer-device", "connection", "device", "resource"}));
}

TEST(EventLines, AnotherPeerIsAnotherConnection) {
  const ResourceStatus before = resource_of({volume_of(0, 0)});
  ResourceStatus after = before;
  after.peer_name = "charlie";
  const std::string text = lines(events_between(&before, &after));
  EXPECT_NE(text.find("destroy connection name:r0 peer-node-id:0 conn-name:bravo\n"),
            std::string::npos);
  EXPECT_NE(text.find("create connection name:r0 peer-node-id:0 conn-name:charlie "),
            std::string::npos);
}

TEST(EventLines, ProgressIsInEveryLineOfASyncingPeerDevice) {
  ResourceStatus known = resource_of({volume_of(0, 0)});
  VolumeStatus next = known.volumes[0];
  next.state.connection = ConnectionState::sync_target;
  next.state.disk = DiskState::inconsistent;
  next.progress.active = true;
  next.progress.total_blocks = 1000;
  next.progress.left_blocks = 250;
  EXPECT_NE(lines(events_of_volume(known, next)).find("replication:SyncTarget done:75.00\n"),
            std::string::npos);
  next.progress.left_blocks = 200;
  EXPECT_TRUE(events_of_volume(known, next).empty());
}

TEST(EventLines, HelpersAreCalledAndRespond) {
  const ResourceStatus resource = resource_of({volume_of(0, 0)});
  EXPECT_EQ(helper_line(resource, nullptr, "fence-peer", std::nullopt),
            "call helper name:r0 peer-node-id:0 conn-name:bravo helper:fence-peer\n");
  EXPECT_EQ(helper_line(resource, &resource.volumes[0], "before-resync-source", 1024),
            "response helper name:r0 peer-node-id:0 conn-name:bravo volume:0 minor:0 "
            "helper:before-resync-source status:1024\n");
}

TEST(EventLines, AValueIsOneWord) {
  ResourceStatus resource = resource_of({volume_of(0, 0)});
  resource.volumes[0].backing_disk = "/dev/a b\nexists -";
  EXPECT_NE(lines(events_of(resource)).find("backing_dev:/dev/a\\x20b\\x0aexists\\x20- disk:"),
            std::string::npos);
}

struct PromotionRow {
  DiskState disk;
  DiskState peer_disk;
  ConnectionState connection;
  Role role;
  Role peer_role;
  bool possible;
  std::uint32_t score;
};

TEST(EventLines, Promotion) {
  using enum DiskState;
  using C = ConnectionState;
  const PromotionRow rows[] = {
      {up_to_date, up_to_date, C::connected, Role::secondary, Role::secondary, true, 10101},
      {up_to_date, up_to_date, C::connected, Role::primary, Role::secondary, false, 10101},
      {up_to_date, up_to_date, C::connected, Role::secondary, Role::primary, false, 10101},
      {up_to_date, d_unknown, C::wf_connection, Role::secondary, Role::unknown, true, 10100},
      {inconsistent, up_to_date, C::sync_target, Role::secondary, Role::secondary, true, 1},
      {inconsistent, d_unknown, C::wf_connection, Role::secondary, Role::unknown, false, 0},
      {diskless, up_to_date, C::connected, Role::secondary, Role::secondary, true, 1},
      {outdated, d_unknown, C::stand_alone, Role::secondary, Role::unknown, false, 0},
  };
  for (const PromotionRow& row : rows) {
    ResourceStatus resource = resource_of({volume_of(0, 0)});
    VolumeState& state = resource.volumes[0].state;
    state.disk = row.disk;
    state.peer_disk = row.peer_disk;
    state.connection = row.connection;
    state.role = row.role;
    state.peer_role = row.peer_role;
    EXPECT_EQ(promotion(resource).possible, row.possible) << name(row.disk);
    EXPECT_EQ(promotion(resource).score, row.score) << name(row.disk);
  }
  EXPECT_EQ(promotion(ResourceStatus()).score, 0U);
}

// What a reader makes of the lines: type and identity to keys and values.
class Model {
 public:
  using Values = std::map<std::string, std::string>;

  void apply(const std::string& text) {
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      std::string action;
      std::string type;
      words >> action >> type;
      std::string identity = type;
      Values values;
      for (std::string word; words >> word;) {
        const std::string key = word.substr(0, word.find(':'));
        const bool identifies = key == "name" || key == "peer-node-id" || key == "conn-name" ||
                                key == "volume" || key == "minor" || key == "local" ||
                                key == "peer";
        if (identifies) identity += " " + word;
        else values[key] = word.substr(key.size() + 1);
      }
      if (action == "destroy") {
        EXPECT_EQ(objects_.erase(identity), 1U) << line;
        continue;
      }
      EXPECT_EQ(objects_.count(identity), action == "change" ? 1U : 0U) << line;
      for (const auto& [key, value] : values)
        objects_[identity][key] = value;
      if (values.empty()) ADD_FAILURE() << "an empty change: " << line;
    }
  }
  bool operator==(const Model&) const = default;

 private:
  std::map<std::string, Values> objects_;
};

ResourceStatus random_look(Prng& random) {
  ResourceStatus resource = resource_of({});
  resource.has_connection = random.below(3) != 0;
  if (random.below(4) == 0) resource.peer_name = "charlie";
  for (std::uint32_t number = 0; number < 4; ++number) {
    if (random.below(3) == 0) continue;
    VolumeStatus volume = volume_of(number, number + 10);
    volume.state.disk = static_cast<DiskState>(random.below(9));
    volume.state.peer_disk = static_cast<DiskState>(random.below(9));
    volume.state.connection = static_cast<ConnectionState>(random.below(24));
    volume.state.role = static_cast<Role>(1 + random.below(2));
    volume.state.suspended_fencing = random.below(2) == 0;
    volume.state.sync_paused_by_peer = random.below(2) == 0;
    resource.volumes.push_back(volume);
  }
  return resource;
}

TEST(EventLines, WhoAppliesThemKnowsTheState) {
  Prng random(5);
  for (int round = 0; round < 300; ++round) {
    const ResourceStatus before = random_look(random);
    ResourceStatus after = random_look(random);
    Model model;
    model.apply(lines(events_of(before)));
    model.apply(lines(events_between(&before, &after)));
    for (int step = 0; step < 4 && !after.volumes.empty(); ++step) {
      VolumeStatus next = after.volumes[random.below(after.volumes.size())];
      next.state.disk = static_cast<DiskState>(random.below(9));
      next.state.connection = static_cast<ConnectionState>(random.below(24));
      model.apply(lines(events_of_volume(after, next)));
    }
    Model whole;
    whole.apply(lines(events_of(after)));
    EXPECT_EQ(model, whole) << "round " << round;
    model.apply(lines(events_between(&after, nullptr)));
    EXPECT_EQ(model, Model());
  }
}

}  // namespace
}  // namespace replicator::control
