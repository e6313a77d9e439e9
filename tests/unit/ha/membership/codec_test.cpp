// Packets as heartbeat 3.0.6 sends them, and what must not pass for one.
#include "ha/membership/codec.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ha::membership {
namespace {

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoul(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

// A status message recorded from a running heartbeat 3.0.6.
const std::string recorded = from_hex(
    "2323230a31313a283029743d7374617475732c383a28302973743d75702c31303a28302964743d31333838"
    "2c31333a28302970726f746f636f6c3d312c31323a2830297372633d6e6f6465312c32373a283129737263"
    "757569643df6fb04c416bd4f06aa68fc083f205db32c383a2830297365713d332c31343a28302968673d36"
    "623030653164642c31343a28302974733d36623030653164632c32393a2830296c643d312e313120312e31"
    "3320302e363520352f3133302033362c383a28302974746c3d332c35303a283029617574683d3220613938"
    "313533386561633738346537653265633038353061656465633639376461613630316438662c2525250a34"
    "323a3220643930346664316430643836653835666635303437636638306461636666393666653430643365"
    "302c");

AuthKeys recorded_keys() { return AuthKeys({AuthKey{2, AuthMethod::sha1, "10PiloMaterial54"}}, 2); }
AuthKeys keys_of(AuthMethod method) {
  return AuthKeys({AuthKey{1, method, method == AuthMethod::crc ? "" : "secret"}}, 1);
}

Message sample() {
  Message message("status");
  message.set("st", "active").set("src", "alfa").set("seq", "1f");
  message.set("srcuuid", std::string("\x00\x01=\n,\xff%%%\n###", 13), FieldType::binary);
  return message;
}

TEST(HeartbeatCodec, RecordedPacketIsReadAndWrittenAgain) {
  const Result<Message> message = open(recorded, recorded_keys());
  ASSERT_TRUE(message) << message.error().where();
  EXPECT_EQ(message->type(), "status");
  EXPECT_EQ(message->text("st"), "up");
  EXPECT_EQ(message->number("dt", 16), 5000U);
  EXPECT_EQ(message->text("src"), "node1");
  EXPECT_EQ(message->number("seq", 16), 3U);
  EXPECT_EQ(message->number("hg", 16), 0x6b00e1ddU);
  EXPECT_EQ(message->text("ld"), "1.11 1.13 0.65 5/130 36");
  ASSERT_TRUE(message->has("srcuuid"));
  EXPECT_EQ(message->find("srcuuid")->value, from_hex("f6fb04c416bd4f06aa68fc083f205db3"));
  EXPECT_FALSE(message->has("auth"));
  // Same fields in the same order, signed with the same key: the same bytes.
  EXPECT_EQ(seal(*message, recorded_keys()), recorded);
}

TEST(HeartbeatCodec, EveryBitOfThePacketIsSigned) {
  for (std::size_t at = 0; at < recorded.size(); ++at) {
    for (unsigned bit = 0; bit < 8; bit += 3) {
      std::string changed = recorded;
      changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ (1U << bit));
      EXPECT_FALSE(open(changed, recorded_keys())) << at;
    }
  }
}

TEST(HeartbeatCodec, NoPartOfAPacketPasses) {
  for (std::size_t size = 0; size < recorded.size(); ++size)
    EXPECT_FALSE(open(std::string_view(recorded).substr(0, size), recorded_keys())) << size;
  EXPECT_FALSE(open(recorded + "x", recorded_keys()));
  EXPECT_FALSE(open(recorded + recorded, recorded_keys()));
}

TEST(HeartbeatCodec, EachMethodSignsAndTellsKeysApart) {
  for (const AuthMethod method :
       {AuthMethod::crc, AuthMethod::md5, AuthMethod::sha1, AuthMethod::sha256}) {
    const std::string packet = seal(sample(), keys_of(method));
    const Result<Message> same = open(packet, keys_of(method));
    ASSERT_TRUE(same) << same.error().where();
    EXPECT_EQ(*same, sample());
    if (method == AuthMethod::crc) continue;
    const AuthKeys other({AuthKey{1, method, "Secret"}}, 1);
    ASSERT_FALSE(open(packet, other));
    EXPECT_EQ(open(packet, other).error().fault(), Fault::authentication);
  }
}

TEST(HeartbeatCodec, AnyListedKeyIsAcceptedOnlyTheSelectedOneSigns) {
  const AuthKey old_key{1, AuthMethod::sha1, "old"};
  const AuthKey new_key{2, AuthMethod::sha256, "new"};
  const AuthKeys before({old_key}, 1);
  const AuthKeys between({old_key, new_key}, 2);
  const AuthKeys after({new_key}, 2);
  EXPECT_TRUE(open(seal(sample(), before), between));
  EXPECT_TRUE(open(seal(sample(), between), after));
  EXPECT_FALSE(open(seal(sample(), between), before));
  EXPECT_FALSE(open(seal(sample(), before), after));
}

TEST(HeartbeatCodec, LinesAreAcceptedWithTheirSignature) {
  Message message("NS_ackmsg");
  message.set("src", "alfa").set("uuid", std::string("\0\xff\n", 3), FieldType::binary);
  const AuthKeys keys = keys_of(AuthMethod::md5);
  std::string lines = encode_lines(message);
  EXPECT_FALSE(open(lines, keys));
  const std::string signature = "auth=" + keys.sign(signed_lines(message)) + "\n";
  lines.insert(lines.size() - 4, signature);
  const Result<Message> same = open(lines, keys);
  ASSERT_TRUE(same) << same.error().where();
  EXPECT_EQ(*same, message);
  EXPECT_TRUE(open(lines + std::string(1, '\0'), keys));
  lines[lines.find("alfa")] = 'b';
  EXPECT_FALSE(open(lines, keys));
}

// Signed well, and still no message.
TEST(HeartbeatCodec, SignedNonsenseIsRefused) {
  const AuthKeys keys = keys_of(AuthMethod::sha1);
  const auto packet = [&](std::string_view inside) {
    const std::string covered = "###\n" + std::string(inside) + "%%%\n";
    const std::string signature = keys.sign(covered);
    return covered + std::to_string(signature.size()) + ":" + signature + ",";
  };
  EXPECT_TRUE(open(packet("6:(0)a=b,"), keys));
  for (const char* bad :
       {"6:(0)a=b", "5:(0)a=b,", "7:(0)a=b,", "3:a=b,", "5:(0)=b,", "4:(0)a,", "6:(9)a=b,",
        "6:(0)a=b,6:(0)a=c,", "7:(0)a=b\n,", "-1:(0)a=b,", "99999999999999999999:x,", " 6:(0)a=b,"})
    EXPECT_FALSE(open(packet(bad), keys)) << bad;
  std::string many;
  for (std::size_t i = 0; i <= max_fields; ++i)
    many += "9:(0)n" + std::to_string(100 + i) + "=x,";
  EXPECT_FALSE(open(packet(many), keys));
  const std::string name(max_name_bytes + 1, 'n');
  EXPECT_FALSE(open(packet(std::to_string(name.size() + 5) + ":(0)" + name + "=x,"), keys));
  EXPECT_FALSE(open(std::string(max_packet_bytes + 1, '#'), keys));
}

TEST(HeartbeatCodec, PublishedCrc) {
  // What cksum says of "123456789" without its length.
  EXPECT_EQ(keys_of(AuthMethod::crc).sign("123456789"), "1 765e7680");
}

}  // namespace
}  // namespace ha::membership
