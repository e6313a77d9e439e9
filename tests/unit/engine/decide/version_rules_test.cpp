// What each protocol version decides, as tables.
#include "engine/decide/version_rules.hpp"

#include <gtest/gtest.h>

namespace replicator {
namespace {

TEST(version_rules, what_two_nodes_agree_upon) {
  struct Row {
    const char* what;
    ConnectionFeatures mine;  // lowest version, features, highest version
    ConnectionFeatures peer;
    int version;  // 0: nothing
    std::uint32_t features;
  };
  const Row rows[] = {
      {"two of today", {86, 0xf, 101}, {86, 0xf, 101}, 101, 0xf},
      {"the lower of the two highest", {86, 0xf, 101}, {86, 0, 97}, 97, 0},
      {"a limit of ours", {86, 0, 94}, {86, 0xf, 101}, 94, 0},
      {"only the features of both", {86, 0xf, 101}, {86, 0x5, 100}, 100, 0x5},
      {"the peer names one version only", {86, 0xf, 101}, {96, 0, 0}, 96, 0},
      {"they just meet above", {86, 0xf, 101}, {101, 0xf, 110}, 101, 0xf},
      {"they just meet below", {86, 0xf, 101}, {80, 0, 86}, 86, 0},
      {"the peer is too new", {86, 0, 94}, {95, 0xf, 101}, 0, 0},
      {"the peer is too old", {86, 0xf, 101}, {80, 0, 85}, 0, 0},
      {"garbage", {86, 0xf, 101}, {0xffffffffU, 0xf, 0xffffffffU}, 0, 0},
      {"garbage that contains us", {86, 0xf, 101}, {0, 0xffffffffU, 0xffffffffU}, 101, 0xf},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    const std::optional<Agreement> agreed = agree(row.mine, row.peer);
    ASSERT_EQ(agreed.has_value(), row.version != 0);
    if (!agreed) continue;
    EXPECT_EQ(agreed->version, row.version);
    EXPECT_EQ(agreed->features, row.features);
  }
  EXPECT_EQ(features_for(101), 0xfU);
  EXPECT_EQ(features_for(100), 0xfU);
  EXPECT_EQ(features_for(99), 0U);
}

TEST(version_rules, amounts_of_data) {
  constexpr std::uint32_t k = 1024;
  struct Row {
    int version;
    std::uint32_t announced;  // by the peer
    std::uint32_t offered;
    std::uint32_t to_peer;
    bool may_ask_for_64k;
  };
  const Row rows[] = {
      {86, 0, 32 * k, 4 * k, false},       {86, 4 * k, 32 * k, 4 * k, false},
      {86, 20 * k, 32 * k, 20 * k, false}, {86, 5000, 32 * k, 4 * k, false},
      {93, 32 * k, 32 * k, 32 * k, false}, {93, 1024 * k, 32 * k, 32 * k, false},
      {93, 1, 32 * k, 4 * k, false},       {94, 4 * k, 32 * k, 32 * k, false},
      {95, 4 * k, 128 * k, 128 * k, true}, {99, 0, 128 * k, 128 * k, true},
      {100, 0, 1024 * k, 1024 * k, true},  {101, 4 * k, 1024 * k, 1024 * k, true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.version);
    SCOPED_TRACE(row.announced);
    EXPECT_EQ(data_bytes_offered(row.version), row.offered);
    EXPECT_EQ(data_bytes_to_peer(row.version, row.announced), row.to_peer);
    EXPECT_EQ(may_ask_for(row.version, 64 * k), row.may_ask_for_64k);
    EXPECT_TRUE(may_ask_for(row.version, 32 * k));
  }
  EXPECT_EQ(zeroes_bytes_to_peer(0xf), 16U << 20U);
  EXPECT_EQ(zeroes_bytes_to_peer(feature_trim), 4U << 20U);
}

TEST(version_rules, flags_of_data_packets) {
  constexpr std::uint32_t all = dp_rw_sync | dp_may_set_in_sync | dp_fua | dp_flush | dp_discard |
                                dp_send_receive_ack | dp_send_write_ack | dp_zeroes;
  struct Row {
    int version;
    WireProtocol protocol;
    std::uint32_t to_peer;    // of all
    std::uint32_t from_peer;  // of all
  };
  constexpr std::uint32_t acks = dp_send_receive_ack | dp_send_write_ack;
  constexpr std::uint32_t stable = dp_fua | dp_flush;
  const Row rows[] = {
      {86, WireProtocol::a, all & ~acks & ~stable, all & ~acks & ~stable},
      {94, WireProtocol::b, all & ~acks & ~stable, (all & ~acks & ~stable) | dp_send_receive_ack},
      {94, WireProtocol::c, all & ~acks & ~stable, (all & ~acks & ~stable) | dp_send_write_ack},
      {95, WireProtocol::a, all & ~acks, all & ~acks},
      {99, WireProtocol::b, all & ~acks, (all & ~acks) | dp_send_receive_ack},
      {99, WireProtocol::c, all & ~acks, (all & ~acks) | dp_send_write_ack},
      {100, WireProtocol::a, all, all},
      {101, WireProtocol::c, all, all},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.version);
    EXPECT_EQ(flags_to_peer(row.version, all), row.to_peer);
    EXPECT_EQ(flags_from_peer(row.version, all, row.protocol), row.from_peer);
    EXPECT_EQ(flags_to_peer(row.version, dp_may_set_in_sync), dp_may_set_in_sync);
  }
  EXPECT_FALSE(carries_force_unit_access(94));
  EXPECT_TRUE(carries_force_unit_access(95));
}

TEST(version_rules, who_ends_a_resync) {
  struct Row {
    int version;
    bool with_blocks;
    bool without;
  };
  const Row rows[] = {{86, true, true},   {94, true, true},    {95, true, false},
                      {96, false, false}, {100, false, false}, {101, false, false}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.version);
    EXPECT_EQ(source_ends_resync(row.version, false), row.with_blocks);
    EXPECT_EQ(source_ends_resync(row.version, true), row.without);
  }
}

TEST(version_rules, what_a_version_knows) {
  EXPECT_FALSE(knows_volumes(99));
  EXPECT_TRUE(knows_volumes(100));
  EXPECT_FALSE(knows_dry_run(91));
  EXPECT_TRUE(knows_dry_run(92));
}

}  // namespace
}  // namespace replicator
