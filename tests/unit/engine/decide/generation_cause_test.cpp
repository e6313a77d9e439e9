// Each reason for a new generation has its own words, and the words find back.
#include "engine/decide/generation_cause.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace replicator {
namespace {

using C = ConnectionState;
using D = DiskState;
using Cause = GenerationCause;

VolumeState state(C connection, D disk, D peer_disk, Role peer_role) {
  VolumeState state;
  state.role = Role::primary;
  state.connection = connection;
  state.disk = disk;
  state.peer_disk = peer_disk;
  state.peer_role = peer_role;
  return state;
}

TEST(generation_cause, by_change_of_state) {
  constexpr Role S = Role::secondary;
  constexpr Role U = Role::unknown;
  const VolumeState together = state(C::connected, D::up_to_date, D::up_to_date, S);
  const VolumeState alone = state(C::wf_connection, D::up_to_date, D::d_unknown, U);
  struct Row {
    VolumeState before;
    VolumeState after;
    Cause cause;
  };
  const Row rows[] = {
      {together, state(C::network_failure, D::up_to_date, D::d_unknown, U),
       Cause::connection_lost_as_primary},
      {together, state(C::connected, D::up_to_date, D::diskless, S), Cause::peer_disk_lost},
      {alone, state(C::wf_connection, D::up_to_date, D::outdated, U),
       Cause::peer_outdated_as_primary},
      {state(C::stand_alone, D::diskless, D::d_unknown, U),
       state(C::stand_alone, D::up_to_date, D::d_unknown, U), Cause::disk_back_alone},
      {state(C::connected, D::up_to_date, D::diskless, S),
       state(C::connected, D::up_to_date, D::diskless, Role::primary),
       Cause::peer_without_disk_promoted},
  };
  for (const Row& row : rows)
    EXPECT_STREQ(text(rotation_cause(row.before, row.after)), text(row.cause));
}

TEST(generation_cause, texts) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < generation_cause_texts.size(); ++i) {
    const auto cause = static_cast<Cause>(i);
    EXPECT_TRUE(seen.insert(text(cause)).second) << text(cause);
    EXPECT_EQ(parse_cause(text(cause)), cause);
  }
  EXPECT_EQ(static_cast<std::size_t>(Cause::corrected) + 1, generation_cause_texts.size());
  EXPECT_FALSE(parse_cause("connection"));
  EXPECT_STREQ(text(Cause::promoted_alone), "became Primary while not connected");
  EXPECT_STREQ(text(Cause::target_done), "resync done, as target");
}

}  // namespace
}  // namespace replicator
