#include "ha/membership/flow.hpp"

#include <cerrno>
#include <utility>

#include "base/bytes.hpp"

namespace ha::membership {

namespace io = replicator::io;
using replicator::Task;

namespace {

// Tells our echoes from those of other programs.
constexpr std::uint16_t echo_identifier = 0x5058;
// After an error of a socket, as when its interface goes away: not a busy loop.
constexpr Duration error_pause = Duration::milliseconds(100);

std::uint16_t internet_checksum(ConstBytes bytes) {
  std::uint32_t sum = 0;
  for (std::size_t at = 0; at + 1 < bytes.size(); at += 2)
    sum += replicator::read_be16(bytes, at);
  while (sum > 0xffffU)
    sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

ConstBytes bytes_of(const std::string& text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

}  // namespace

std::vector<std::byte> echo_request(std::uint16_t identifier, std::uint16_t sequence) {
  std::vector<std::byte> packet(16);
  packet[0] = std::byte{8};
  replicator::write_be16(packet, 4, identifier);
  replicator::write_be16(packet, 6, sequence);
  replicator::write_be16(packet, 2, internet_checksum(packet));
  return packet;
}

bool echo_reply(ConstBytes packet, std::uint16_t identifier) {
  if (packet.empty()) return false;
  const std::size_t header = (std::to_integer<std::size_t>(packet[0]) & 0x0fU) * 4;
  if (header < 20 || packet.size() < header + 8) return false;
  const ConstBytes icmp = packet.subspan(header);
  return icmp[0] == std::byte{0} && icmp[1] == std::byte{0} &&
         replicator::read_be16(icmp, 4) == identifier;
}

Flow::Flow(io::Clock& clock, io::DatagramNetwork& network, Membership& membership,
           Observer observer)
    : clock_(clock), network_(network), membership_(membership), observer_(std::move(observer)) {}

Status Flow::open_path(std::vector<std::unique_ptr<Path>>& paths, std::size_t index,
                       const io::DatagramPath& path) {
  Result<std::unique_ptr<io::DatagramSocket>> socket = network_.open(path);
  if (!socket) {
    failed_ = path.interface.empty() ? io::host_text(path.to) : path.interface;
    return socket.error();
  }
  auto opened = std::make_unique<Path>();
  opened->index = index;
  opened->socket = std::move(*socket);
  paths.push_back(std::move(opened));
  return Status();
}

Status Flow::open(const std::vector<LinkPlan>& links, const std::vector<PingPlan>& pings) {
  for (const LinkPlan& link : links) {
    const Status opened = open_path(links_, link.link, link.path);
    if (!opened.ok()) return opened;
  }
  for (const PingPlan& ping : pings) {
    const Status opened = open_path(pings_, ping.node, ping.path);
    if (!opened.ok()) return opened;
  }
  return Status();
}

void Flow::start() {
  membership_.start(clock_.now());
  flush();
  for (const std::unique_ptr<Path>& path : links_)
    tasks_.start(receive(*path));
  for (const std::unique_ptr<Path>& path : pings_)
    tasks_.start(receive_echo(*path));
  if (!pings_.empty()) tasks_.start(send_echoes());
  tasks_.start(follow_clock());
}

void Flow::transmit(const std::string& packet) {
  for (const std::unique_ptr<Path>& path : links_)
    static_cast<void>(path->socket->send(bytes_of(packet)));
}

// The observer may ask for more, which is said in the next round of the same call.
void Flow::flush() {
  if (flushing_) return;
  flushing_ = true;
  for (;;) {
    Effects effects = membership_.take_effects();
    for (const std::string& packet : effects.packets)
      transmit(packet);
    const bool quiet = effects.packets.empty() && effects.messages.empty() &&
                       effects.events.empty() && effects.log.empty();
    if (quiet) break;
    observer_(std::move(effects));
  }
  flushing_ = false;
  if (sleeping_ != nullptr) clock_.wake(*sleeping_);
}

Task<void> Flow::rest(Duration duration) {
  if (stopping_) co_return;
  io::Op op;
  resting_.push_back(&op);
  clock_.sleep(op, duration);
  co_await op;
  std::erase(resting_, &op);
}

Task<void> Flow::receive(Path& path) {
  while (!stopping_) {
    io::Op op;
    path.socket->receive(op, path.buffer);
    const std::int32_t size = co_await op;
    if (stopping_) break;
    if (size < 0) {
      co_await rest(error_pause);
      continue;
    }
    const std::string_view packet(reinterpret_cast<const char*>(path.buffer.data()),
                                  static_cast<std::size_t>(size));
    membership_.receive(path.index, packet, clock_.now());
    flush();
  }
}

Task<void> Flow::receive_echo(Path& path) {
  while (!stopping_) {
    io::Op op;
    path.socket->receive(op, path.buffer);
    const std::int32_t size = co_await op;
    if (stopping_) break;
    if (size < 0) {
      co_await rest(error_pause);
      continue;
    }
    const ConstBytes packet = ConstBytes(path.buffer).first(static_cast<std::size_t>(size));
    if (!echo_reply(packet, echo_identifier)) continue;
    membership_.ping_answered(path.index, clock_.now());
    flush();
  }
}

Task<void> Flow::send_echoes() {
  while (!stopping_) {
    for (const std::unique_ptr<Path>& path : pings_)
      static_cast<void>(path->socket->send(echo_request(echo_identifier, ++path->echo_sequence)));
    const Duration pause = membership_.config().keepalive;
    co_await rest(pause);
  }
}

Task<void> Flow::follow_clock() {
  while (!stopping_) {
    if (clock_.now() >= membership_.next_tick()) {
      membership_.tick(clock_.now());
      flush();
      continue;
    }
    io::Op op;
    sleeping_ = &op;
    clock_.sleep_until(op, membership_.next_tick());
    co_await op;
    sleeping_ = nullptr;
  }
}

Task<void> Flow::stop() {
  stopping_ = true;
  for (const std::unique_ptr<Path>& path : links_)
    path->socket->close();
  for (const std::unique_ptr<Path>& path : pings_)
    path->socket->close();
  for (io::Op* op : resting_)
    clock_.wake(*op);
  if (sleeping_ != nullptr) clock_.wake(*sleeping_);
  co_await tasks_.close();
}

}  // namespace ha::membership
