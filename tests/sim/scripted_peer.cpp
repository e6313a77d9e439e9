#include "tests/sim/scripted_peer.hpp"

#include <utility>

namespace replicator::sim {

namespace {
constexpr Duration patience = Duration::seconds(30);
}  // namespace

std::vector<std::byte> ScriptedPeer::packet(Packet command, ConstBytes payload) const {
  std::vector<std::byte> bytes(header_bytes(version_));
  PacketHeader header;
  header.command = command;
  header.length = static_cast<std::uint32_t>(payload.size());
  encode_header(bytes, version_, header);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

Task<bool> ScriptedPeer::connect_one(Packet kind, std::unique_ptr<io::Stream>& stream) {
  const io::SocketOptions options;
  io::Op op;
  node_.io().network.connect(op, node_.address(0), other_, options, stream, patience);
  const std::int32_t connected = co_await op;
  if (connected < 0) co_return false;
  const std::vector<std::byte> first = packet(kind, ConstBytes());
  const io::IoSlice slice{first.data(), first.size()};
  const std::span<const io::IoSlice> slices(&slice, 1);
  io::Op sending;
  stream->send(sending, slices, patience);
  const std::int32_t sent = co_await sending;
  co_return sent >= 0;
}

Task<bool> ScriptedPeer::connect() {
  version_ = protocol_version_before_features;
  const bool data = co_await connect_one(Packet::initial_data, data_);
  if (!data) co_return false;
  co_return co_await connect_one(Packet::initial_meta, meta_);
}

Task<bool> ScriptedPeer::say_bytes(Socket socket, std::vector<std::byte> bytes) {
  const io::IoSlice slice{bytes.data(), bytes.size()};
  const std::span<const io::IoSlice> slices(&slice, 1);
  io::Op op;
  stream(socket)->send(op, slices, patience);
  const std::int32_t sent = co_await op;
  co_return sent >= 0;
}

Task<bool> ScriptedPeer::read_exactly(io::Stream* stream, Bytes into) {
  std::size_t got = 0;
  while (got < into.size()) {
    const Bytes rest = into.subspan(got);
    io::Op op;
    stream->receive(op, rest, patience);
    const std::int32_t result = co_await op;
    if (result <= 0) co_return false;
    got += static_cast<std::size_t>(result);
  }
  co_return true;
}

Task<ScriptedPeer::Said> ScriptedPeer::hear(Socket socket) {
  Said said;
  std::array<std::byte, 16> head{};
  const Bytes wanted = Bytes(head).first(header_bytes(version_));
  io::Stream* from = stream(socket);
  const bool begun = co_await read_exactly(from, wanted);
  if (!begun) co_return said;
  const Result<PacketHeader> header = decode_header(wanted, version_);
  if (!header) co_return said;
  said.header = *header;
  said.payload.resize(header->length);
  const Bytes payload(said.payload);
  const bool whole = co_await read_exactly(from, payload);
  said.there = whole;
  co_return said;
}

Task<bool> ScriptedPeer::exchange_features(ConnectionFeatures mine, int version) {
  const bool said = co_await say(Socket::data, Packet::connection_features, mine);
  if (!said) co_return false;
  const Said theirs = co_await hear(Socket::data);
  version_ = version;
  co_return theirs.there&& theirs.header.command == Packet::connection_features;
}

void ScriptedPeer::hang_up() noexcept {
  data_.reset();
  meta_.reset();
}

}  // namespace replicator::sim
