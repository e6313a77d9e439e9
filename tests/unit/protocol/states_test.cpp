// The state word of P_STATE: layout, names, and which numbers mean anything.
#include "protocol/states.hpp"

#include <gtest/gtest.h>

namespace replicator {
namespace {

TEST(state_word, layout_is_drbds) {
  VolumeState s;
  s.role = Role::primary;
  s.peer_role = Role::secondary;
  s.connection = ConnectionState::connected;
  s.disk = DiskState::up_to_date;
  s.peer_disk = DiskState::up_to_date;
  EXPECT_EQ(pack(s), 0x110a9U);
  EXPECT_EQ(unpack_state(0x110a9U), s);
  const struct {
    bool VolumeState::* flag;
    std::uint32_t bit;
  } flags[] = {
      {&VolumeState::suspended_by_user, 0x20000},
      {&VolumeState::sync_paused_by_dependency, 0x40000},
      {&VolumeState::sync_paused_by_peer, 0x80000},
      {&VolumeState::sync_paused_by_user, 0x100000},
      {&VolumeState::suspended_no_data, 0x200000},
      {&VolumeState::suspended_fencing, 0x400000},
  };
  for (const auto& each : flags) {
    VolumeState flagged = s;
    flagged.*each.flag = true;
    EXPECT_EQ(pack(flagged), 0x110a9U | each.bit);
    EXPECT_EQ(unpack_state(0x110a9U | each.bit), flagged);
  }
}

TEST(state_word, every_word_survives_the_round_trip) {
  std::uint32_t word = 7;
  for (int i = 0; i < 100000; ++i) {
    word = word * 1664525U + 1013904223U;
    ASSERT_EQ(pack(unpack_state(word >> 9U)), word >> 9U);
  }
}

TEST(state_word, known_numbers_have_names) {
  for (std::uint32_t word = 0; word < 1U << 17U; ++word) {
    const VolumeState s = unpack_state(word);
    const bool named = name(s.role) != "?" && name(s.peer_role) != "?" &&
                       name(s.connection) != "?" && name(s.disk) != "?" && name(s.peer_disk) != "?";
    ASSERT_EQ(all_states_known(s), named) << word;
  }
}

}  // namespace
}  // namespace replicator
