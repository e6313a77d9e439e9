// Each cause of a missing connection reads differently and names the commands that resolve it; what
// is well is called well.
#include "pollux/diagnosis.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "engine/decide/state_change.hpp"

namespace replicator::pollux {
namespace {

using C = ConnectionState;
using D = DiskState;
using T = LinkTrouble;

Facts healthy() {
  Facts facts;
  facts.node = "alfa";
  facts.status.name = "r0";
  facts.status.has_connection = true;
  facts.status.peer_name = "bravo";
  facts.status.peer.local = *io::parse_ipv4("10.77.0.1", 7789);
  facts.status.peer.peer = *io::parse_ipv4("10.77.0.2", 7789);
  VolumeStatus volume;
  volume.state.role = Role::primary;
  volume.state.connection = C::connected;
  volume.state.disk = D::up_to_date;
  volume.state.peer_disk = D::up_to_date;
  volume.size_kib = 1000;
  facts.status.volumes.push_back(volume);
  return facts;
}

Facts apart(C connection, T trouble, int error = 0, Echo echo = Echo::unknown) {
  Facts facts = healthy();
  facts.status.volumes[0].state.connection = connection;
  facts.status.volumes[0].state.peer_disk = D::d_unknown;
  facts.explanation.link.trouble = trouble;
  facts.explanation.link.detail = "the detail";
  facts.explanation.link.time = WallTime(1000);
  facts.explanation.link.error = static_cast<std::uint32_t>(error);
  facts.echo = echo;
  return facts;
}

Finding about(const Facts& facts, const std::string& what) {
  for (Finding& finding : diagnose(facts)) {
    if (finding.about == what) return finding;
  }
  ADD_FAILURE() << "nothing about " << what;
  return {};
}

bool names(const Finding& finding, const std::string& node, const std::string& command) {
  for (const Step& step : finding.steps) {
    if (step.node == node && step.command == command) return true;
  }
  return false;
}

TEST(diagnosis, all_is_well) {
  const Facts facts = healthy();
  for (const Finding& finding : diagnose(facts)) {
    EXPECT_TRUE(finding.good) << finding.about;
    EXPECT_TRUE(finding.steps.empty()) << finding.about;
  }
  EXPECT_TRUE(diagnosis_in_words(facts, diagnose(facts)).starts_with("r0 on alfa: all is well\n"));
}

TEST(diagnosis, each_cause_reads_differently) {
  struct Row {
    C connection;
    T trouble;
    int error;
    Echo echo;
    const char* reason;
    const char* node;
    const char* command;
  };
  constexpr Echo U = Echo::unknown;
  const Row rows[] = {
      {C::wf_connection, T::not_reached, ECONNREFUSED, U, "peer-refuses", "bravo", "drbdadm up r0"},
      {C::wf_connection, T::disconnected_there, ECONNREFUSED, U, "peer-disconnected", "bravo",
       "drbdadm connect r0"},
      {C::wf_connection, T::hung_up, ECONNREFUSED, U, "peer-stand-alone", "bravo",
       "pollux explain r0"},
      {C::wf_connection, T::handshake_refused, ECONNREFUSED, U, "peer-stand-alone", "alfa",
       "pollux explain split-brain r0"},
      {C::wf_connection, T::secret_refused, ECONNREFUSED, U, "peer-refused-secret", "bravo",
       "drbdadm connect r0"},
      {C::wf_connection, T::lost, ETIMEDOUT, Echo::answers, "port-blocked", "bravo",
       "nft list ruleset"},
      {C::wf_connection, T::lost, ETIMEDOUT, Echo::silent, "peer-down", "alfa", "ip -s link"},
      {C::wf_connection, T::lost, EHOSTUNREACH, Echo::silent, "peer-down", "alfa",
       "ip route get 10.77.0.2"},
      {C::wf_connection, T::none, EADDRNOTAVAIL, U, "no-address", "alfa", "ip address"},
      {C::unconnected, T::no_local_address, 0, U, "no-address", "alfa", "ip address"},
      {C::wf_connection, T::secret_refused, 0, U, "peer-refused-secret", "bravo",
       "drbdadm -d dump r0"},
      {C::wf_connection, T::not_drbd, 0, U, "not-drbd", "bravo", "ss -ltnp sport = :7789"},
      {C::stand_alone, T::secret_differs, 0, U, "secret-differs", "alfa", "drbdadm connect r0"},
      {C::stand_alone, T::secret_only_here, 0, U, "secret-only-here", "alfa", "drbdadm connect r0"},
      {C::stand_alone, T::tls, 0, U, "tls", "alfa", "drbdadm connect r0"},
      {C::stand_alone, T::dialect, 0, U, "dialect", "alfa", "drbdadm connect r0"},
      {C::stand_alone, T::disagreement, 0, U, "settings-differ", "alfa", "drbdadm connect r0"},
      {C::stand_alone, T::handshake_refused, 0, U, "data-differ", "alfa",
       "pollux explain split-brain r0"},
  };
  for (const Row& row : rows) {
    const Finding finding =
        about(apart(row.connection, row.trouble, row.error, row.echo), "connection");
    EXPECT_EQ(finding.reason, row.reason) << word(row.trouble) << " " << row.error;
    EXPECT_FALSE(finding.good) << row.reason;
    EXPECT_TRUE(names(finding, row.node, row.command)) << row.reason << ": " << row.command;
  }
}

TEST(diagnosis, without_a_connection) {
  Facts facts = apart(C::stand_alone, T::disconnected_here);
  facts.status.has_connection = false;
  EXPECT_EQ(about(facts, "connection").reason, "disconnected");
  EXPECT_TRUE(names(about(facts, "connection"), "alfa", "drbdadm connect r0"));
  facts.explanation.link = LinkReport();
  EXPECT_EQ(about(facts, "connection").reason, "not-configured");
  // It had given up before it was disconnected.
  facts.explanation.link.trouble = T::handshake_refused;
  EXPECT_EQ(about(facts, "connection").reason, "data-differ");
  facts.status.volumes.clear();
  EXPECT_TRUE(names(about(facts, "volumes"), "alfa", "drbdadm up r0"));
}

TEST(diagnosis, an_echo_is_asked_where_it_tells_more) {
  EXPECT_TRUE(echo_would_help(apart(C::wf_connection, T::lost, ETIMEDOUT)));
  EXPECT_TRUE(echo_would_help(apart(C::wf_connection, T::lost, EHOSTUNREACH)));
  EXPECT_FALSE(echo_would_help(apart(C::wf_connection, T::lost, ECONNREFUSED)));
  EXPECT_FALSE(echo_would_help(apart(C::wf_connection, T::lost)));
  EXPECT_FALSE(echo_would_help(apart(C::connected, T::lost, ETIMEDOUT)));
}

TEST(diagnosis, disks_and_syncs) {
  Facts facts = healthy();
  VolumeStatus& volume = facts.status.volumes[0];
  volume.out_of_sync_kib = 12;
  EXPECT_TRUE(names(about(facts, "sync 0"), "alfa", "pollux verify r0 --repair"));
  volume.state.connection = C::paused_sync_s;
  volume.progress.active = true;
  volume.progress.total_blocks = 100;
  volume.progress.left_blocks = 25;
  volume.state.sync_paused_by_user = true;
  Finding sync = about(facts, "sync 0");
  EXPECT_EQ(sync.what, "PausedSyncS, 75 % done, 100 KiB left");
  EXPECT_TRUE(names(sync, "alfa", "drbdadm resume-sync r0"));
  volume.state.sync_paused_by_user = false;
  volume.state.sync_paused_by_peer = true;
  EXPECT_TRUE(names(about(facts, "sync 0"), "bravo", "drbdadm resume-sync r0"));
  volume.state.sync_paused_by_peer = false;
  volume.state.sync_paused_by_dependency = true;
  EXPECT_FALSE(about(facts, "sync 0").good);
  volume.state.connection = C::sync_source;
  EXPECT_TRUE(about(facts, "sync 0").good);

  volume.state.disk = D::diskless;
  EXPECT_TRUE(names(about(facts, "disk 0"), "alfa", "drbdadm attach r0"));
  volume.state.disk = D::inconsistent;
  volume.state.connection = C::wf_connection;
  EXPECT_TRUE(names(about(facts, "disk 0"), "alfa", "drbdadm primary --force r0"));
  volume.state.disk = D::outdated;
  EXPECT_FALSE(about(facts, "disk 0").because.empty());
}

TEST(diagnosis, roles_and_suspended_io) {
  Facts facts = healthy();
  facts.status.volumes[0].state.role = Role::secondary;
  PromotionReport promotion;
  promotion.code = static_cast<int>(StateCode::success);
  facts.explanation.promotion = {promotion};
  EXPECT_EQ(about(facts, "role").what, "Secondary; it could be promoted");
  promotion.code = static_cast<int>(StateCode::two_primaries);
  facts.explanation.promotion = {promotion};
  EXPECT_TRUE(about(facts, "role").good);
  EXPECT_TRUE(names(about(facts, "role"), "bravo", "drbdadm secondary r0"));
  promotion.code = static_cast<int>(StateCode::no_up_to_date_disk);
  facts.explanation.promotion = {promotion};
  EXPECT_FALSE(about(facts, "role").good);

  facts.status.volumes[0].state.suspended_fencing = true;
  EXPECT_EQ(about(facts, "I/O").reason, "suspended-fencing");
  EXPECT_TRUE(names(about(facts, "I/O"), "alfa", "drbdadm resume-io r0"));
}

TEST(diagnosis, the_log_is_shown_when_something_is_wrong) {
  Facts facts = healthy();
  facts.explanation.log = {LogLine{WallTime(1000), "error", "r0 connection: it broke"}};
  EXPECT_EQ(diagnosis_in_words(facts, diagnose(facts)).find("it broke"), std::string::npos);
  facts.status.volumes[0].out_of_sync_kib = 4;
  EXPECT_NE(diagnosis_in_words(facts, diagnose(facts))
                .find("  1970-01-01 00:00:01 UTC  error: r0 connection: it broke\n"),
            std::string::npos);
  EXPECT_NE(diagnosis_as_json(facts, diagnose(facts)).find(R"("good":false)"), std::string::npos);
}

}  // namespace
}  // namespace replicator::pollux
