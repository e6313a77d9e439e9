// Who has which resource groups, in a cluster of two with a haresources file: the negotiation at
// start, takeover from a dead node, failback, standby in three steps, shutdown. A pure state
// machine; it speaks heartbeat's messages (`starting`, `resource`, `ask_resources`, `hb_takeover`,
// `ip-request`, `shutdone`), so that the other node may be heartbeat itself.
//   H1   groups are started here only when the other node does not hold them: it said so, it left,
//        or it is dead (without fencing, as heartbeat does, silence counts; with it, it was reset)
//   H3   a group whose stop failed is not given away: this node reboots, the other takes over after
//        its death
// Groups are "local" when their line names this node, else "foreign"; seen from the other node it
// is the other way round.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ha/haresources/config.hpp"
#include "ha/membership/membership.hpp"
#include "ha/words.hpp"

namespace ha::haresources {

// As bits: all = local | foreign.
enum class Holding : std::uint8_t { none = 0, local = 1, foreign = 2, all = 3 };
constexpr Holding operator|(Holding a, Holding b) noexcept {
  return static_cast<Holding>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr Holding operator&(Holding a, Holding b) noexcept {
  return static_cast<Holding>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}
constexpr Holding without(Holding a, Holding b) noexcept {
  return static_cast<Holding>(static_cast<unsigned>(a) & ~static_cast<unsigned>(b));
}
// What is local here is foreign there.
constexpr Holding mirrored(Holding h) noexcept {
  return ((h & Holding::local) != Holding::none ? Holding::foreign : Holding::none) |
         ((h & Holding::foreign) != Holding::none ? Holding::local : Holding::none);
}
const char* text(Holding holding) noexcept;
// Fault::malformed: none of the four words.
Result<Holding> parse_holding(std::string_view word);

struct TakeoverConfig {
  std::string own_name;
  bool auto_failback = true;
  // Who is reported dead was reset before.
  bool fencing = false;
  // How long a starting node waits for the other's word before it takes what is its own.
  Duration patience_at_start = Duration::seconds(10);
  Duration patience_for_reply = Duration::seconds(10);
  Duration patience_for_resources = Duration::seconds(3600);
  // A settled node repeats what it holds, for who missed it.
  Duration repeat_every = Duration::seconds(5);
};

enum class WorkKind : std::uint8_t { acquire, release };

// Something to be done with groups; Takeover::work_done() follows, in the order the works came out.
struct Work {
  WorkKind kind = WorkKind::acquire;
  Holding groups = Holding::none;
  std::string reason;  // "req_our_resources()", "mach_down", "standby", "shutdown"
};

struct Orders {
  std::vector<membership::Message> messages;
  std::vector<Work> works;
  std::vector<membership::LogLine> log;
  bool reboot = false;     // a stop failed
  bool new_start = false;  // everything is released: begin a new generation
  bool gone = false;       // shutdown is complete
};

enum class Phase : std::uint8_t { init, starting, both_starting, told, stable, shutdown };

class Takeover {
 public:
  explicit Takeover(TakeoverConfig config) : config_(std::move(config)) {}

  // `alone`: every node that could hold resources is dead.
  void communication_up(bool alone, Instant now);
  void message(const membership::Message& message, Instant now);
  // The last of those nodes died.
  void node_died(const std::string& node, Instant now);
  // The other node began a new generation; what it said before is void, and what it says now may
  // have been missed.
  void partner_restarted();
  // After a partition, or when this node was not running for a while: everything is released, then
  // a new start is ordered.
  void start_again(std::string reason);
  void work_done(const Work& work, bool good, Instant now);
  // Something in these groups, which are held here, stopped running by itself: the other node gets
  // them, or, when there is none, they are started again.
  void resource_failed(Holding groups, Instant now);
  void tick(Instant now);
  [[nodiscard]] Instant next_tick() const noexcept;

  // Of people. False with a line in the log when it can't be now.
  bool standby(Holding groups, Instant now);
  bool takeover(Holding groups, Instant now);
  void shut_down(Instant now);
  // Without enough nodes nothing is taken, and what is held is released.
  void set_quorum(bool quorum);

  [[nodiscard]] Orders take_orders();
  [[nodiscard]] Holding held() const noexcept { return held_; }
  // Held and not known to be down: what is worth asking whether it runs.
  [[nodiscard]] Holding thought_running() const noexcept { return without(held_, failed_); }
  [[nodiscard]] Holding other_holds() const noexcept { return other_holds_; }
  // Something is being started or stopped.
  [[nodiscard]] bool working() const noexcept { return working_ != 0; }
  // It said that it holds nothing, and that this stays so: it need not be reset when it dies.
  [[nodiscard]] bool other_gave_up() const noexcept {
    return other_holds_ == Holding::none && other_stable_;
  }
  [[nodiscard]] Phase phase() const noexcept { return phase_; }
  // "local", "foreign", "all", "none", "transition".
  [[nodiscard]] std::string resource_status() const;
  [[nodiscard]] bool stable() const noexcept;

 private:
  enum class Standby : std::uint8_t { no, me, other, done };

  void log(membership::Severity severity, std::string text);
  void send(membership::Message message) { orders_.messages.push_back(std::move(message)); }
  void send_held(bool stable, std::string_view info);
  void send_standby(const char* step);
  void work(WorkKind kind, Holding groups, std::string reason);

  void on_starting(Instant now);
  void on_resource(const membership::Message& message, Instant now);
  void on_ask_resources(const membership::Message& message, Instant now);
  void on_ask_takeover(const membership::Message& message, Instant now);
  void on_shutdone(const std::string& node);

  void standby_begins_here(Holding groups, Instant now);
  void standby_begins_there(const std::string& node, Holding groups, Instant now);
  void give_up_for_standby(const std::string& node, Instant now);
  void acquire_for_standby(const std::string& node, Instant now);
  void acquired(const Work& work, bool good, Instant now);
  void released(const Work& work, bool good, Instant now);
  void give_back_later(Holding groups, Instant now);
  void take_orphans();
  void end_standby();

  [[nodiscard]] bool both_own() const;
  void become_stable();
  void acquire_local(bool anyway);
  void take_over_from(const std::string& node);
  void fail_back(Instant now);
  void announce(const char* why);

  TakeoverConfig config_;
  Phase phase_ = Phase::init;
  Holding held_ = Holding::none;
  Holding other_holds_ = Holding::none;
  bool other_stable_ = false;
  bool partner_there_ = false;  // it was heard, and is not dead
  bool failback_wanted_ = false;
  bool quorum_ = true;
  bool announced_ = false;
  Standby standby_ = Standby::no;
  Holding standby_groups_ = Holding::none;  // as seen from the node that gives them up
  Instant standby_until_ = Instant::never();
  Instant take_own_at_ = Instant::never();
  Instant repeat_at_ = Instant::never();
  std::size_t working_ = 0;
  bool restarting_ = false;
  // Groups that could not be started here: given to the other node once, never in a circle (H12).
  Holding failed_ = Holding::none;
  Instant give_back_at_ = Instant::never();
  bool shutdown_wanted_ = false;
  Orders orders_;
};

}  // namespace ha::haresources
