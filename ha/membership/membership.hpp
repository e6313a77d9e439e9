// The membership of one node: who is there, over which links, and messages to all of them, reliable
// and in order, in heartbeat 3's format. A pure state machine: packets, times and orders go in;
// packets, messages, events and log lines come out (take_effects()).
//   H15  forged and replayed packets are refused; a pause of this program makes it doubt itself
//   H16  a node is there while one of its links is; with a lease, whoever is not heard by it either
//        takes it for dead as well
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ha/membership/authentication.hpp"
#include "ha/membership/diagnostic.hpp"
#include "ha/membership/lease.hpp"
#include "ha/membership/sequence.hpp"
#include "ha/membership/watch.hpp"

namespace ha::membership {

struct MembershipConfig {
  std::string own_name;
  std::string own_uuid;            // 16 bytes
  std::vector<std::string> nodes;  // this one included
  std::vector<std::string> links;
  // Pseudo nodes that answer pings; they have no messages.
  std::vector<std::string> ping_nodes;
  Duration keepalive;
  Duration warntime;
  Duration deadtime;
  Duration initdead;
  Duration deadping;
  std::uint32_t hopfudge = 1;
  Duration request_delay = Duration::milliseconds(50);  // the original draws 50 to 250 ms
  std::uint64_t generation = 1;
  bool log_bad_packets = true;
  // Counts for quorum and never holds resources.
  bool voter = false;
  // Each says whom it hears, and what it was last told by it; zero: no lease, nothing is said.
  Duration lease;
};

// For people who read packets; nothing is decided by it.
struct Stamp {
  std::uint64_t seconds = 0;
  std::string load;
};

enum class NodeStatus : std::uint8_t { init, up, active, dead, ping };
const char* text(NodeStatus status) noexcept;

enum class EventKind : std::uint8_t {
  communication_up,  // every node was heard or is known to be dead
  node_status,
  node_died,
  node_restarted,  // a higher generation
  returned,        // declared dead, but it was not: a partition healed, or it was paused
  link_up,
  link_dead,
  was_paused,  // this program did not run for longer than deadtime
};

struct Event {
  EventKind kind;
  std::string node;
  std::string link = {};
  NodeStatus status = NodeStatus::init;
  bool left = false;  // node_died: it had said goodbye

  bool operator==(const Event&) const = default;
};

struct LogLine {
  Severity severity = Severity::info;
  std::string text;
};

struct Effects {
  std::vector<std::string> packets;  // each goes out over every link
  std::vector<Message> messages;     // from others, in the order of each sender
  std::vector<Event> events;
  std::vector<LogLine> log;
};

class Membership {
 public:
  Membership(MembershipConfig config, AuthKeys keys, std::function<Stamp()> stamp);

  void start(Instant now);
  void receive(std::size_t link, std::string_view packet, Instant now);
  void ping_answered(std::size_t ping_node, Instant now);
  void tick(Instant now);
  [[nodiscard]] Instant next_tick() const noexcept;

  // To all nodes, over all links, repeated for who missed it. False when it is too large.
  bool send(Message message, Instant now);
  void set_keys(AuthKeys keys) { keys_ = std::move(keys); }
  // After a partition, or a pause: everybody takes this node for restarted.
  void begin_generation(std::uint64_t generation, Instant now);
  // No more status messages that say that this node is there.
  void leave(Instant now);
  // What goes out with each status; `lost` is filled in here.
  void say(Statement statement, Instant now);

  [[nodiscard]] Effects take_effects();

  [[nodiscard]] const MembershipConfig& config() const noexcept { return config_; }
  [[nodiscard]] std::uint64_t generation() const noexcept { return config_.generation; }
  [[nodiscard]] bool communication_up() const noexcept { return communication_up_; }
  // Fault: no such node.
  [[nodiscard]] Result<NodeStatus> status(std::string_view node) const;
  [[nodiscard]] Result<bool> link_up(std::string_view node, std::string_view link) const;
  [[nodiscard]] bool ever_heard(std::string_view node) const;
  // It said that it counts for quorum only.
  [[nodiscard]] bool is_voter(std::string_view node) const;
  // No other node that may hold resources is there.
  [[nodiscard]] bool no_partner() const;
  // This node and those that are not dead.
  [[nodiscard]] std::vector<std::string> present() const;
  [[nodiscard]] std::size_t ping_nodes_alive() const;
  [[nodiscard]] LeaseView lease_view() const;

 private:
  struct Peer {
    Peer(std::size_t links, Instant started) : watch(links, started), highest_of_link(links) {}
    NodeWatch watch;
    Receiver receiver;
    NodeStatus status = NodeStatus::init;
    Duration deadtime;  // what it says of itself
    bool left = false;
    bool voter = false;
    bool deaf = false;  // it says that it does not hear this node
    Statement statement;
    std::optional<Instant> confirmed;
    Instant answers_since;  // of a ping node: without a gap
    std::uint64_t acknowledged = 0;
    std::uint64_t missed = 0;  // the first number of the gap that the log knows
    // The highest number heard, at all and over each link: what is not above it may be a replay.
    std::uint64_t highest = 0;
    std::vector<std::uint64_t> highest_of_link;
  };
  // filling: it was missing, or known already, and shows nothing but that.
  enum class Admission : std::uint8_t { refused, control, filling, copy, newest };
  // One kind of complaint about packets, not repeated more often than every ten seconds.
  struct Complaint {
    Instant again;
    std::uint64_t silent = 0;
  };

  [[nodiscard]] WatchTimes times_of(const Peer& peer) const;
  void log(Severity severity, std::string text);
  void refuse(const char* kind, std::string text, Instant now);
  void event(Event event) { effects_.events.push_back(std::move(event)); }

  void add_sender(Message& message);
  void transmit(const Message& message);
  void send_unreliable(Message message);
  void send_status(Instant now);
  void add_statement(Message& status) const;
  void read_statement(Peer& peer, const Message& status);
  void read_confirmation(Peer& peer, std::string_view heard);
  void note_deafness(Peer& peer, const std::string& name);

  Admission admit(Peer& peer, const std::string& name, const Message& message, std::size_t link,
                  Instant now);
  bool right_generation(const Peer& peer, const std::string& name, std::uint64_t generation,
                        Instant now);
  void restarted(Peer& peer, const std::string& name);
  void note_heard(Peer& peer, const std::string& name, std::size_t link, bool newest,
                  bool same_life, Instant now);
  void control(Peer& peer, const std::string& name, const Message& message, Instant now);
  void resend(const Message& request);
  void hand_on(Peer& peer, const std::string& name, Instant now);
  void take_message(Peer& peer, const std::string& name, Message message);
  void take_status(Peer& peer, const std::string& name, const Message& message);
  void acknowledge(Peer& peer, const std::string& name);
  void ask_again(Peer& peer, const std::string& name, Instant now);
  void expire(Peer& peer, const std::string& name, Instant now);
  void die(Peer& peer, const std::string& name);
  void check_communication(Instant now);
  void forgive_pause(Instant now);

  MembershipConfig config_;
  AuthKeys keys_;
  std::function<Stamp()> stamp_;
  std::map<std::string, Peer, std::less<>> peers_;
  std::map<std::string, Peer, std::less<>> pings_;
  SendHistory history_;
  std::uint64_t sequence_ = 0;
  NodeStatus own_status_ = NodeStatus::init;
  bool communication_up_ = false;
  bool left_ = false;
  Instant next_status_ = Instant::never();
  Instant last_tick_;
  Statement statement_;
  std::deque<std::pair<std::uint64_t, Instant>> statuses_;  // of this generation, and when
  std::map<std::string, Complaint, std::less<>> complaints_;
  Effects effects_;
};

}  // namespace ha::membership
