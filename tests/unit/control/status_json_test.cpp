#include "control/status_json.hpp"

#include <gtest/gtest.h>

#include "control/option_table.hpp"

namespace replicator::control {
namespace {

ResourceStatus sample_status() {
  ResourceStatus resource;
  resource.name = "r0";
  resource.has_connection = true;
  resource.protocol = 'A';
  resource.tls = true;
  resource.peer_name = "bravo";
  resource.peer = {*parse_address("ipv4:10.0.0.1:7789"), *parse_address("ipv6:[fd00::2]:7790")};
  VolumeStatus volume;
  volume.volume = 1;
  volume.minor = 11;
  volume.state.role = Role::primary;
  volume.state.connection = ConnectionState::paused_sync_t;
  volume.state.disk = DiskState::inconsistent;
  volume.state.peer_disk = DiskState::up_to_date;
  volume.state.sync_paused_by_peer = true;
  volume.state.suspended_fencing = true;
  volume.backing_disk = "/dev/vdb";
  volume.meta_disk = "/dev/vdc";
  volume.meta_index = {MetaDiskIndex::Kind::indexed, 3};
  volume.size_kib = 98264;
  volume.net_sent_kib = 1ULL << 40U;
  volume.write_ordering = 'd';
  volume.out_of_sync_kib = 12;
  volume.in_doubt_sectors = 16;
  volume.progress = {true, false, 100, 50, 1, 3, 800, 2000, 500, 7, 300, 4, 1000, 10, 40, true};
  volume.generations[0] = 0xFFFFFFFFFFFFFFFFULL;
  volume.generations[3] = 4;
  resource.volumes.push_back(volume);
  return resource;
}

TEST(StatusJson, SurvivesTheRoundTrip) {
  const std::string data = encode_status({sample_status(), ResourceStatus{}});
  const auto decoded = decode_status(data);
  ASSERT_TRUE(decoded);
  ASSERT_EQ(decoded->size(), 2U);
  const ResourceStatus& resource = (*decoded)[0];
  const ResourceStatus expected = sample_status();
  EXPECT_EQ(resource.peer.local, expected.peer.local);
  EXPECT_EQ(resource.peer.peer, expected.peer.peer);
  ASSERT_EQ(resource.volumes.size(), 1U);
  EXPECT_EQ(resource.volumes[0].state, expected.volumes[0].state);
  EXPECT_EQ(resource.volumes[0].meta_index.slot, 3U);
  EXPECT_EQ(resource.volumes[0].generations[0], 0xFFFFFFFFFFFFFFFFULL);
  EXPECT_EQ(resource.volumes[0].progress.left_blocks, 50U);
  EXPECT_TRUE(resource.volumes[0].progress.stalled);
  EXPECT_EQ(encode_status(*decoded), data);
}

TEST(StatusJson, RefusesForeignData) {
  for (const std::string_view data :
       {"", "[]", "{}", R"({"resources":{}})", R"({"resources":[1]})", R"({"resources":[{}]})"}) {
    EXPECT_FALSE(decode_status(data)) << data;
    EXPECT_FALSE(decode_show(data)) << data;
    EXPECT_FALSE(decode_generations(data)) << data;
  }
  std::string data = encode_status({sample_status()});
  data.replace(data.find("\"role\":1"), 8, "\"role\":7");
  EXPECT_FALSE(decode_status(data));
}

TEST(StatusJson, ShowSurvivesTheRoundTrip) {
  ResourceShow resource;
  resource.name = "r0";
  resource.options.cpu_mask = "3";
  resource.has_connection = true;
  resource.peer = {*parse_address("10.0.0.1"), *parse_address("10.0.0.2:7789")};
  resource.net.verify_alg = "crc32c";
  resource.net.allow_two_primaries = true;
  VolumeShow volume;
  volume.minor = 4;
  volume.backing = BackingConfig{"/dev/a", "/dev/a", {}};
  volume.disk.resync_rate = 30720;
  resource.volumes = {volume, VolumeShow{1, 5, {}, {}}};
  const std::string data = encode_show({resource});
  const auto decoded = decode_show(data);
  ASSERT_TRUE(decoded);
  EXPECT_EQ((*decoded)[0].net.verify_alg, "crc32c");
  EXPECT_EQ((*decoded)[0].volumes[0].disk.resync_rate, 30720U);
  EXPECT_FALSE((*decoded)[0].volumes[1].backing);
  EXPECT_EQ(encode_show(*decoded), data);
}

TEST(StatusJson, GenerationsSurviveTheRoundTrip) {
  GenerationShow show;
  show.generations[1] = 0x1234;
  show.connected = true;
  const auto decoded = decode_generations(encode_generations(show));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->generations[1], 0x1234U);
  EXPECT_TRUE(decoded->connected);
  EXPECT_FALSE(decoded->primary);
}

TEST(Values, AddressesOfDrbdsetup) {
  const struct {
    const char* text;
    const char* canonical;  // null: refused
  } rows[] = {{"ipv4:10.0.0.1:7789", "ipv4:10.0.0.1:7789"},
              {"10.0.0.1", "ipv4:10.0.0.1:7788"},
              {"[fd00::1]:1", "ipv6:[fd00::1]:1"},
              {"ipv6:[fd00::1]", "ipv6:[fd00::1]:7788"},
              {"ipv6:fd00::1:7788", nullptr},
              {"ipv4:10.0.0.1:0", nullptr},
              {"ipv4:10.0.0.1:65536", nullptr},
              {"ipv4:10.0.0.1:", nullptr},
              {"ipv4:10.0.0:1", nullptr},
              {"ssocks:10.0.0.1:1", nullptr},
              {"[fd00::1", nullptr},
              {"[fd00::1]x", nullptr},
              {"", nullptr}};
  for (const auto& row : rows) {
    const auto address = parse_address(row.text);
    EXPECT_EQ(address.has_value(), row.canonical != nullptr) << row.text;
    if (address && row.canonical != nullptr) {
      EXPECT_EQ(address_text(*address), row.canonical);
    }
  }
}

TEST(Values, MinorsAndIndexes) {
  EXPECT_EQ(*parse_minor("0"), 0U);
  EXPECT_EQ(*parse_minor("/dev/drbd10"), 10U);
  EXPECT_EQ(*parse_minor("drbd1048575"), 1048575U);
  EXPECT_FALSE(parse_minor("1048576"));
  EXPECT_FALSE(parse_minor("/dev/drbd"));
  EXPECT_FALSE(parse_minor("x"));
  EXPECT_EQ(index_text(*parse_meta_index("flex-external")), "flexible");
  EXPECT_EQ(index_text(*parse_meta_index("internal")), "internal");
  EXPECT_EQ(index_text(*parse_meta_index("5")), "5");
  EXPECT_FALSE(parse_meta_index("middle"));
}

}  // namespace
}  // namespace replicator::control
