// TLS as a machine: two sessions are pumped against each other, whole, in pieces, and with garbage.
// The certificates are in tests/fixtures/tls.
#include "tls/session.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/prng.hpp"

namespace replicator::tls {
namespace {

std::string fixture(const std::string& name) {
  std::ifstream in("tests/fixtures/tls/" + name);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

Material certificate(const std::string& name, const std::string& peer) {
  Material material;
  material.certificate = fixture(name + ".pem");
  material.private_key = fixture(name + ".key");
  material.authorities = fixture("authority.pem");
  material.peer_names = {peer};
  return material;
}

Material key(std::uint8_t fill, const std::string& identity = "pair") {
  Material material;
  material.psk_identity = identity;
  material.psk.assign(32, std::byte{fill});
  return material;
}

std::shared_ptr<const Context> context(const Material& material) {
  std::string problem;
  std::shared_ptr<const Context> made = Context::create(material, problem);
  EXPECT_NE(made, nullptr) << problem;
  return made;
}

// Moves what one says to the other, in pieces of at most `piece`; the bytes that passed.
std::size_t carry(Session& from, Session& to, std::size_t piece = SIZE_MAX) {
  std::size_t moved = 0;
  while (from.has_output()) {
    ConstBytes output = from.take_output();
    while (!output.empty()) {
      const Bytes room = to.input_room();
      const std::size_t count = std::min({output.size(), room.size(), piece});
      if (count == 0) return moved;
      copy_bytes(room, output.first(count));
      to.received(count);
      output = output.subspan(count);
      moved += count;
      if (piece != SIZE_MAX) static_cast<void>(to.handshake());
    }
  }
  return moved;
}

struct Pair {
  Pair(const Material& of_client, const Material& of_server, std::size_t piece = SIZE_MAX)
      : client(context(of_client), Side::client), server(context(of_server), Side::server) {
    for (int round = 0; round < 8; ++round) {
      static_cast<void>(client.handshake());
      carry(client, server, piece);
      static_cast<void>(server.handshake());
      carry(server, client, piece);
    }
  }
  bool connected() {
    return client.handshake() == Session::Step::done && server.handshake() == Session::Step::done;
  }
  Session client;
  Session server;
};

void expect_talk(Session& from, Session& to) {
  const std::vector<std::byte> said(100000, std::byte{0x5a});
  std::size_t sent = 0;
  ASSERT_TRUE(from.write(said, sent));
  ASSERT_EQ(sent, said.size());
  std::vector<std::byte> heard(said.size());
  std::size_t done = 0;
  // The input holds 64 KiB: what does not fit waits in the socket.
  ConstBytes output = from.take_output();
  EXPECT_EQ(std::search_n(output.begin(), output.end(), 8, std::byte{0x5a}), output.end());
  while (!output.empty()) {
    const Bytes room = to.input_room();
    const std::size_t count = std::min(room.size(), output.size());
    ASSERT_NE(count, 0U);
    copy_bytes(room, output.first(count));
    to.received(count);
    output = output.subspan(count);
    std::size_t got = 0;
    if (to.read(Bytes(heard).subspan(done), got) == Session::Step::done) done += got;
  }
  EXPECT_EQ(done, said.size());
  EXPECT_TRUE(heard == said);
}

TEST(TlsSession, KeysAndCertificatesBothWork) {
  struct Row {
    const char* what;
    Material client;
    Material server;
  };
  const Row rows[] = {
      {"a key", key(1), key(1)},
      {"names", certificate("n1", "n2"), certificate("n2", "n1")},
      {"addresses", certificate("n2", "10.0.0.1"), certificate("n1", "10.0.0.2")},
  };
  for (const Row& row : rows) {
    for (const std::size_t piece : {SIZE_MAX, std::size_t{1}}) {
      SCOPED_TRACE(row.what);
      Pair pair(row.client, row.server, piece);
      ASSERT_TRUE(pair.connected()) << pair.client.problem() << "; " << pair.server.problem();
      EXPECT_EQ(pair.client.description().substr(0, 8), "TLSv1.3 ");
      expect_talk(pair.client, pair.server);
      expect_talk(pair.server, pair.client);
    }
  }
}

TEST(TlsSession, WhoCannotProveItselfIsRefused) {
  struct Row {
    const char* what;
    Material client;
    Material server;
  };
  const Row rows[] = {
      {"another key", key(1), key(2)},
      {"another identity", key(1), key(1, "other")},
      {"a key and a certificate", key(1), certificate("n2", "n1")},
      {"a certificate and a key", certificate("n1", "n2"), key(1)},
      {"another authority, server", certificate("n1", "n2"), certificate("stranger", "n1")},
      {"another authority, client", certificate("stranger", "n1"), certificate("n1", "n2")},
      {"another machine, server", certificate("n1", "n2"), certificate("n3", "n1")},
      {"another machine, client", certificate("n3", "n1"), certificate("n1", "n2")},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    Pair pair(row.client, row.server);
    EXPECT_FALSE(pair.connected());
    // Each side has words for it; a client that was content hears of it with its first read.
    std::byte one{};
    std::size_t count = 0;
    static_cast<void>(pair.client.read(Bytes(&one, 1), count));
    EXPECT_EQ(count, 0U);
    EXPECT_FALSE(pair.client.problem().empty());
    EXPECT_FALSE(pair.server.problem().empty());
  }
}

TEST(TlsSession, UnusableMaterialIsNamed) {
  Material both = certificate("n1", "n2");
  both.psk_identity = "pair";
  both.psk.assign(32, std::byte{1});
  Material other_key = certificate("n1", "n2");
  other_key.private_key = fixture("n2.key");
  Material no_authority = certificate("n1", "n2");
  no_authority.authorities = "nothing\n";
  Material garbage = certificate("n1", "n2");
  garbage.certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  Material no_name = certificate("n1", "n2");
  no_name.peer_names.clear();
  const struct {
    Material material;
    const char* problem;
  } rows[] = {
      {both, "at once"},
      {other_key, "tls-privkey"},
      {no_authority, "tls-keyring"},
      {garbage, "tls-certificate"},
      {no_name, "no name"},
  };
  for (const auto& row : rows) {
    std::string problem;
    EXPECT_EQ(Context::create(row.material, problem), nullptr);
    EXPECT_NE(problem.find(row.problem), std::string::npos) << problem;
  }
}

// P1, P2: any bytes end in words, in bounded memory, before and after the handshake.
TEST(TlsSession, HostileBytesEndTheSession) {
  Prng prng(7);
  for (int run = 0; run < 400; ++run) {
    const bool established = run % 2 == 0;
    Pair pair(key(1), key(1));
    ASSERT_TRUE(pair.connected());
    Session fresh(context(key(1)), run % 4 < 2 ? Side::server : Side::client);
    Session& victim = established ? pair.server : fresh;
    Session::Step step = Session::Step::needs_more;
    for (int piece = 0; piece < 200 && step == Session::Step::needs_more; ++piece) {
      const Bytes room = victim.input_room();
      ASSERT_FALSE(room.empty());
      const std::size_t count = std::min<std::size_t>(room.size(), 1 + prng.below(2000));
      for (std::byte& byte : room.first(count))
        byte = static_cast<std::byte>(prng.next());
      // Often enough it begins like a record.
      if (piece == 0 && run % 8 >= 4) {
        room[0] = std::byte{static_cast<std::uint8_t>(0x14 + prng.below(4))};
        if (count > 2) room[1] = room[2] = std::byte{3};
      }
      victim.received(count);
      std::array<std::byte, 64> into{};
      std::size_t got = 0;
      step = established ? victim.read(into, got) : victim.handshake();
      while (victim.has_output())
        static_cast<void>(victim.take_output());
    }
    EXPECT_EQ(static_cast<int>(step), static_cast<int>(Session::Step::failed)) << run;
    EXPECT_FALSE(victim.problem().empty());
  }
}

TEST(TlsSession, AFlippedBitIsNoticed) {
  Pair pair(key(1), key(1));
  ASSERT_TRUE(pair.connected());
  const std::vector<std::byte> said(4096, std::byte{1});
  std::size_t sent = 0;
  ASSERT_TRUE(pair.client.write(said, sent));
  const ConstBytes output = pair.client.take_output();
  const Bytes room = pair.server.input_room();
  copy_bytes(room, output);
  room[1000] ^= std::byte{4};
  pair.server.received(output.size());
  std::vector<std::byte> heard(4096);
  std::size_t count = 0;
  EXPECT_EQ(static_cast<int>(pair.server.read(heard, count)),
            static_cast<int>(Session::Step::failed));
  EXPECT_EQ(count, 0U);
}

// A disk of many terabytes goes through one connection; one key must not see all of it.
TEST(TlsSession, TheKeyIsRenewedInTime) {
  Pair pair(key(1), key(1));
  ASSERT_TRUE(pair.connected());
  constexpr std::size_t plain_record = 5 + 1 + 1 + 16;
  std::size_t longer = 0;
  for (std::size_t at = 0; at < 2 * 65536 + 10; ++at) {
    const std::byte said{static_cast<std::uint8_t>(at)};
    std::size_t count = 0;
    ASSERT_TRUE(pair.client.write(ConstBytes(&said, 1), count));
    if (carry(pair.client, pair.server) > plain_record) ++longer;
    std::byte heard{};
    ASSERT_EQ(static_cast<int>(pair.server.read(Bytes(&heard, 1), count)),
              static_cast<int>(Session::Step::done));
    ASSERT_EQ(heard, said);
  }
  EXPECT_EQ(longer, 2U);
  expect_talk(pair.client, pair.server);
  expect_talk(pair.server, pair.client);
}

TEST(TlsMaterial, FindsTheLineOfTheIdentity) {
  const std::string file =
      "# keys\n\nother:00112233445566778899aabbccddeeff\r\n"
      "pair:000102030405060708090a0b0c0d0e0f\nshort:0011\nodd:00112233445566778899aabbccddeeff0\n"
      "bad:0011223344556677zz99aabbccddeeff\n";
  const Result<std::vector<std::byte>> found = find_psk(file, "pair");
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 16U);
  EXPECT_EQ((*found)[15], std::byte{15});
  EXPECT_TRUE(find_psk(file, "other"));
  for (const char* identity : {"short", "odd", "bad", "nobody", "", "pai"}) {
    EXPECT_FALSE(find_psk(file, identity)) << identity;
  }
}

}  // namespace
}  // namespace replicator::tls
