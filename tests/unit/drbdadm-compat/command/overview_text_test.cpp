// The lines of drbd-overview, and that a program which splits them at blanks finds its fields.
#include "command/overview_text.hpp"

#include <gtest/gtest.h>

namespace replicator::command {
namespace {

ResourceStatus resource_of(const char* name, std::uint32_t volume, std::uint32_t minor) {
  ResourceStatus resource;
  resource.name = name;
  resource.has_connection = true;
  VolumeStatus one;
  one.volume = volume;
  one.minor = minor;
  one.state.role = Role::primary;
  one.state.peer_role = Role::secondary;
  one.state.connection = ConnectionState::connected;
  one.state.disk = DiskState::up_to_date;
  one.state.peer_disk = DiskState::up_to_date;
  resource.volumes.push_back(one);
  return resource;
}

TEST(OverviewText, OneLineForEachDeviceByMinor) {
  ResourceStatus syncing = resource_of("web", 1, 2);
  syncing.volumes[0].state.connection = ConnectionState::sync_source;
  syncing.volumes[0].state.peer_disk = DiskState::inconsistent;
  syncing.volumes[0].progress.active = true;
  syncing.volumes[0].progress.total_blocks = 1000;
  syncing.volumes[0].progress.left_blocks = 541;
  ResourceStatus idle = resource_of("idle", 0, 10);
  idle.volumes[0].state = VolumeState();
  constexpr std::uint64_t gib = 1ULL << 30U;
  const std::map<std::uint32_t, MountFacts> mounts{
      {0, {"/mnt", "ext4", 20 * gib, 3 * gib, 17 * gib}}};
  EXPECT_EQ(overview_text({idle, syncing, resource_of("r0", 0, 0)}, mounts),
            "  0:r0/0  Connected Primary/Secondary UpToDate/UpToDate /mnt ext4 20G 3.0G 17G 15%\n"
            "  2:web/1  SyncSource Primary/Secondary UpToDate/Inconsistent\n"
            "\t[========>...........] sync'ed: 45.9% (2164/4000)K\n"
            " 10:idle/0  Unconfigured . .\n");
  EXPECT_EQ(overview_text({}, {}), "");
}

TEST(OverviewText, SizesAsDfHasThem) {
  constexpr std::uint64_t mib = 1ULL << 20U;
  const std::map<std::uint32_t, MountFacts> mounts{
      {0, {"/a", "xfs", 1536 * mib, 171 * mib + 1, 0}}};
  EXPECT_TRUE(
      overview_text({resource_of("r0", 0, 0)}, mounts).ends_with(" /a xfs 1.5G 172M 0 100%\n"));
}

}  // namespace
}  // namespace replicator::command
