// Split brain end to end: two nodes wrote apart, they meet, and each policy, or the administrator,
// decides whose data stays. G1, G2: nobody is overwritten without a say-so, and both ends agree.
#include "tests/unit/engine/engine_pair.hpp"

namespace replicator {
namespace {

using Asb = AfterSplitBrain;

constexpr std::uint64_t place_of_first = 0;
constexpr std::uint64_t place_of_second = 4U << 20U;

struct Apart {
  std::size_t first_blocks = 3;   // written by n1 …
  std::size_t second_blocks = 3;  // … and by n2 while they were apart
  bool first_is_primary = false;  // when they meet
  bool second_is_primary = false;
  bool first_was_primary_at_loss = false;
};

struct Policies {
  Asb zero = Asb::disconnect;
  Asb one = Asb::disconnect;
  Asb two = Asb::disconnect;
  ConflictPolicy conflict = ConflictPolicy::disconnect;
  bool always = false;
};

class SplitBrainTest : public EngineTest {
 protected:
  SplitBrainTest() {
    for (const char* line :
         {"Split-Brain detected but unresolved", "the handshake was refused", "I shall become"}) {
      pair_.world.expect_error(line);
    }
    pair_.world.set_recording(true);
  }

  std::int32_t connect_with(sim::Node& node, sim::Node& peer, NetOptions options) {
    PeerConfig config;
    config.local = node.address(7789);
    config.peer = peer.address(7789);
    options.connect_interval_seconds = 1;
    return pair_.run(resource(node).connect(config, options, peer.name())).code;
  }
  void role(sim::Node& node, Role role) {
    ASSERT_EQ(pair_.run(resource(node).set_role(role, false)).code, 0);
  }
  void change(sim::Node& node, std::uint64_t at, std::size_t blocks, std::uint8_t fill) {
    for (std::size_t i = 0; i < blocks; ++i) {
      ASSERT_TRUE(write(node, at + i * 65536, 4096, fill).ok());
    }
  }

  // In sync, apart, both sides have been Primary since.
  void part(const Apart& apart) {
    up();
    ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
    wait_until_synced();
    if (!apart.first_was_primary_at_loss) role(pair_.n1, Role::secondary);
    for (sim::Node* node : {&pair_.n1, &pair_.n2}) {
      ASSERT_EQ(pair_.run(resource(*node).disconnect(false)).code, 0);
    }
    role(pair_.n1, Role::primary);
    change(pair_.n1, place_of_first, apart.first_blocks, 0x11);
    role(pair_.n2, Role::primary);
    change(pair_.n2, place_of_second, apart.second_blocks, 0x22);
    if (!apart.first_is_primary) role(pair_.n1, Role::secondary);
    if (!apart.second_is_primary) role(pair_.n2, Role::secondary);
  }

  static Asb mirrored(Asb policy) {
    if (policy == Asb::discard_local) return Asb::discard_remote;
    if (policy == Asb::discard_remote) return Asb::discard_local;
    return policy;
  }

  void meet(const Policies& policies) {
    NetOptions options;
    options.after_sb_0pri = policies.zero;
    options.after_sb_1pri = policies.one;
    options.after_sb_2pri = policies.two;
    options.rr_conflict = policies.conflict;
    options.always_asbp = policies.always;
    ASSERT_EQ(connect_with(pair_.n1, pair_.n2, options), 0);
    options.after_sb_0pri = mirrored(policies.zero);
    ASSERT_EQ(connect_with(pair_.n2, pair_.n1, options), 0);
  }

  std::byte content(sim::Node& node, std::uint64_t at) {
    std::array<std::byte, 512> block{};
    node.disk().image().read(ByteOffset(at), block);
    return block[100];
  }
  // Whose data is on both disks now.
  void expect_survivor(sim::Node& survivor) {
    wait_until_synced();
    expect_equal();
    const bool first = &survivor == &pair_.n1;
    EXPECT_EQ(content(pair_.n1, place_of_first), first ? std::byte{0x11} : std::byte{0});
    EXPECT_EQ(content(pair_.n1, place_of_second), first ? std::byte{0} : std::byte{0x22});
    EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text;
  }
  void expect_unresolved(const char* second_disk = "UpToDate") {
    pair_.world.run_for(Duration::seconds(20));
    EXPECT_TRUE(alone(pair_.n1) || alone(pair_.n2));
    for (sim::Node* node : {&pair_.n1, &pair_.n2}) {
      EXPECT_LT(volume(*node).state().connection, ConnectionState::connected);
    }
    EXPECT_EQ(name(volume(pair_.n1).state().disk), "UpToDate");
    EXPECT_EQ(name(volume(pair_.n2).state().disk), second_disk);
    EXPECT_EQ(content(pair_.n1, place_of_second), std::byte{0});
    EXPECT_EQ(content(pair_.n2, place_of_first), std::byte{0});
    EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text;
  }
  bool alone(sim::Node& node) {
    return volume(node).state().connection == ConnectionState::stand_alone;
  }
  bool logged(const std::string& line) {
    return pair_.world.flight_recorder().find(line) != std::string::npos;
  }
  sim::Node& first() { return pair_.n1; }
  sim::Node& second() { return pair_.n2; }
};

TEST_F(SplitBrainTest, DisconnectResolvesNothingAndTellsTheHandlers) {
  part(Apart());
  meet(Policies());
  expect_unresolved();
  EXPECT_TRUE(logged("r0/0 Split-Brain detected but unresolved, dropping connection!"));
  EXPECT_TRUE(logged("helper command: /sbin/drbdadm initial-split-brain minor-0"));
  // The one that is told last may find the connection gone already.
  EXPECT_GE(first().helper().called("split-brain") + second().helper().called("split-brain"), 1U);
  EXPECT_GE(first().helper().called("initial-split-brain") +
                second().helper().called("initial-split-brain"),
            1U);
}

// As in the classic tutorial: the victim reconnects with --discard-my-data, the survivor connects
// if it is StandAlone too.
TEST_F(SplitBrainTest, ResolvedByHand) {
  part(Apart());
  meet(Policies());
  expect_unresolved();
  if (!alone(second())) {
    ASSERT_EQ(pair_.run(resource(second()).disconnect(false)).code, 0);
  }
  NetOptions discard;
  discard.discard_my_data = true;
  ASSERT_EQ(connect_with(second(), first(), discard), 0);
  if (alone(first())) {
    ASSERT_EQ(connect_with(first(), second(), NetOptions()), 0);
  }
  expect_survivor(first());
  EXPECT_TRUE(logged("Split-Brain detected, manually solved. Sync from this node"));
  EXPECT_TRUE(logged("Split-Brain detected, manually solved. Sync from peer node"));
  EXPECT_FALSE(resource(second()).connection()->options().discard_my_data);
}

TEST_F(SplitBrainTest, ByHandAgainstAPrimaryThatStaysOne) {
  Apart apart;
  apart.first_is_primary = true;
  part(apart);
  NetOptions discard;
  discard.discard_my_data = true;
  ASSERT_EQ(connect_with(second(), first(), discard), 0);
  ASSERT_EQ(connect_with(first(), second(), NetOptions()), 0);
  expect_survivor(first());
  EXPECT_EQ(name(volume(first()).state().role), "Primary");
}

TEST_F(SplitBrainTest, BothDiscardingIsRefused) {
  pair_.world.expect_error("incompatible discard-my-data settings");
  part(Apart());
  NetOptions discard;
  discard.discard_my_data = true;
  ASSERT_EQ(connect_with(second(), first(), discard), 0);
  ASSERT_EQ(connect_with(first(), second(), discard), 0);
  expect_unresolved();
}

TEST_F(SplitBrainTest, APrimaryDoesNotDiscard) {
  Apart apart;
  apart.first_is_primary = true;
  part(apart);
  NetOptions discard;
  discard.discard_my_data = true;
  EXPECT_EQ(connect_with(first(), second(), discard), 123);
}

struct ZeroCase {
  const char* what;
  Asb policy;
  std::size_t first_blocks;
  std::size_t second_blocks;
  bool first_was_primary_at_loss;
  int survivor;  // 1, 2; 0: unresolved
};

class AfterSb0pri : public SplitBrainTest, public testing::WithParamInterface<ZeroCase> {};

TEST_P(AfterSb0pri, DecidesWhoStays) {
  const ZeroCase& row = GetParam();
  Apart apart;
  apart.first_blocks = row.first_blocks;
  apart.second_blocks = row.second_blocks;
  apart.first_was_primary_at_loss = row.first_was_primary_at_loss;
  part(apart);
  Policies policies;
  policies.zero = row.policy;
  meet(policies);
  if (row.survivor == 0) return expect_unresolved();
  wait_until_synced();
  expect_equal();
  const bool kept_first = content(first(), place_of_first) == std::byte{0x11};
  const bool kept_second = content(first(), place_of_second) == std::byte{0x22};
  EXPECT_EQ(kept_first, row.survivor == 1 && row.first_blocks != 0);
  EXPECT_EQ(kept_second, row.survivor == 2 && row.second_blocks != 0);
  EXPECT_TRUE(logged("Split-Brain detected, 0 primaries, automatically solved. Sync from"));
  EXPECT_EQ(first().helper().called("split-brain"), 0U);
  EXPECT_EQ(first().helper().called("initial-split-brain"), 1U);
  EXPECT_EQ(second().helper().called("initial-split-brain"), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Policies, AfterSb0pri,
    testing::Values(ZeroCase{"younger", Asb::discard_younger_primary, 3, 9, true, 1},
                    ZeroCase{"older", Asb::discard_older_primary, 9, 3, true, 2},
                    ZeroCase{"younger_undecided", Asb::discard_younger_primary, 3, 9, false, 2},
                    ZeroCase{"older_undecided", Asb::discard_older_primary, 9, 3, false, 1},
                    ZeroCase{"zero_mine", Asb::discard_zero_changes, 0, 3, false, 2},
                    ZeroCase{"zero_theirs", Asb::discard_zero_changes, 3, 0, false, 1},
                    ZeroCase{"zero_neither", Asb::discard_zero_changes, 1, 3, false, 0},
                    ZeroCase{"least_first", Asb::discard_least_changes, 2, 5, false, 2},
                    ZeroCase{"least_second", Asb::discard_least_changes, 5, 2, false, 1},
                    ZeroCase{"local", Asb::discard_local, 5, 2, false, 2},
                    ZeroCase{"remote", Asb::discard_remote, 2, 5, false, 1},
                    ZeroCase{"disconnect", Asb::disconnect, 0, 5, false, 0},
                    ZeroCase{"consensus_does_not_belong_here", Asb::consensus, 2, 5, false, 0},
                    ZeroCase{"call_does_not_belong_here", Asb::call_pri_lost_after_sb, 2, 5, false,
                             0}),
    [](const auto& instance) { return instance.param.what; });

// n1 is Primary when they meet.
struct OneCase {
  const char* what;
  Asb one;
  Asb zero;
  int survivor;
};

class AfterSb1pri : public SplitBrainTest, public testing::WithParamInterface<OneCase> {};

TEST_P(AfterSb1pri, DecidesWhoStays) {
  const OneCase& row = GetParam();
  Apart apart;
  apart.first_is_primary = true;
  part(apart);
  Policies policies;
  policies.zero = row.zero;
  policies.one = row.one;
  meet(policies);
  if (row.survivor == 0) return expect_unresolved();
  expect_survivor(row.survivor == 1 ? first() : second());
  EXPECT_TRUE(logged("Split-Brain detected, 1 primaries, automatically solved. Sync from"));
  const bool stays_primary = row.survivor == 1;
  EXPECT_EQ(volume(first()).state().role, stays_primary ? Role::primary : Role::secondary);
  EXPECT_EQ(resource(first()).role(), volume(first()).state().role);
  EXPECT_EQ(volume(second()).state().peer_role, volume(first()).state().role);
}

INSTANTIATE_TEST_SUITE_P(
    Policies, AfterSb1pri,
    testing::Values(
        OneCase{"disconnect", Asb::disconnect, Asb::discard_remote, 0},
        OneCase{"consensus_on_the_secondary", Asb::consensus, Asb::discard_remote, 1},
        OneCase{"no_consensus_on_the_primary", Asb::consensus, Asb::discard_local, 0},
        OneCase{"discard_secondary", Asb::discard_secondary, Asb::discard_local, 1},
        OneCase{"as0p_secondary", Asb::violently_as0p, Asb::discard_remote, 1},
        OneCase{"as0p_primary_conflicts_with_its_role", Asb::violently_as0p, Asb::discard_local, 0},
        OneCase{"call_for_the_secondary", Asb::call_pri_lost_after_sb, Asb::discard_remote, 1},
        OneCase{"call_for_the_primary", Asb::call_pri_lost_after_sb, Asb::discard_local, 2}),
    [](const auto& instance) { return instance.param.what; });

TEST_F(SplitBrainTest, APrimaryInUseDoesNotGiveUpItsRole) {
  Apart apart;
  apart.first_is_primary = true;
  part(apart);
  ASSERT_TRUE(volume(first()).open(true).ok());
  Policies policies;
  policies.zero = Asb::discard_local;
  policies.one = Asb::call_pri_lost_after_sb;
  meet(policies);
  expect_unresolved();
  EXPECT_EQ(first().helper().called("pri-lost-after-sb"), 1U);
  EXPECT_EQ(first().helper().called("split-brain"), 1U);
  EXPECT_EQ(name(volume(first()).state().role), "Primary");
  volume(first()).close(true);
}

// The daemon keeps the device open for users that may come; it closes it when asked.
TEST_F(SplitBrainTest, APrimaryWhoseDeviceNobodyUsesGivesUpItsRole) {
  Apart apart;
  apart.first_is_primary = true;
  part(apart);
  ASSERT_TRUE(volume(first()).open(true).ok());
  struct Keeper {
    static Task<bool> close(Volume& volume) {
      volume.close(true);
      co_return true;
    }
  };
  resource(first()).let_go_of_devices = [this] { return Keeper::close(volume(first())); };
  Policies policies;
  policies.zero = Asb::discard_local;
  policies.one = Asb::call_pri_lost_after_sb;
  meet(policies);
  expect_survivor(second());
  EXPECT_EQ(first().helper().called("pri-lost-after-sb"), 0U);
  EXPECT_TRUE(logged("Successfully gave up primary role."));
}

TEST_F(SplitBrainTest, TwoPrimariesWithoutAPolicyStayApart) {
  Apart apart;
  apart.first_is_primary = apart.second_is_primary = true;
  part(apart);
  Policies policies;
  policies.zero = Asb::discard_local;
  policies.one = Asb::discard_secondary;
  meet(policies);
  expect_unresolved();
}

// The survivor does not take a second Primary in; the next handshake finds only one.
TEST_F(SplitBrainTest, OfTwoPrimariesTheVictimGivesUpItsRole) {
  pair_.world.expect_error("Multiple primaries not allowed by config");
  pair_.world.expect_error("the states do not fit");
  Apart apart;
  apart.first_is_primary = apart.second_is_primary = true;
  part(apart);
  Policies policies;
  policies.zero = Asb::discard_remote;
  policies.one = Asb::discard_secondary;
  policies.two = Asb::call_pri_lost_after_sb;
  meet(policies);
  expect_unresolved("Outdated");  // the victim knows the verdict
  EXPECT_TRUE(logged("Split-Brain detected, 2 primaries, automatically solved. Sync from"));
  EXPECT_EQ(name(volume(first()).state().role), "Primary");
  EXPECT_EQ(name(volume(second()).state().role), "Secondary");
  for (sim::Node* node : {&first(), &second()}) {
    ASSERT_EQ(pair_.run(resource(*node).disconnect(false)).code, 0);
  }
  meet(policies);
  expect_survivor(first());
  EXPECT_EQ(name(volume(first()).state().role), "Primary");
}

struct ConflictCase {
  const char* what;
  ConflictPolicy policy;
  bool resolved;
  std::size_t calls;
};

class RrConflict : public SplitBrainTest, public testing::WithParamInterface<ConflictCase> {};

// The policy says that n1's data goes, and n1 is Primary.
TEST_P(RrConflict, DecidesForAPrimaryThatIsToBecomeTarget) {
  const ConflictCase& row = GetParam();
  Apart apart;
  apart.first_is_primary = true;
  part(apart);
  Policies policies;
  policies.zero = Asb::discard_local;
  policies.one = Asb::violently_as0p;
  policies.conflict = row.policy;
  meet(policies);
  if (row.resolved) {
    expect_survivor(second());
    EXPECT_EQ(name(volume(first()).state().role), "Primary");
    EXPECT_TRUE(logged("Becoming SyncTarget, violating the stable-data assumption"));
  } else {
    expect_unresolved();
    EXPECT_TRUE(logged("I shall become SyncTarget, but I am primary!"));
  }
  EXPECT_EQ(first().helper().called("pri-lost"), row.calls);
  EXPECT_EQ(first().helper().called("split-brain"), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Policies, RrConflict,
    testing::Values(ConflictCase{"disconnect", ConflictPolicy::disconnect, false, 0},
                    ConflictCase{"call_pri_lost", ConflictPolicy::call_pri_lost, false, 1},
                    ConflictCase{"violently", ConflictPolicy::violently, true, 0}),
    [](const auto& instance) { return instance.param.what; });

// The generations have only history in common: policies are asked with always-asbp alone, and
// everything is copied.
TEST_F(SplitBrainTest, AnAmbiguousOneIsForThePoliciesOnlyWithAlwaysAsbp) {
  part(Apart());
  GenerationSet& own = volume(second()).backing()->superblock().generations;
  own.push(own.bitmap);
  own.bitmap = 0;
  Policies policies;
  policies.zero = Asb::discard_remote;
  meet(policies);
  expect_unresolved();
  for (sim::Node* node : {&first(), &second()}) {
    ASSERT_EQ(pair_.run(resource(*node).disconnect(false)).code, 0);
  }
  policies.always = true;
  meet(policies);
  expect_survivor(first());
  EXPECT_TRUE(logged("Doing a full sync, since UUIDs where ambiguous."));
}

TEST_F(SplitBrainTest, DifferentPoliciesDoNotConnect) {
  pair_.world.expect_error("incompatible after-sb-0pri settings");
  part(Apart());
  NetOptions options;
  options.after_sb_0pri = Asb::discard_remote;
  ASSERT_EQ(connect_with(first(), second(), options), 0);
  ASSERT_EQ(connect_with(second(), first(), options), 0);
  expect_unresolved();
}

}  // namespace
}  // namespace replicator
