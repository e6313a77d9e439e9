// Two nodes with TLS on both sockets: the main job, and what each of them is told when they do not
// agree.
#include "tls/session.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "tests/unit/engine/engine_pair.hpp"
#include "tls/stream.hpp"

namespace replicator {
namespace {

std::shared_ptr<const tls::Context> keyed(std::uint8_t fill) {
  tls::Material material;
  material.psk_identity = "pair";
  material.psk.assign(32, std::byte{fill});
  std::string problem;
  return tls::Context::create(material, problem);
}

std::string fixture(const std::string& name) {
  std::ifstream in("tests/fixtures/tls/" + name);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The certificate of `name`, and the peer has to have one of n1 or n2.
std::shared_ptr<const tls::Context> certified(const std::string& name) {
  tls::Material material;
  material.certificate = fixture(name + ".pem");
  material.private_key = fixture(name + ".key");
  material.authorities = fixture("authority.pem");
  material.peer_names = {"n1", "n2"};
  std::string problem;
  return tls::Context::create(material, problem);
}

class TlsPair : public EngineTest {
 protected:
  void TearDown() override { EXPECT_FALSE(pair_.world.failed()) << pair_.world.failure().text; }
  void use(std::uint8_t fill) {
    net.tls = fill != 0;
    net.tls_context = fill != 0 ? keyed(fill) : nullptr;
  }
  static bool alone(sim::Node& node) {
    return volume(node).state().connection == ConnectionState::stand_alone;
  }
  // 0 is without TLS.
  void expect_both_alone(std::uint8_t first, std::uint8_t second, const char* one,
                         const char* other) {
    pair_.world.expect_error(one);
    pair_.world.expect_error(other);
    use(first);
    ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
    use(second);
    ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
    EXPECT_TRUE(pair_.world.run_until([&] { return alone(pair_.n1) && alone(pair_.n2); },
                                      Duration::seconds(60)));
  }
};

TEST_F(TlsPair, MainJob) {
  use(1);
  up();
  ASSERT_EQ(pair_.run(resource(pair_.n1).set_role(Role::primary, true)).code, 0);
  wait_until_synced();
  expect_equal();
  ASSERT_TRUE(write(pair_.n1, 4096, 1U << 20U, 0x11).ok());
  ASSERT_TRUE(write(pair_.n1, 512, 512, 0x12).ok());
  ASSERT_TRUE(pair_.run(volume(pair_.n1).flush()).ok());
  expect_equal();
  pair_.network.cut_all(pair_.n1.id(), pair_.n2.id(), sim::CutKind::reset);
  pair_.world.run_until(
      [&] { return volume(pair_.n1).state().connection < ConnectionState::connected; },
      Duration::seconds(60));
  ASSERT_TRUE(write(pair_.n1, 0, 65536, 0x13).ok());
  wait_until_synced();
  expect_equal();
}

TEST_F(TlsPair, APlainPeerIsRefusedAndBothAreToldWhy) {
  expect_both_alone(1, 0,
                    "does not speak TLS, and tls is set here: set it on both nodes or on none",
                    "wants TLS, and tls is not set here: set it on both nodes or on none");
}

TEST_F(TlsPair, AndTheOtherWayRound) { expect_both_alone(0, 1, "does not speak TLS", "wants TLS"); }

TEST_F(TlsPair, AnotherKeyIsRefusedAndBothAreToldWhy) {
  expect_both_alone(1, 2, "no TLS with the peer", "compare the tls options and their files");
}

// Whoever connects the data socket: as a client it is content before it is judged.
TEST_F(TlsPair, ACertificateOfAnotherAuthorityIsRefusedAndBothAreToldWhy) {
  for (const bool bad_first : {false, true}) {
    SCOPED_TRACE(bad_first);
    pair_.world.expect_error("the peer's certificate: unable to get local issuer certificate");
    pair_.world.expect_error("unknown ca");
    net.tls = true;
    net.tls_context = certified(bad_first ? "stranger" : "n1");
    ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
    net.tls_context = certified(bad_first ? "n2" : "stranger");
    ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
    EXPECT_TRUE(pair_.world.run_until([&] { return alone(pair_.n1) && alone(pair_.n2); },
                                      Duration::seconds(60)));
  }
}

TEST_F(TlsPair, WithoutKeysItIsNotEvenTried) {
  net.tls = true;
  EXPECT_EQ(connect(pair_.n1, pair_.n2), 162);
  EXPECT_EQ(resource(pair_.n1).connection(), nullptr);
}

TEST_F(TlsPair, TheSecretOfCramHmacIsStillAsked) {
  use(1);
  net.cram_hmac_alg = "sha256";
  net.shared_secret = "good";
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  net.shared_secret = "bad";
  pair_.world.expect_error("the shared secrets differ");
  ASSERT_EQ(connect(pair_.n2, pair_.n1), 0);
  EXPECT_TRUE(pair_.world.run_until([&] { return alone(pair_.n1) || alone(pair_.n2); },
                                    Duration::seconds(60)));
}

// L4.
TEST_F(TlsPair, AHandshakeWithASilentPeerCanBeEnded) {
  use(1);
  ASSERT_EQ(connect(pair_.n1, pair_.n2), 0);
  pair_.world.run_for(Duration::milliseconds(300));
  EXPECT_EQ(pair_.run(resource(pair_.n1).disconnect(true), Duration::seconds(10)).code, 0);
}

TEST(TlsFirstBytes, OfEachProtocol) {
  const auto of = [](std::uint8_t a, std::uint8_t b) {
    const std::array<std::byte, 2> bytes{std::byte{a}, std::byte{b}};
    return tls::looks_like_tls(bytes);
  };
  EXPECT_TRUE(of(0x16, 0x03));
  EXPECT_TRUE(of(0x15, 0x03));
  EXPECT_FALSE(of(0x83, 0x74));
  EXPECT_FALSE(of(0x17, 0x03));
  EXPECT_FALSE(of(0x16, 0x00));
}

}  // namespace
}  // namespace replicator
