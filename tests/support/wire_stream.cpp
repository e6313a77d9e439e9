#include "tests/support/wire_stream.hpp"

#include <algorithm>

#include "protocol/validate.hpp"
#include "tests/support/packet_round_trip.hpp"

namespace replicator::testing_support {

namespace {

constexpr int before = protocol_version_before_features;

bool initial(Packet command) {
  return command == Packet::initial_data || command == Packet::initial_meta;
}

// The other direction of the same connection, if any of it was seen.
const CapturedStream* reverse(const std::vector<CapturedStream>& all, std::size_t index) {
  const CapturedStream& stream = all[index];
  const CapturedStream* nearest = nullptr;
  std::size_t distance = all.size() + 1;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::size_t away = i > index ? i - index : index - i;
    if (all[i].from == stream.to && all[i].to == stream.from && away < distance) {
      nearest = &all[i];
      distance = away;
    }
  }
  return nearest;
}

Result<PacketHeader> first_header(const CapturedStream* stream, int version) {
  if (stream == nullptr) return failure(Fault::protocol_error, "no stream");
  return decode_header(stream->bytes, version);
}

// By the packet that the connecting side sends first; in the middle of a connection by what travels
// there.
Socket socket_of(const CapturedStream& stream, const CapturedStream* other, int agreed_version) {
  for (const CapturedStream* end : {&stream, other}) {
    const Result<PacketHeader> header = first_header(end, before);
    if (header && initial(header->command)) {
      return header->command == Packet::initial_meta ? Socket::meta : Socket::data;
    }
  }
  const Result<PacketHeader> header = first_header(&stream, agreed_version);
  return header && belongs_to(Socket::meta, header->command) ? Socket::meta : Socket::data;
}

class Splitter {
 public:
  Splitter(WireStream& stream, int agreed_version, std::uint32_t features)
      : stream_(stream),
        rest_(stream.captured.bytes),
        agreed_(agreed_version),
        features_(features) {}

  void run() {
    const Result<PacketHeader> first = decode_header(rest_, before);
    stream_.connected = first && initial(first->command);
    if (stream_.connected) take(before);
    // Features travel before anything is agreed upon.
    if (stream_.captured.from_start && stream_.socket == Socket::data && !rest_.empty()) {
      take(before);
    }
    while (!rest_.empty() && stream_.fault.empty())
      take(agreed_);
  }

 private:
  void take(int version) {
    const Result<PacketHeader> header = decode_header(rest_, version);
    if (!header) return stop(header.error().where());
    const std::size_t head = header_bytes(version);
    if (!initial(header->command)) {
      const Status length =
          check_length(header->command, stream_.socket, header->length, version, features_);
      if (!length.ok()) return stop(length.where());
    } else if (header->length != 0) {
      return stop("first packet with a payload");
    }
    if (rest_.size() - head < header->length) {
      stream_.unfinished = rest_.size();
      rest_ = ConstBytes();
      return;
    }
    stream_.packets.push_back(WirePacket{*header, version, rest_.first(head + header->length),
                                         rest_.subspan(head, header->length)});
    rest_ = rest_.subspan(head + header->length);
  }

  void stop(const std::string& why) {
    stream_.fault =
        why + " at byte " + std::to_string(stream_.captured.bytes.size() - rest_.size());
  }

  WireStream& stream_;
  ConstBytes rest_;
  int agreed_;
  std::uint32_t features_;
};

}  // namespace

std::vector<WireStream> wire_streams(std::vector<CapturedStream> captured, int agreed_version,
                                     std::uint32_t features) {
  std::vector<WireStream> streams;
  std::vector<Socket> sockets;
  for (std::size_t i = 0; i < captured.size(); ++i)
    sockets.push_back(socket_of(captured[i], reverse(captured, i), agreed_version));
  for (std::size_t i = 0; i < captured.size(); ++i) {
    if (captured[i].bytes.empty()) continue;
    WireStream stream;
    stream.captured = std::move(captured[i]);
    stream.socket = sockets[i];
    streams.push_back(std::move(stream));
  }
  for (WireStream& stream : streams)
    Splitter(stream, agreed_version, features).run();
  return streams;
}

}  // namespace replicator::testing_support
