#include "tests/sim/failover_history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "ha/config/edit.hpp"
#include "ha/config/xml.hpp"
#include "tests/sim/failover_node.hpp"

namespace replicator::sim {

namespace {

// What keeps two nodes from doing the same.
enum class Safety : std::uint8_t { fencing, fencing_of_three, voter, ping, majority };
constexpr std::array safeties{Safety::fencing, Safety::fencing_of_three, Safety::voter,
                              Safety::ping, Safety::majority};
constexpr std::array safety_names{"fencing", "fencing of three", "voter", "ping", "majority"};
constexpr std::array exclusive{"fs", "ip", "web", "db"};
constexpr Duration heal_limit = Duration::seconds(180);

struct Cut {
  NodeId from;
  NodeId to;
};

std::string op(const std::string& id, const std::string& name, const std::string& more) {
  return fmt::format("<op id='{}-{}{}' name='{}' timeout='5s' {}/>", id, name, more.size(), name,
                     more);
}

std::string primitive(const std::string& id, const std::string& meta = {}) {
  std::string ops = op(id, "start", "interval='0'") + op(id, "stop", "interval='0'");
  if (id == chain[0]) {
    ops += op(id, "monitor", "interval='2s' role='Promoted'") +
           op(id, "monitor", "interval='3s' role='Unpromoted'") +
           op(id, "promote", "interval='0'") + op(id, "demote", "interval='0'");
  } else {
    ops += op(id, "monitor", "interval='1s'");
  }
  return fmt::format(
      "<primitive id='{}' class='ocf' provider='sim' type='Model'><meta_attributes id='{}-m'>{}"
      "</meta_attributes><operations>{}</operations></primitive>",
      id, id, meta, ops);
}

class Failover final : public FailoverSurroundings {
 public:
  explicit Failover(World& world)
      : world_(world),
        network_(world),
        datagrams_(world),
        prng_(world.stream("failover")),
        weather_(world.stream("weather")) {
    draw();
    for (std::size_t i = 0; i < names_.size(); ++i) {
      members_.push_back(
          std::make_unique<Member>(world_, network_, names_[i], static_cast<std::uint8_t>(i + 1)));
      members_.back()->machine.changed = [this] { check_once(); };
      members_.back()->generation = 1 + prng_.below(100);
      members_.back()->stored =
          "<cib admin_epoch='0' epoch='0' num_updates='0'><configuration><crm_config/><nodes/>"
          "<resources/><constraints/></configuration><status/></cib>";
    }
    members_[prng_.below(holders_)]->stored = configuration();
  }
  ~Failover() override {
    for (const std::unique_ptr<Member>& member : members_) {
      member->machine.changed = nullptr;
      if (member->node.running()) member->node.kill();
    }
  }
  Failover(const Failover&) = delete;
  Failover& operator=(const Failover&) = delete;

  FailoverResult run() {
    for (const std::unique_ptr<Member>& member : members_)
      boot(*member);
    world_.at(world_.now(), [this] { watch(); });
    world_.run_for(Duration::seconds(12));
    for (int i = 0; i < faults_wanted_ && !world_.failed(); ++i) {
      inject();
      world_.run_for(draw_time(50, pause_between_));
    }
    if (!world_.failed()) heal();
    FailoverResult result;
    result.faults = faults_;
    result.moves = moves_;
    result.text = fmt::format("{}{}, {} faults, {} fencings, {} self-fencings; at the end: {}",
                              safety_names[static_cast<std::size_t>(safety_)],
                              watchdog_ ? " with a watchdog" : "", faults_, fencings_,
                              self_fencings_, where());
    return result;
  }

  // --- What the programs ask ---------------------------------------------------------------------

  void power_off(const std::string& name, const std::string& why) override {
    Member& member = of(name);
    const std::uint64_t life = member.life;
    ++self_fencings_;
    world_.at(world_.now(), [this, &member, life, why] {
      if (member.life == life) cut_power(member, why);
    });
  }
  void leave(const std::string& name, bool in_peace) override {
    Member& member = of(name);
    const std::uint64_t life = member.life;
    member.leaving = true;
    world_.at(world_.now() + Duration::seconds(1), [this, &member, life, in_peace] {
      if (member.life != life) return;
      for (const char* service : exclusive) {
        if (in_peace && member.machine.active(service))
          world_.fail(FailureKind::safety, "H1", std::string(service) + " runs on after goodbye");
      }
      end(member);
    });
  }
  Duration fencing_takes(const std::string& target) override {
    // The preferred node is shot later: of two that shoot at once one remains.
    const std::int64_t delay = target == names_[0] ? 1500 : 0;
    return Duration::milliseconds(delay + static_cast<std::int64_t>(50 + prng_.below(1000)));
  }
  bool fence(const std::string& by, const std::string& target) override {
    if (world_.now() < devices_broken_until_ || prng_.chance(5)) return false;
    ++fencings_;
    world_.note(fencings_);
    Member& member = of(target);
    record(fmt::format("{} shoots {}", by, target));
    const std::uint64_t life = member.life;
    // Off by the time that it says so, and never in the middle of what the target does.
    member.machine.power_off();
    world_.at(world_.now(), [this, &member, life] {
      if (member.life == life && member.node.running()) cut_power(member, "shot");
    });
    return true;
  }
  bool ping_answers(const std::string& name) override {
    return !witness_gone_ && !of(name).isolated;
  }
  void fed(const std::string& name) override { of(name).fed = world_.now(); }
  std::string& stored(const std::string& name) override { return of(name).stored; }

 private:
  struct Member {
    Member(World& world, SimNetwork& network, const std::string& name, std::uint8_t host)
        : node(world, network, name, host), machine(world, name) {}
    Node node;
    FailoverMachine machine;
    std::string stored;
    std::uint64_t generation = 1;
    std::uint64_t life = 0;
    Instant fed;
    Instant boot_at = Instant::never();
    bool powered = false;
    bool leaving = false;
    bool isolated = false;
    bool cut = false;  // in one direction
    [[nodiscard]] FailoverProgram* program() {
      return static_cast<FailoverProgram*>(node.program());
    }
  };

  Duration draw_time(std::int64_t least, std::int64_t most) {
    return Duration::milliseconds(
        least + static_cast<std::int64_t>(prng_.below(static_cast<std::uint64_t>(most - least))));
  }
  Member& of(const std::string& name) {
    return **std::find_if(members_.begin(), members_.end(),
                          [&](const auto& member) { return member->node.name() == name; });
  }
  void record(const std::string& text) {
    if (world_.recording()) world_.record(text);
  }
  // One of three that comes back alone, ignores that it has no majority and shoots the others is
  // beyond help.
  [[nodiscard]] bool ignores_quorum() const { return safety_ != Safety::fencing_of_three; }
  [[nodiscard]] bool fences() const {
    return safety_ == Safety::fencing || safety_ == Safety::fencing_of_three;
  }

  void draw() {
    safety_ = safeties[prng_.below(safeties.size())];
    names_ = {"n1", "n2"};
    if (safety_ != Safety::fencing && safety_ != Safety::ping) names_.emplace_back("n3");
    holders_ = safety_ == Safety::voter ? 2 : names_.size();
    cf_.nodes = names_;
    cf_.keepalive = Duration::milliseconds(200);
    cf_.warntime = Duration::milliseconds(600);
    cf_.deadtime = Duration::milliseconds(fences() ? 1000 : 3000);
    cf_.initdead = Duration::milliseconds(6000);
    cf_.deadping = cf_.deadtime;
    if (!fences()) {
      cf_.lease = Duration::milliseconds(1000);
      cf_.lease_stop = Duration::milliseconds(1700);
      watchdog_ = prng_.chance(60);
    }
    if (safety_ == Safety::ping) cf_.ping_nodes.push_back({"gateway", {}, false});
    faults_wanted_ = static_cast<int>(5 + prng_.below(20));
    pause_between_ = static_cast<std::int64_t>(500 + prng_.below(6000));
    if (prng_.chance(30)) {
      datagrams_.faults().loss_percent = static_cast<std::uint32_t>(prng_.below(8));
      datagrams_.faults().repeat_percent = static_cast<std::uint32_t>(prng_.below(10));
      datagrams_.faults().slowest = draw_time(2, 40);
    }
  }

  std::string pair(const std::string& name, const std::string& value) {
    return fmt::format("<nvpair id='p{}' name='{}' value='{}'/>", ++pairs_, name, value);
  }
  std::string configuration() {
    const auto properties =
        pair("stonith-enabled", fences() ? "true" : "false") +
        (prng_.chance(30) && ignores_quorum() ? pair("no-quorum-policy", "ignore") : "");
    const std::string disk = primitive(chain[0]);
    std::string group;
    for (std::size_t i = 1; i < chain.size(); ++i)
      group += primitive(chain[i], prng_.chance(30) ? pair("migration-threshold", "2") +
                                                          pair("failure-timeout", "10s")
                                                    : "");
    return "<cib admin_epoch='0' epoch='5' num_updates='0' crm_feature_set='3.16.1'>"
           "<configuration><crm_config><cluster_property_set id='cib-bootstrap-options'>" +
           properties +
           "</cluster_property_set></crm_config><nodes/><resources>"
           "<clone id='ms'><meta_attributes id='ms-m'>" +
           pair("promotable", "true") + pair("notify", "true") + pair("clone-max", "2") +
           "</meta_attributes>" + disk + "</clone><group id='services'>" + group + "</group>" +
           primitive("db") + (fences() ? "<primitive id='st' class='stonith' type='model'/>" : "") +
           "</resources><constraints><rsc_colocation id='c' score='INFINITY' rsc='services' "
           "with-rsc='ms' with-rsc-role='Promoted'/><rsc_order id='o' kind='Mandatory' first='ms' "
           "first-action='promote' then='services' then-action='start'/><rsc_location id='l' "
           "rsc='services' node='n1' score='50'/><rsc_location id='l1' rsc='ms' node='n1' "
           "score='10'/><rsc_location id='master' rsc='ms'><rule id='lr' role='Promoted' "
           "score='100'><expression id='le' attribute='#uname' operation='ne' value='nobody'/>"
           "</rule></rsc_location></constraints><rsc_defaults><meta_attributes id='d'>" +
           pair("resource-stickiness", prng_.chance(50) ? "100" : "0") +
           "</meta_attributes></rsc_defaults></configuration><status/></cib>";
  }

  // --- Machines ----------------------------------------------------------------------------------

  void boot(Member& member) {
    if (member.node.running()) return;
    member.boot_at = Instant::never();
    member.powered = true;
    member.leaving = false;
    member.fed = world_.now();
    FailoverProgramOptions options;
    options.cf = cf_;
    options.voter = safety_ == Safety::voter && member.node.name() == "n3";
    options.generation = ++member.generation;
    options.life = ++member.life;
    member.node.boot([&](Node& node) {
      return std::make_unique<FailoverProgram>(node, datagrams_, member.machine, *this, options);
    });
  }
  void end(Member& member) {
    ++member.life;
    world_.pause(member.node.id(), world_.now());
    if (member.node.running()) member.node.power_cut();
    member.machine.power_off();
    member.powered = false;
    member.boot_at = world_.now() + draw_time(500, 8000);
  }
  void cut_power(Member& member, const std::string& why) {
    record(fmt::format("{} is off: {}", member.node.name(), why));
    end(member);
  }

  // Now and then: watchdogs, and machines that are switched on again.
  void watch() {
    for (const std::unique_ptr<Member>& member : members_) {
      const bool hungry = watchdog_ && member->powered && !member->leaving &&
                          world_.now() - member->fed > Duration::seconds(1);
      if (hungry) {
        ++self_fencings_;
        cut_power(*member, "the watchdog was hungry");
      }
      if (!member->node.running() && world_.now() >= member->boot_at) boot(*member);
    }
    world_.at(world_.now() + Duration::milliseconds(20), [this] { watch(); });
  }

  // --- Checks ------------------------------------------------------------------------------------

  void check_once() {
    for (const char* service : exclusive) {
      std::string on;
      int count = 0;
      for (const std::unique_ptr<Member>& member : members_) {
        if (!member->machine.active(service)) continue;
        ++count;
        on += " " + member->node.name();
      }
      if (count > 1)
        world_.fail(FailureKind::safety, "H1", fmt::format("{} is active on{}", service, on));
    }
    std::string promoted;
    for (const std::unique_ptr<Member>& member : members_)
      if (member->machine.promoted(chain[0])) promoted += " " + member->node.name();
    if (std::count(promoted.begin(), promoted.end(), ' ') > 1)
      world_.fail(FailureKind::safety, "H1", "promoted on" + promoted);
    const std::string now = where();
    if (now == where_) return;
    where_ = now;
    ++moves_;
    world_.note(std::hash<std::string_view>()(now));
  }
  [[nodiscard]] std::string where() const {
    std::string text;
    for (const std::unique_ptr<Member>& member : members_) {
      text += member->node.name() + ":";
      if (member->machine.promoted(chain[0])) text += " DISK";
      for (const char* service : exclusive) {
        if (member->machine.active(service)) text += std::string(" ") + service;
      }
      text += member->node.running() ? "; " : " (off); ";
    }
    return text;
  }

  // --- Faults ------------------------------------------------------------------------------------

  void cut(const Member& from, const Member& to, bool both_links) {
    for (const char* link : {"eth0", "eth1"}) {
      if (both_links || *(link + 3) == '0') datagrams_.cut(link, from.node.id(), to.node.id());
    }
  }
  void isolate(Member& member, bool hears, bool is_heard) {
    for (const std::unique_ptr<Member>& other : members_) {
      if (other.get() == &member) continue;
      if (!hears) cut(*other, member, true);
      if (!is_heard) cut(member, *other, true);
    }
    member.isolated = true;
  }
  void mend() {
    datagrams_.heal();
    witness_gone_ = false;
    for (const std::unique_ptr<Member>& member : members_)
      member->isolated = member->cut = false;
    mended_ = world_.now();
  }

  void inject() {
    ++faults_;
    Member& member = *members_[prng_.below(members_.size())];
    Member& other = *members_[prng_.below(members_.size())];
    const std::string name = member.node.name();
    const std::uint64_t dice = prng_.below(20);
    world_.note(dice);
    if (dice < 3) {
      if (member.powered) cut_power(member, "power cut");
    } else if (dice < 5) {
      kill_program(member);
    } else if (dice < 7) {
      record(name + " is isolated");
      isolate(member, false, false);
    } else if (dice < 9) {
      one_way(member);
    } else if (dice < 11) {
      between(member, other);
    } else if (dice < 13) {
      record("mended");
      mend();
    } else if (dice < 14) {
      pause(member);
    } else if (dice < 16) {
      trouble(member);
    } else {
      by_hand(member, dice);
    }
  }
  // Only a watchdog, or being shot, ends what goes on then.
  void kill_program(Member& member) {
    if (!member.node.running() || member.leaving || !(fences() || watchdog_)) return;
    record(member.node.name() + ": the program dies");
    ++member.life;
    member.node.kill();
    member.boot_at = world_.now() + draw_time(100, 3000);
  }
  void one_way(Member& member) {
    // Two that both reach the ping node, and not each other, are not told apart: a cut begins where
    // both are in contact.
    const bool apart = std::any_of(members_.begin(), members_.end(),
                                   [](const auto& each) { return each->isolated || each->cut; });
    if (safety_ == Safety::ping && (apart || world_.now() < mended_ + Duration::seconds(5))) return;
    member.cut = true;
    const bool hears = prng_.chance(50);
    record(fmt::format("{} {}", member.node.name(), hears ? "is not heard" : "hears nothing"));
    isolate(member, hears, !hears);
    // What reaches the others may reach the witness, and the answer comes back.
    member.isolated = prng_.chance(50);
  }
  // Of three without a vote, two that both hear the third are not told apart; and two that both
  // reach the ping node.
  void between(Member& member, Member& other) {
    if (&member == &other) return;
    const bool all = fences() || safety_ == Safety::voter;
    const bool back = prng_.chance(60);
    record(fmt::format("cut from {} to {}{}{}", member.node.name(), other.node.name(),
                       all ? "" : " (one link)", back ? " and back" : ""));
    cut(member, other, all);
    if (back) cut(other, member, all);
  }
  void pause(Member& member) {
    if (!member.node.running() || !(fences() || watchdog_)) return;
    const Duration time = draw_time(50, 6000);
    record(fmt::format("{} stands still for {} ms", member.node.name(), time.milliseconds()));
    world_.pause(member.node.id(), world_.now() + time);
  }
  void trouble(Member& member) {
    static constexpr std::array tasks{"start", "stop", "monitor", "promote", "demote"};
    static constexpr std::array kinds{FailoverMachine::Trouble::fails,
                                      FailoverMachine::Trouble::hangs,
                                      FailoverMachine::Trouble::lies};
    const std::string task = tasks[prng_.below(tasks.size())];
    const std::size_t kind = prng_.below(kinds.size());
    record(fmt::format("{}: trouble {} with {}", member.node.name(), kind, task));
    member.machine.set_trouble(task, kinds[kind]);
    if (prng_.chance(50)) devices_broken_until_ = world_.now() + draw_time(500, 15000);
  }
  void by_hand(Member& member, std::uint64_t dice) {
    FailoverProgram* program = member.program();
    if (dice == 16) {
      member.machine.die(exclusive[prng_.below(exclusive.size())]);
    } else if (dice == 17 && safety_ == Safety::ping) {
      record("the ping node is gone");
      witness_gone_ = true;
    } else if (program != nullptr && !world_.paused(member.node.id())) {
      const World::As as(world_, member.node.id());
      if (dice == 18) {
        record(member.node.name() + " is asked to leave");
        program->shut_down();
      } else {
        standby(*program, member.node.name());
      }
    }
  }
  void standby(FailoverProgram& program, const std::string& name) {
    const bool on = prng_.chance(50);
    program.request(fmt::format("<attribute node='{}' name='standby' {} lifetime='forever'/>", name,
                                on ? "value='on'" : ""));
  }

  // --- The end -----------------------------------------------------------------------------------

  [[nodiscard]] bool all_runs() {
    const auto on = [&](const auto& is) {
      return std::count_if(members_.begin(), members_.end(),
                           [&](const auto& member) { return is(member->machine); }) == 1;
    };
    bool good = on([](const FailoverMachine& machine) { return machine.promoted(chain[0]); });
    for (const char* service : exclusive)
      good = good && on([&](const FailoverMachine& machine) { return machine.active(service); });
    return good;
  }
  // One coordinates, it has nothing left to do, and all have what it has.
  [[nodiscard]] bool settled() {
    if (!all_runs()) return false;
    std::set<std::pair<std::int64_t, std::int64_t>> versions;
    std::set<std::string> known;
    int coordinators = 0;
    for (const std::unique_ptr<Member>& member : members_) {
      if (!member->node.running()) return false;
      ha::controller::Controller& controller = member->program()->controller();
      coordinators += controller.coordinates() ? 1 : 0;
      if (!controller.ready() && controller.coordinates()) return false;
      if (controller.coordinates() && !controller.idle()) return false;
      const ha::config::Version version = ha::config::version_of(controller.cib());
      versions.insert({version.admin_epoch, version.epoch});
      known.insert(controller.coordinator());
    }
    return coordinators == 1 && versions.size() == 1 && known.size() == 1;
  }
  // What an operator does: repairs, and has the failures forgotten.
  void clean_up() {
    for (const std::unique_ptr<Member>& member : members_) {
      if (!member->node.running() || world_.paused(member->node.id())) continue;
      FailoverProgram& program = *member->program();
      if (!program.controller().coordinates()) continue;
      const World::As as(world_, member->node.id());
      for (const std::string& name : names_)
        program.request(
            fmt::format("<attribute node='{}' name='standby' lifetime='forever'/>", name));
      program.request("<cleanup/>");
    }
  }
  void heal() {
    record("all is made whole");
    mend();
    datagrams_.faults() = DatagramFaults();
    devices_broken_until_ = world_.now();
    for (const std::unique_ptr<Member>& member : members_)
      member->machine.clear_troubles();
    const Instant limit = world_.now() + heal_limit;
    while (!world_.failed()) {
      clean_up();
      if (world_.run_until([this] { return settled(); }, Duration::seconds(10))) {
        // Who has just started is heard of in a moment, and failures expire.
        world_.run_for(Duration::seconds(12));
        if (settled()) break;
      }
      if (world_.now() > limit) {
        world_.fail(FailureKind::liveness, "H18", "not everything runs again: " + where());
      }
    }
    // And it stays so.
    const std::string before = where();
    const std::uint32_t shot = fencings_;
    world_.run_for(Duration::seconds(10));
    if (!world_.failed() && (!settled() || where() != before))
      world_.fail(FailureKind::liveness, "H12", "it does not stay: " + before + " then " + where());
    if (!world_.failed() && fencings_ != shot)
      world_.fail(FailureKind::liveness, "H12", "a node was shot though all is well");
  }

  World& world_;
  SimNetwork network_;
  SimDatagrams datagrams_;
  Prng prng_;
  Prng weather_;
  Safety safety_ = Safety::fencing;
  ha::membership::HaCf cf_;
  std::vector<std::string> names_;
  std::size_t holders_ = 2;
  bool watchdog_ = false;
  int faults_wanted_ = 0;
  std::int64_t pause_between_ = 1000;
  std::vector<std::unique_ptr<Member>> members_;
  std::string where_;
  bool witness_gone_ = false;
  Instant devices_broken_until_;
  Instant mended_;
  int pairs_ = 0;
  std::uint32_t faults_ = 0;
  std::uint32_t fencings_ = 0;
  std::uint32_t self_fencings_ = 0;
  std::uint64_t moves_ = 0;
};

}  // namespace

FailoverResult run_failover(World& world) {
  Failover failover(world);
  return failover.run();
}

}  // namespace replicator::sim
