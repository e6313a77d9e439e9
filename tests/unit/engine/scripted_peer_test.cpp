// The engine against a peer that follows a script: a kernel's recorded words, and words that no
// honest peer says.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/flow/resource.hpp"
#include "protocol/digest.hpp"
#include "tests/sim/scripted_peer.hpp"
#include "tests/sim/two_nodes.hpp"
#include "tests/support/fresh_metadata.hpp"
#include "tests/support/wire_stream.hpp"

namespace replicator {
namespace {

using sim::ScriptedPeer;
using testing_support::WirePacket;
using testing_support::WireStream;
using C = ConnectionState;
using D = DiskState;
constexpr Socket data = Socket::data;
constexpr Socket meta = Socket::meta;
constexpr std::uint64_t recorded_disk_bytes = 16ULL << 20U;

class Program final : public sim::Node::Program {
 public:
  explicit Program(sim::Node& node)
      : incoming_(4U << 20U, false),
        replies_(4U << 20U, false),
        resource(node.io(), Memory{incoming_, replies_}, "r0", ResourceOptions()) {
    resource.new_volume(0, 0);
  }

 private:
  io::BufferPool incoming_;
  io::BufferPool replies_;

 public:
  Resource resource;
};

// n1 runs the engine with a fresh disk; n2 is the scripted peer.
class ScriptedPeerTest : public testing::Test {
 protected:
  void start(std::uint64_t disk_bytes, const NetOptions& options,
             const DiskOptions& disk = DiskOptions()) {
    pair_ = std::make_unique<sim::TwoNodes>(1, ByteCount(disk_bytes));
    ASSERT_TRUE(pair_->run(testing_support::create_metadata(pair_->n1.io(), "/dev/disk")).ok());
    pair_->n1.boot([](sim::Node& n) { return std::make_unique<Program>(n); });
    BackingConfig backing;
    backing.disk_path = "/dev/disk";
    backing.meta_disk_path = "/dev/disk";
    ASSERT_EQ(pair_->run(resource().attach(0, backing, disk)).code, 0);
    PeerConfig config;
    config.local = pair_->n1.address(7789);
    config.peer = pair_->n2.address(7789);
    ASSERT_EQ(pair_->run(resource().connect(config, options, "n2")).code, 0);
    peer_ = std::make_unique<ScriptedPeer>(pair_->n2, config.local);
    wait_for(C::wf_connection);
    ASSERT_TRUE(pair_->run(peer_->connect()));
  }
  void TearDown() override {
    if (peer_) peer_->hang_up();
    if (pair_) {
      EXPECT_FALSE(pair_->world.failed());
    }
  }

  Resource& resource() { return static_cast<Program*>(pair_->n1.program())->resource; }
  const VolumeState& state() { return resource().volume(0)->state(); }
  bool wait_for(C connection, Duration limit = Duration::seconds(30)) {
    return pair_->world.run_until([&] { return state().connection == connection; }, limit);
  }

  bool exchange_features(std::uint32_t version_max = 101) {
    ConnectionFeatures mine;
    mine.version_min = 80;
    mine.version_max = version_max;
    mine.flags = features_offered;
    return pair_->run(peer_->exchange_features(mine, static_cast<int>(version_max)));
  }
  template <class Payload>
  void say(Packet command, const Payload& payload) {
    ASSERT_TRUE(pair_->run(peer_->say(data, command, payload))) << name(command);
  }
  // The next packet of this kind on the socket; others in between are skipped.
  ScriptedPeer::Said hear(Socket socket, Packet command) {
    for (;;) {
      ScriptedPeer::Said said = pair_->run(peer_->hear(socket));
      if (!said.there || said.header.command == command) return said;
    }
  }
  static ProtocolOptions options_of(const NetOptions& net) {
    ProtocolOptions mine;
    mine.protocol = static_cast<std::uint32_t>(net.protocol);
    mine.integrity_alg = net.data_integrity_alg;
    return mine;
  }
  static Sizes sizes_of(std::uint64_t sectors) {
    Sizes mine;
    mine.disk_sectors = sectors;
    mine.current_sectors = sectors;
    mine.max_bio_bytes = 1U << 20U;
    mine.queue_limits = QueueLimits();
    return mine;
  }
  static StateWord state_of(Role role, D disk) {
    VolumeState mine;
    mine.role = role;
    mine.connection = C::wf_connection;
    mine.disk = disk;
    return StateWord{pack(mine)};
  }
  // What a peer says of itself up to its first P_STATE.
  void introduce(std::uint64_t sectors, const Uuids& uuids, StateWord state) {
    ASSERT_TRUE(exchange_features());
    say(Packet::protocol, options_of(said_));
    std::array<std::byte, 256> parameters{};
    const std::size_t size = encode(SyncParam(), 101, Bytes(parameters));
    ASSERT_TRUE(pair_->run(
        peer_->say_payload(data, Packet::sync_param89, ConstBytes(parameters).first(size))));
    say(Packet::sizes, sizes_of(sectors));
    say(Packet::uuids, uuids);
    say(Packet::state, state);
  }
  void introduce_fresh_secondary() {
    Uuids fresh;
    fresh.current = 4;
    introduce(recorded_disk_bytes / 512, fresh, state_of(Role::secondary, D::inconsistent));
    ASSERT_TRUE(wait_for(C::connected));
  }

  std::unique_ptr<sim::TwoNodes> pair_;
  std::unique_ptr<ScriptedPeer> peer_;
  NetOptions said_;  // what the peer says of its own
};

// The data sockets of the first connection that was recorded: what each kernel said.
struct Recorded {
  WireStream connecting;
  WireStream accepting;
};

Recorded recorded(std::initializer_list<const char*> files) {
  testing_support::Capture capture;
  for (const char* file : files)
    EXPECT_TRUE(capture.add_file(std::string("tests/fixtures/wire/") + file)) << file;
  Recorded all;
  for (WireStream& stream : testing_support::wire_streams(capture.streams(), 101, 0xf)) {
    if (stream.socket == data)
      (stream.connected ? all.connecting : all.accepting) = std::move(stream);
  }
  return all;
}

// Options of a node that would have said this.
void options_said(const WireStream& stream, NetOptions& net, DiskOptions& disk) {
  for (const WirePacket& packet : stream.packets) {
    if (packet.header.command != Packet::sync_param89) continue;
    const Result<SyncParam> parameters = decode_sync_param(packet.payload, 101);
    ASSERT_TRUE(parameters);
    net.verify_alg = parameters->verify_alg;
    net.csums_alg = parameters->csums_alg;
    disk.resync_rate = parameters->resync_rate;
  }
}

TEST_F(ScriptedPeerTest, a_recorded_kernel_connects_with_us) {
  const Recorded said_then = recorded({"01-connect.pcap.gz"});
  const WireStream& kernel = said_then.connecting;
  const WireStream& other = said_then.accepting;
  ASSERT_GE(kernel.packets.size(), 7U);
  NetOptions options;
  DiskOptions disk;
  options_said(other, options, disk);
  start(recorded_disk_bytes, options, disk);
  ASSERT_TRUE(exchange_features());
  for (const WirePacket& packet : kernel.packets) {
    if (packet.version < 100) continue;  // said already
    ASSERT_TRUE(pair_->run(peer_->say_bytes(data, {packet.bytes.begin(), packet.bytes.end()})));
  }
  ASSERT_TRUE(wait_for(C::connected));
  EXPECT_EQ(name(state().peer_role), "Secondary");
  EXPECT_EQ(name(state().peer_disk), "Inconsistent");
  // We said what the other kernel said to it: the same packets, and the same content of those
  // that do not speak of the disk's make.
  for (const WirePacket& packet : other.packets) {
    if (packet.version < 100) continue;
    const ScriptedPeer::Said said = pair_->run(peer_->hear(data));
    ASSERT_TRUE(said.there);
    ASSERT_EQ(name(said.header.command), name(packet.header.command));
    ASSERT_EQ(said.payload.size(), packet.payload.size());
    const std::size_t compared = said.header.command == Packet::sizes ? 28 : said.payload.size();
    EXPECT_TRUE(std::equal(said.payload.begin(),
                           said.payload.begin() + static_cast<std::ptrdiff_t>(compared),
                           packet.payload.begin()))
        << name(said.header.command);
  }
}

// The recorded disk held zeroes; the same answers with other content prove more.
std::vector<std::byte> source_image() {
  std::vector<std::byte> image(4086 * block_bytes);
  std::uint64_t number = 1;
  for (std::size_t at = 0; at < image.size(); at += 8) {
    number = number * 6364136223846793005ULL + 1442695040888963407ULL;
    write_le64(image, at, number);
  }
  return image;
}

std::vector<std::byte> resync_reply(const ScriptedPeer::Said& asked, ConstBytes image) {
  const Result<BlockRequest> request = decode_block_request(asked.payload);
  EXPECT_TRUE(request);
  DataHeader header;
  header.sector = request->sector;
  header.block_id = request->block_id;
  const ConstBytes content = image.subspan(to_bytes(request->sector).value(), request->bytes);
  std::vector<std::byte> reply(data_header_bytes + content.size());
  encode(header, Bytes(reply).first(data_header_bytes));
  std::ranges::copy(content, reply.begin() + data_header_bytes);
  return reply;
}

Task<void> serve_resync(ScriptedPeer& peer, const std::vector<std::byte>& image) {
  for (;;) {
    const ScriptedPeer::Said asked = co_await peer.hear(data);
    if (!asked.there) co_return;
    if (asked.header.command != Packet::rs_data_request) continue;
    const std::vector<std::byte> reply = resync_reply(asked, image);
    const ConstBytes payload(reply);
    const bool sent = co_await peer.say_payload(data, Packet::rs_data_reply, payload);
    if (!sent) co_return;
  }
}

Task<void> answer_pings(ScriptedPeer& peer, std::size_t& acked) {
  const ConstBytes nothing;
  for (;;) {
    const ScriptedPeer::Said said = co_await peer.hear(meta);
    if (!said.there) co_return;
    if (said.header.command == Packet::rs_write_ack) acked += decode_block_ack(said.payload)->bytes;
    if (said.header.command != Packet::ping) continue;
    const bool sent = co_await peer.say_payload(meta, Packet::ping_ack, nothing);
    if (!sent) co_return;
  }
}

TEST_F(ScriptedPeerTest, a_recorded_kernel_is_made_primary_and_fills_our_disk) {
  const Recorded said_then = recorded({"01-connect.pcap.gz", "02-primary-force-full-sync.pcap.gz"});
  const WireStream& kernel = said_then.accepting;
  NetOptions options;
  DiskOptions disk;
  options_said(said_then.connecting, options, disk);
  start(recorded_disk_bytes, options, disk);
  ASSERT_TRUE(exchange_features());
  std::uint64_t generation = 0;
  for (const WirePacket& packet : kernel.packets) {
    // Its answers follow our questions, which are not those of the node that it spoke with.
    if (packet.version < 100 || packet.header.command == Packet::rs_data_reply) continue;
    ASSERT_TRUE(pair_->run(peer_->say_bytes(data, {packet.bytes.begin(), packet.bytes.end()})));
    if (packet.header.command == Packet::uuids) generation = decode_uuids(packet.payload)->current;
  }
  const std::vector<std::byte> image = source_image();
  std::size_t acked = 0;
  {
    Task<void> source = serve_resync(*peer_, image);
    Task<void> pings = answer_pings(*peer_, acked);
    source.start();
    pings.start();
    EXPECT_TRUE(wait_for(C::sync_target));
    EXPECT_TRUE(wait_for(C::connected));
  }
  EXPECT_EQ(name(state().disk), "UpToDate");
  EXPECT_EQ(name(state().peer_disk), "UpToDate");
  EXPECT_EQ(name(state().peer_role), "Primary");
  EXPECT_EQ(acked, image.size());
  EXPECT_EQ(resource().volume(0)->out_of_sync_blocks(), 0U);
  const GenerationSet& own = resource().volume(0)->backing()->superblock().generations;
  EXPECT_TRUE(same_generation(own.current, generation));
  EXPECT_EQ(own.bitmap, 0U);
  std::vector<std::byte> ours(image.size());
  pair_->n1.disk().image().read(ByteOffset(0), ours);
  EXPECT_TRUE(ours == image);
}

TEST_F(ScriptedPeerTest, a_peer_that_knows_only_old_versions_is_left_alone) {
  start(recorded_disk_bytes, NetOptions());
  pair_->world.expect_error("incompatible DRBD dialects");
  static_cast<void>(exchange_features(85));  // it may hang up before its own are on their way
  EXPECT_TRUE(wait_for(C::stand_alone));
}

TEST_F(ScriptedPeerTest, options_announced_again_unchanged_are_accepted) {
  start(recorded_disk_bytes, NetOptions());
  introduce_fresh_secondary();
  say(Packet::protocol_update, options_of(NetOptions()));
  ASSERT_TRUE(pair_->run(peer_->say_payload(meta, Packet::ping, ConstBytes())));
  EXPECT_TRUE(hear(meta, Packet::ping_ack).there);
  EXPECT_FALSE(wait_for(C::wf_connection, Duration::seconds(2)));
}

TEST_F(ScriptedPeerTest, options_changed_while_connected_need_a_new_handshake) {
  start(recorded_disk_bytes, NetOptions());
  introduce_fresh_secondary();
  ProtocolOptions changed = options_of(NetOptions());
  changed.protocol = 1;
  say(Packet::protocol_update, changed);
  EXPECT_TRUE(wait_for(C::wf_connection, Duration::seconds(5)));  // before any ping is due
}

TEST_F(ScriptedPeerTest, a_lost_link_is_looked_for_again_at_once) {
  start(recorded_disk_bytes, NetOptions());
  introduce_fresh_secondary();
  peer_->hang_up();
  EXPECT_TRUE(wait_for(C::wf_connection, Duration::milliseconds(100)));
}

// A kernel that sees its meta socket end drops the data socket with everything on it.
TEST_F(ScriptedPeerTest, a_peer_that_we_leave_can_read_what_we_said) {
  start(recorded_disk_bytes, NetOptions());
  pair_->world.expect_error("going StandAlone");
  ASSERT_TRUE(exchange_features());
  ProtocolOptions other = options_of(NetOptions());
  other.protocol = 1;
  say(Packet::protocol, other);
  EXPECT_TRUE(hear(data, Packet::state).there);
  EXPECT_FALSE(pair_->run(peer_->hear(data)).there);
  EXPECT_EQ(name(state().connection), "Disconnecting");
  const Instant data_ended = pair_->world.now();
  while (pair_->run(peer_->hear(meta)).there)
    continue;
  EXPECT_GE(pair_->world.now() - data_ended, Duration::milliseconds(400));
  EXPECT_TRUE(wait_for(C::stand_alone, Duration::milliseconds(100)));
}

TEST_F(ScriptedPeerTest, verify_without_an_algorithm_is_refused_and_the_connection_stays) {
  start(recorded_disk_bytes, NetOptions());
  introduce_fresh_secondary();
  say(Packet::state_chg_req, StateChangeRequest{0x1f0, 0x120});
  const ScriptedPeer::Said reply = hear(meta, Packet::state_chg_reply);
  ASSERT_TRUE(reply.there);
  EXPECT_EQ(decode_state_change_reply(reply.payload)->code, -14);
  EXPECT_EQ(name(state().connection), "Connected");
}

// D7: what was damaged on its way is not written.
TEST_F(ScriptedPeerTest, data_that_does_not_fit_its_digest_drops_the_connection) {
  said_.data_integrity_alg = "crc32c";
  for (const bool damaged : {false, true}) {
    start(recorded_disk_bytes, said_);
    if (damaged) pair_->world.expect_error("Digest integrity check FAILED: 8s +4096");
    Uuids theirs;
    theirs.current = 0x123456789abcdef1ULL;
    introduce(recorded_disk_bytes / 512 / 2, theirs, state_of(Role::primary, D::up_to_date));
    ASSERT_TRUE(wait_for(C::wf_bitmap_t));
    DataHeader header;
    header.sector = Sector(8);
    header.flags = dp_send_write_ack;
    std::vector<std::byte> payload(data_header_bytes);
    encode(header, payload);
    std::vector<std::byte> content(4096, std::byte{0x5a});
    payload.resize(data_header_bytes + 4);
    BlockDigest::make("crc32c")->compute(content, Bytes(payload).subspan(data_header_bytes));
    if (damaged) content[1000] ^= std::byte{4};
    payload.insert(payload.end(), content.begin(), content.end());
    ASSERT_TRUE(pair_->run(peer_->say_payload(data, Packet::data, payload)));
    if (damaged) {
      EXPECT_TRUE(wait_for(C::wf_connection, Duration::seconds(5)));
    } else {
      EXPECT_TRUE(hear(meta, Packet::write_ack).there);
    }
    std::vector<std::byte> ours(4096);
    pair_->n1.disk().image().read(ByteOffset(4096), ours);
    EXPECT_EQ(ours[0] == std::byte{0x5a}, !damaged);
    peer_->hang_up();
    peer_.reset();
  }
}

// P1: between two packets of its bitmap the peer's disk changes its size.
TEST_F(ScriptedPeerTest, a_size_that_changes_during_the_bitmap_exchange_ends_the_connection) {
  constexpr std::uint64_t small_sectors = (192ULL << 20U) / 512;
  constexpr std::uint64_t large_sectors = 2 * small_sectors;
  start(256ULL << 20U, NetOptions());
  Uuids theirs;
  theirs.current = 0x123456789abcdef1ULL;
  theirs.bitmap = 4;
  introduce(small_sectors, theirs, state_of(Role::primary, D::up_to_date));
  ASSERT_TRUE(wait_for(C::wf_bitmap_t));
  const std::vector<std::byte> chunk(4080, std::byte{0xff});
  ASSERT_TRUE(pair_->run(peer_->say_payload(data, Packet::bitmap, chunk)));
  say(Packet::sizes, sizes_of(large_sectors));
  ASSERT_TRUE(pair_->run(peer_->say_payload(data, Packet::bitmap, chunk)));
  EXPECT_TRUE(wait_for(C::wf_connection, Duration::seconds(5)));  // before any ping is due
}

// P2: each byte comes in time, and the packet does not.
TEST_F(ScriptedPeerTest, a_peer_that_trickles_its_features_is_not_waited_for) {
  start(recorded_disk_bytes, NetOptions());
  const ScriptedPeer::Said ours = pair_->run(peer_->hear(data));
  ASSERT_EQ(name(ours.header.command), "P_CONNECTION_FEATURES");
  const std::array<std::byte, 4> begin = {std::byte{0x83}, std::byte{0x74}, std::byte{0x02},
                                          std::byte{0x67}};
  const Instant from = pair_->world.now();
  for (const std::byte byte : begin) {
    static_cast<void>(pair_->run(peer_->say_bytes(data, {byte})));
    pair_->world.run_for(Duration::milliseconds(900));
  }
  EXPECT_FALSE(pair_->run(peer_->hear(data)).there);
  EXPECT_LT(pair_->world.now() - from, Duration::seconds(5));
}

}  // namespace
}  // namespace replicator
