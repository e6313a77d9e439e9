// What fence-peer's exit codes mean, who fences whom, and when frozen I/O goes on (S2, S3).
#include "engine/decide/fencing.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace replicator {
namespace {

using C = ConnectionState;
using D = DiskState;

FencedVolume volume(D disk, D peer_disk, Fencing policy = Fencing::resource_and_stonith,
                    C connection = C::wf_connection, bool frozen = true) {
  FencedVolume v;
  v.policy = policy;
  v.state.role = Role::primary;
  v.state.disk = disk;
  v.state.peer_disk = peer_disk;
  v.state.connection = connection;
  v.state.suspended_fencing = frozen;
  return v;
}

struct CodeRow {
  int code;
  bool own_current;
  bool broken;
  D peer_disk;  // d_unknown: stays
  bool outdates_us;
  bool unexpected;
  const char* meaning;
};

TEST(fencing, exit_codes_of_fence_peer) {
  const std::vector<CodeRow> rows = {
      {3, true, false, D::inconsistent, false, false, "peer is inconsistent or worse"},
      {4, true, false, D::outdated, false, false, "peer got outdated, or was already outdated"},
      {4, false, false, D::outdated, false, false, "peer got outdated, or was already outdated"},
      {5, true, false, D::outdated, false, false, "peer is unreachable, assumed to be dead"},
      {5, false, false, D::d_unknown, false, false,
       "peer unreachable, doing nothing since disk != UpToDate"},
      {6, true, false, D::d_unknown, true, false, "peer is active"},
      {7, true, false, D::outdated, false, false, "peer was stonithed"},
      {0, true, true, D::d_unknown, false, false, ""},
      {1, true, true, D::d_unknown, false, false, ""},
      {2, true, true, D::d_unknown, false, false, ""},
      {8, true, true, D::d_unknown, false, false, ""},
      {20, true, true, D::d_unknown, false, false, ""},
      {255, true, true, D::d_unknown, false, false, ""},
  };
  for (const CodeRow& row : rows) {
    SCOPED_TRACE(row.code);
    const FenceVerdict verdict =
        judge_fence_peer(row.code, Fencing::resource_and_stonith, row.own_current);
    EXPECT_EQ(verdict.broken, row.broken);
    EXPECT_STREQ(verdict.meaning, row.meaning);
    EXPECT_EQ(verdict.unexpected, row.unexpected);
    VolumeState before;
    before.disk = D::up_to_date;
    before.peer_disk = D::d_unknown;
    const VolumeState after = verdict.change.applied_to(before);
    EXPECT_EQ(name(after.peer_disk), name(row.peer_disk));
    EXPECT_EQ(name(after.disk), name(row.outdates_us ? D::outdated : D::up_to_date));
    EXPECT_EQ(verdict.peer_is_primary, row.outdates_us);
  }
  EXPECT_TRUE(judge_fence_peer(7, Fencing::resource_only, true).unexpected);
}

TEST(fencing, the_strictest_policy_of_good_disks_counts) {
  using F = Fencing;
  std::vector<FencedVolume> volumes;
  EXPECT_FALSE(effective_fencing(volumes));
  volumes.push_back(volume(D::inconsistent, D::d_unknown, F::resource_and_stonith));
  volumes.push_back(volume(D::outdated, D::d_unknown, F::resource_and_stonith));
  EXPECT_FALSE(effective_fencing(volumes));
  volumes.push_back(volume(D::up_to_date, D::d_unknown, F::dont_care));
  EXPECT_EQ(effective_fencing(volumes), F::dont_care);
  volumes.push_back(volume(D::consistent, D::d_unknown, F::resource_only));
  EXPECT_EQ(effective_fencing(volumes), F::resource_only);
}

TEST(fencing, the_peer_is_fenced_when_no_volume_of_it_can_be_promoted) {
  std::vector<FencedVolume> volumes{volume(D::up_to_date, D::outdated)};
  EXPECT_TRUE(peer_is_fenced(volumes));
  volumes.push_back(volume(D::up_to_date, D::inconsistent));
  volumes.push_back(volume(D::up_to_date, D::diskless));
  EXPECT_TRUE(peer_is_fenced(volumes));
  for (const D disk : {D::d_unknown, D::consistent, D::up_to_date}) {
    volumes.push_back(volume(D::up_to_date, disk));
    EXPECT_FALSE(peer_is_fenced(volumes)) << name(disk);
    volumes.pop_back();
  }
}

TEST(fencing, frozen_io_goes_on_when_the_peer_is_fenced_or_has_everything_again) {
  const Fencing stonith = Fencing::resource_and_stonith;
  const auto thaw = [](std::vector<FencedVolume> volumes) { return may_thaw(volumes); };
  EXPECT_EQ(thaw({volume(D::up_to_date, D::d_unknown)}), Thaw::no);
  EXPECT_EQ(thaw({volume(D::up_to_date, D::outdated)}), Thaw::fenced);
  EXPECT_EQ(thaw({volume(D::up_to_date, D::outdated, stonith, C::stand_alone)}), Thaw::fenced);
  EXPECT_EQ(thaw({volume(D::up_to_date, D::outdated, stonith, C::wf_connection, false)}), Thaw::no);
  EXPECT_EQ(thaw({volume(D::up_to_date, D::up_to_date, stonith, C::connected)}), Thaw::reconnected);
  // It may not know yet that it lacks something.
  EXPECT_EQ(thaw({volume(D::up_to_date, D::consistent, stonith, C::wf_bitmap_s)}), Thaw::no);
  EXPECT_EQ(thaw({volume(D::up_to_date, D::inconsistent, stonith, C::sync_source)}),
            Thaw::reconnected);
  // All volumes, or none.
  EXPECT_EQ(thaw({volume(D::up_to_date, D::up_to_date, stonith, C::connected),
                  volume(D::up_to_date, D::d_unknown, stonith, C::wf_report_params)}),
            Thaw::no);
  EXPECT_EQ(thaw({volume(D::up_to_date, D::outdated), volume(D::up_to_date, D::d_unknown)}),
            Thaw::no);
}

}  // namespace
}  // namespace replicator
