// The membership over real (or simulated) links: one loop for each link that receives, one that
// follows the clock, and everything that the state machine has to say goes out or to the observer.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ha/membership/membership.hpp"
#include "io/datagram.hpp"
#include "io/io.hpp"
#include "io/sync.hpp"

namespace ha::membership {

struct LinkPlan {
  std::size_t link = 0;  // index in the membership's links; several paths may share one
  replicator::io::DatagramPath path;
};

struct PingPlan {
  std::size_t node = 0;  // index in the membership's ping nodes; a group has several
  replicator::io::DatagramPath path;
};

class Flow {
 public:
  // Called with what others said and what happened; it may send through the membership, and what
  // that has to say goes out before the call to flush() that led here returns.
  using Observer = std::function<void(Effects)>;

  Flow(replicator::io::Clock& clock, replicator::io::DatagramNetwork& network,
       Membership& membership, Observer observer);
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

  // Fault of the first path that can't be opened; failed_path() names it.
  Status open(const std::vector<LinkPlan>& links, const std::vector<PingPlan>& pings);
  [[nodiscard]] const std::string& failed_path() const noexcept { return failed_; }

  // Begins; the tasks live in this object's gate.
  void start();
  // To be called after anything was asked of the membership from outside.
  void flush();
  // Nothing is sent or received any more when it is done.
  replicator::Task<void> stop();

 private:
  struct Path {
    std::size_t index = 0;
    std::unique_ptr<replicator::io::DatagramSocket> socket;
    std::array<std::byte, max_packet_bytes> buffer{};
    std::uint16_t echo_sequence = 0;
  };

  Status open_path(std::vector<std::unique_ptr<Path>>& paths, std::size_t index,
                   const replicator::io::DatagramPath& path);
  void transmit(const std::string& packet);
  replicator::Task<void> receive(Path& path);
  replicator::Task<void> receive_echo(Path& path);
  replicator::Task<void> send_echoes();
  replicator::Task<void> follow_clock();
  replicator::Task<void> rest(Duration duration);

  replicator::io::Clock& clock_;
  replicator::io::DatagramNetwork& network_;
  Membership& membership_;
  Observer observer_;
  std::vector<std::unique_ptr<Path>> links_;
  std::vector<std::unique_ptr<Path>> pings_;
  std::string failed_;
  bool stopping_ = false;
  bool flushing_ = false;
  replicator::io::Op* sleeping_ = nullptr;
  std::vector<replicator::io::Op*> resting_;
  replicator::io::Gate tasks_;
};

// ICMP echo, as bytes.
std::vector<std::byte> echo_request(std::uint16_t identifier, std::uint16_t sequence);
// Of a received packet with its IP header: the identifier of an echo reply.
bool echo_reply(ConstBytes packet, std::uint16_t identifier);

}  // namespace ha::membership
