#include "engine/flow/establish.hpp"

#include <array>
#include <cerrno>

#include "base/log.hpp"
#include "protocol/header.hpp"

namespace replicator {

namespace {
constexpr int before_features = 80;  // both sides assume protocol 80 until features were exchanged
constexpr std::size_t first_packet_bytes = 8;
constexpr Duration failure_pause = Duration::seconds(1);
}  // namespace

Establisher::Establisher(io::World& world, const PeerConfig& peer, const NetOptions& options)
    : world_(world), peer_(peer), options_(options), prng_(world.entropy.next64()) {}

void Establisher::stop() noexcept {
  stopped_ = true;
  if (listener_) listener_->close();
  if (connecting_ != nullptr) world_.network.cancel(*connecting_);
  if (sleeping_ != nullptr) world_.clock.wake(*sleeping_);
  if (sockets_.data) sockets_.data->shutdown();
  if (sockets_.meta) sockets_.meta->shutdown();
}

Duration Establisher::jittered(Duration base) noexcept {
  const Duration seventh = base / 7;
  return coin() ? base + seventh : base - seventh;
}

Status Establisher::listen() {
  io::SocketOptions socket_options;
  socket_options.send_buffer_bytes = options_.send_buffer_bytes;
  socket_options.receive_buffer_bytes = options_.receive_buffer_bytes;
  Result<std::unique_ptr<io::Listener>> listening =
      world_.network.listen(peer_.local, socket_options);
  if (!listening) return listening.error();
  listener_ = std::move(*listening);
  return Status();
}

Task<Result<SocketPair>> Establisher::run() {
  if (!listener_) {
    const Status listening = listen();
    if (!listening.ok()) co_return tl::unexpected<Status>(listening);
  }
  while (!stopped_) {
    co_await try_connect();
    if (stopped_) break;
    const bool up = co_await both_ok();
    if (up) co_return std::move(sockets_);
    bool again = true;
    while (again && !stopped_)
      again = co_await try_accept();
    if (stopped_) break;
    const bool up_now = co_await both_ok();
    if (up_now) co_return std::move(sockets_);
  }
  co_return failure(Fault::canceled, "connect");
}

Task<void> Establisher::try_connect() {
  io::SocketOptions socket_options;
  socket_options.send_buffer_bytes = options_.send_buffer_bytes;
  socket_options.receive_buffer_bytes = options_.receive_buffer_bytes;
  std::unique_ptr<io::Stream> stream;
  const Duration patience = Duration::seconds(options_.connect_interval_seconds);
  io::Op op;
  connecting_ = &op;
  world_.network.connect(op, peer_.local, peer_.peer, socket_options, stream, patience);
  const std::int32_t result = co_await op;
  connecting_ = nullptr;
  connect_error_ = result < 0 ? -result : 0;
  if (result < 0) ++failed_attempts_;
  if (result < 0 || stopped_) co_return;
  // Between the attempt and its success the peer may have reached us with the same kind; the first
  // kind that is missing is what this socket becomes.
  if (!sockets_.data) {
    const bool sent = co_await announce(*stream, Packet::initial_data);
    if (!sent) co_return;
    sockets_.data_accepted = false;
    sockets_.data = std::move(stream);
  } else if (!sockets_.meta) {
    const bool sent = co_await announce(*stream, Packet::initial_meta);
    if (!sent) co_return;
    sockets_.resolve_conflicts = false;
    sockets_.meta = std::move(stream);
  }
}

Task<bool> Establisher::announce(io::Stream& stream, Packet kind) {
  std::array<std::byte, first_packet_bytes> head{};
  PacketHeader header;
  header.command = kind;
  header.volume = 0;
  header.length = 0;
  encode_header(head, before_features, header);
  const io::IoSlice slice{head.data(), head.size()};
  const std::span<const io::IoSlice> slices(&slice, 1);
  io::Op op;
  stream.send(op, slices, Duration::tenths(4 * std::int64_t{options_.ping_timeout_tenths}));
  const std::int32_t result = co_await op;
  co_return result >= 0;
}

Task<Establisher::Kind> Establisher::first_packet(io::Stream& stream) {
  std::array<std::byte, first_packet_bytes> head{};
  // For all of it: who sends byte by byte must not keep others waiting.
  const Instant deadline =
      world_.clock.now() + Duration::tenths(4 * std::int64_t{options_.ping_timeout_tenths});
  std::size_t got = 0;
  while (got < head.size()) {
    io::Op op;
    const Bytes rest = Bytes(head).subspan(got);
    const Duration patience = deadline - world_.clock.now();
    if (patience <= Duration()) co_return Kind::none;
    stream.receive(op, rest, patience);
    const std::int32_t result = co_await op;
    if (result <= 0) co_return Kind::none;
    got += static_cast<std::size_t>(result);
  }
  const Result<PacketHeader> header = decode_header(head, before_features);
  if (!header || header->length != 0) co_return Kind::none;
  if (header->command == Packet::initial_data) co_return Kind::data;
  if (header->command == Packet::initial_meta) co_return Kind::meta;
  co_return Kind::none;
}

Task<bool> Establisher::try_accept() {
  const Duration patience = jittered(Duration::seconds(options_.connect_interval_seconds));
  std::unique_ptr<io::Stream> stream;
  io::Op op;
  listener_->accept(op, stream, patience);
  const std::int32_t result = co_await op;
  if (result < 0) {
    const bool in_order = result == -ETIMEDOUT || result == -ECANCELED;
    if (!in_order) co_await wait_after_failure();
    co_return false;
  }
  if (stream->peer().host != peer_.peer.host) {
    log::warning("{}: refused a connection from {}, expected {}", io::text(peer_.local),
                 io::text(stream->peer()), io::host_text(peer_.peer));
    co_return true;
  }
  const Kind kind = co_await first_packet(*stream);
  drop_dead();
  if (stopped_) co_return false;
  if (kind == Kind::none) co_return coin();
  std::unique_ptr<io::Stream>& slot = kind == Kind::data ? sockets_.data : sockets_.meta;
  if (kind == Kind::meta) sockets_.resolve_conflicts = true;
  else sockets_.data_accepted = true;
  const bool crossed = static_cast<bool>(slot);
  slot = std::move(stream);
  if (crossed) log::debug("{}: initial packet crossed", io::text(peer_.local));
  co_return crossed&& coin();
}

// Descriptors may be short, and a connect that fails at once takes no time either: trying all the
// time would help nobody.
Task<void> Establisher::wait_after_failure() {
  if (stopped_) co_return;
  io::Op op;
  sleeping_ = &op;
  world_.clock.sleep(op, failure_pause);
  co_await op;
  sleeping_ = nullptr;
}

void Establisher::drop_dead() noexcept {
  if (sockets_.data && !sockets_.data->alive()) sockets_.data.reset();
  if (sockets_.meta && !sockets_.meta->alive()) sockets_.meta.reset();
}

Task<bool> Establisher::both_ok() {
  if (!sockets_.data || !sockets_.meta) co_return false;
  const std::uint32_t tenths = options_.socket_check_timeout_tenths != 0
                                   ? options_.socket_check_timeout_tenths
                                   : options_.ping_timeout_tenths;
  io::Op op;
  sleeping_ = &op;
  world_.clock.sleep(op, Duration::tenths(tenths));
  co_await op;
  sleeping_ = nullptr;
  if (stopped_) co_return false;
  drop_dead();
  co_return sockets_.data&& sockets_.meta;
}

}  // namespace replicator
