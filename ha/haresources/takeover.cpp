#include "ha/haresources/takeover.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"

namespace ha::haresources {

namespace {

using membership::Message;
using membership::Severity;

constexpr Duration before_giving_back = Duration::seconds(30);

bool any(Holding holding) { return holding != Holding::none; }

}  // namespace

const char* text(Holding holding) noexcept {
  switch (holding) {
    case Holding::none: return "none";
    case Holding::local: return "local";
    case Holding::foreign: return "foreign";
    case Holding::all: return "all";
  }
  return "";
}

Result<Holding> parse_holding(std::string_view word) {
  for (const Holding h : {Holding::none, Holding::local, Holding::foreign, Holding::all}) {
    if (word == text(h)) return h;
  }
  return failure(Fault::malformed, "none, local, foreign or all");
}

void Takeover::log(Severity severity, std::string text) {
  orders_.log.push_back(membership::LogLine{severity, std::move(text)});
}

Orders Takeover::take_orders() { return std::exchange(orders_, {}); }

bool Takeover::stable() const noexcept {
  return working_ == 0 && standby_ == Standby::no && !restarting_ &&
         (phase_ == Phase::stable || phase_ == Phase::shutdown || phase_ == Phase::init);
}

std::string Takeover::resource_status() const {
  const bool settled = stable() && (other_stable_ || phase_ == Phase::shutdown);
  return settled ? text(held_) : "transition";
}

void Takeover::send_held(bool stable, std::string_view info) {
  Message message("resource");
  message.set("rsc_hold", text(held_)).set("rtype", "full").set("isstable", stable ? "1" : "0");
  if (!info.empty()) message.set("info", info);
  send(std::move(message));
}

void Takeover::send_standby(const char* step) {
  Message message("ask_resources");
  message.set("rsc_hold", text(standby_groups_)).set("info", step);
  send(std::move(message));
}

void Takeover::work(WorkKind kind, Holding groups, std::string reason) {
  ++working_;
  orders_.works.push_back(Work{kind, groups, std::move(reason)});
}

void Takeover::announce(const char* why) {
  if (announced_ || phase_ != Phase::stable || working_ != 0) return;
  announced_ = true;
  log(Severity::info, fmt::format("Initial resource acquisition complete ({})", why));
}

// --- Start, death, partition -----------------------------------------------------------------

void Takeover::communication_up(bool alone, Instant now) {
  if (phase_ == Phase::shutdown) return;
  restarting_ = false;
  repeat_at_ = now + config_.repeat_every;
  phase_ = Phase::starting;
  other_holds_ = Holding::none;
  other_stable_ = false;
  send(Message("starting"));
  if (!alone) return;
  become_stable();
  take_over_from("");
}

void Takeover::become_stable() {
  phase_ = Phase::stable;
  take_own_at_ = Instant::never();
}

void Takeover::node_died(const std::string& node, Instant /*now*/) {
  if (phase_ == Phase::init || phase_ == Phase::shutdown || restarting_) return;
  standby_ = Standby::no;
  standby_until_ = Instant::never();
  if (!any(other_holds_) && other_stable_) {
    log(Severity::info, fmt::format("Dead node {} gave up resources.", node));
  } else if (!config_.fencing) {
    log(Severity::warning, "No STONITH device configured.");
    log(Severity::warning, "Shared disks are not protected.");
  }
  become_stable();
  take_over_from(node);
}

void Takeover::take_over_from(const std::string& node) {
  partner_there_ = false;
  other_holds_ = Holding::none;
  other_stable_ = true;
  failback_wanted_ = true;
  if (!quorum_) {
    log(Severity::warning, "Without quorum no resources are taken over.");
    return;
  }
  if (!node.empty()) log(Severity::info, fmt::format("Resources being acquired from {}.", node));
  const Holding missing = without(Holding::all, held_);
  held_ = Holding::all;
  if (any(missing & Holding::foreign)) work(WorkKind::acquire, Holding::foreign, "mach_down");
  if (any(missing & Holding::local)) {
    work(WorkKind::acquire, Holding::local, "req_our_resources()");
  }
  send_held(true, "");
}

void Takeover::partner_restarted() {
  if (phase_ == Phase::shutdown || phase_ == Phase::init) return;
  partner_there_ = true;
  other_stable_ = false;
  other_holds_ = Holding::none;
  standby_ = Standby::no;
  standby_until_ = Instant::never();
}

void Takeover::start_again(std::string reason) {
  if (phase_ == Phase::shutdown || phase_ == Phase::init || restarting_) return;
  log(Severity::warning, fmt::format("Resources are released: {}", reason));
  restarting_ = true;
  phase_ = Phase::init;
  standby_ = Standby::no;
  standby_until_ = Instant::never();
  take_own_at_ = Instant::never();
  give_back_at_ = Instant::never();
  failed_ = Holding::none;
  held_ = Holding::none;
  other_holds_ = Holding::none;
  other_stable_ = false;
  work(WorkKind::release, Holding::all, "start_again");
}

void Takeover::set_quorum(bool quorum) {
  if (quorum == quorum_) return;
  quorum_ = quorum;
  if (phase_ == Phase::init && !restarting_) return;
  // Nothing was decided without it yet.
  const bool asks =
      phase_ == Phase::starting || phase_ == Phase::both_starting || phase_ == Phase::told;
  if (quorum && asks && !any(held_) && working_ == 0) return;
  start_again(quorum ? "this partition has quorum again" : "this partition has no quorum");
}

// --- Messages of the other node --------------------------------------------------------------

void Takeover::message(const Message& message, Instant now) {
  if (restarting_) return;
  const std::string_view type = message.type();
  partner_there_ = true;
  if (type == "starting") return on_starting(now);
  if (type == "resource") return on_resource(message, now);
  if (type == "ask_resources") return on_ask_resources(message, now);
  if (type == "hb_takeover") return on_ask_takeover(message, now);
  if (type == "shutdone") return on_shutdone(std::string(message.text("src")));
}

void Takeover::on_starting(Instant /*now*/) {
  if (phase_ == Phase::init) return;
  if (phase_ == Phase::starting) phase_ = Phase::both_starting;
  other_stable_ = false;
  other_holds_ = Holding::none;
  standby_ = Standby::no;
  standby_until_ = Instant::never();
  send_held(phase_ == Phase::stable, "");
}

void Takeover::on_resource(const Message& message, Instant now) {
  const Result<Holding> holding = parse_holding(message.text("rsc_hold"));
  if (!holding) return log(Severity::error, "resource message without a valid rsc_hold field.");
  if (phase_ == Phase::init) return;
  const bool full = message.text("rtype") == "full";
  other_holds_ = full || !any(*holding) ? *holding : other_holds_ | *holding;
  if (phase_ == Phase::starting || phase_ == Phase::both_starting) {
    phase_ = Phase::told;
    take_own_at_ = now + config_.patience_at_start;
  }
  if (both_own()) return start_again("both machines own our resources!");
  const bool says_stable = message.text("isstable") == "1";
  const bool was_stable = other_stable_;
  if (message.has("isstable")) other_stable_ = says_stable;
  if (other_stable_ && !was_stable) {
    log(Severity::info, "remote resource transition completed.");
    if (phase_ == Phase::told) {
      become_stable();
      acquire_local(false);
    }
    send_held(phase_ == Phase::stable, "");
  }
  if (other_stable_) fail_back(now);
  take_orphans();
}

// As when the other node does not hear this one and took over: one of the two has to let go, and it
// is the one that hears.
bool Takeover::both_own() const {
  return phase_ == Phase::stable && any(held_ & mirrored(other_holds_));
}

// Take what is our own, unless the other node has it.
void Takeover::acquire_local(bool anyway) {
  if (!quorum_) return;
  const bool elsewhere = any(other_holds_ & Holding::foreign);
  const bool here = any(held_ & Holding::local);
  if (here || (elsewhere && !anyway)) {
    log(Severity::info, "Local Resource acquisition completed. (none)");
    return announce("T_RESOURCES(them)");
  }
  held_ = held_ | Holding::local;
  work(WorkKind::acquire, Holding::local, "req_our_resources()");
}

// Both are settled and nobody has our own groups, as after a restart that was faster than deadtime.
void Takeover::take_orphans() {
  const bool settled = stable() && phase_ == Phase::stable && other_stable_ && quorum_;
  const Holding mine = Holding::local;
  if (!settled || any(held_ & mine) || any(failed_ & mine)) return;
  if (any(other_holds_ & Holding::foreign)) return;
  log(Severity::warning, "No one owns our local resources!");
  acquire_local(false);
}

void Takeover::fail_back(Instant now) {
  const bool wanted = failback_wanted_ && config_.auto_failback && any(held_ & Holding::foreign);
  if (phase_ != Phase::stable || working_ != 0 || standby_ != Standby::no) return;
  failback_wanted_ = false;
  if (!wanted) return;
  standby_begins_here(Holding::foreign, now);
}

void Takeover::on_shutdone(const std::string& node) {
  if (phase_ == Phase::init || phase_ == Phase::shutdown) return;
  standby_ = Standby::no;
  standby_until_ = Instant::never();
  become_stable();
  take_over_from(node);
}

// --- Standby: me, other, done, done ----------------------------------------------------------

bool Takeover::standby(Holding groups, Instant now) {
  if (!partner_there_ || !other_stable_ || phase_ != Phase::stable || standby_ != Standby::no ||
      working_ != 0 || restarting_ || !any(groups)) {
    log(Severity::warning, fmt::format("standby request [{}] ignored: resources are in flux, or "
                                       "there is nothing to give up",
                                       text(groups)));
    return false;
  }
  log(Severity::info, fmt::format("Going standby [{}].", text(groups)));
  standby_begins_here(groups, now);
  return true;
}

bool Takeover::takeover(Holding groups, Instant /*now*/) {
  if (phase_ != Phase::stable || standby_ != Standby::no || restarting_) {
    log(Severity::warning, "takeover request ignored: resources are in flux.");
    return false;
  }
  Message message("hb_takeover");
  message.set("rsc_hold", text(groups));
  send(std::move(message));
  return true;
}

void Takeover::on_ask_takeover(const Message& message, Instant now) {
  const Result<Holding> groups = parse_holding(message.text("rsc_hold"));
  if (groups) standby(mirrored(*groups), now);
}

void Takeover::standby_begins_here(Holding groups, Instant now) {
  log(Severity::info, fmt::format("{} wants to go standby [{}]", config_.own_name, text(groups)));
  standby_ = Standby::me;
  standby_groups_ = groups;
  standby_until_ = now + config_.patience_for_reply;
  other_stable_ = false;
  send_standby("me");
}

void Takeover::on_ask_resources(const Message& message, Instant now) {
  const std::string node(message.text("src"));
  const std::string_view step = message.text("info");
  const Result<Holding> groups =
      message.has("rsc_hold") ? parse_holding(message.text("rsc_hold")) : Holding::all;
  if (!groups || phase_ == Phase::shutdown) return;
  if (step == "me" && standby_ == Standby::no) return standby_begins_there(node, *groups, now);
  if (step == "other" && standby_ == Standby::me) return give_up_for_standby(node, now);
  if (step == "done" && standby_ == Standby::other) return acquire_for_standby(node, now);
  if (step == "done" && standby_ == Standby::done) {
    log(Severity::info,
        fmt::format("Other node completed standby takeover of {} resources.", text(*groups)));
    return end_standby();
  }
  log(Severity::warning, fmt::format("Ignored standby message '{}' from {}", step, node));
}

void Takeover::standby_begins_there(const std::string& node, Holding groups, Instant now) {
  if (!other_stable_ || phase_ != Phase::stable || working_ != 0 || !quorum_) {
    log(Severity::warning,
        fmt::format("standby message [me] from {} ignored. Resources are in flux.", node));
    return;
  }
  log(Severity::info, fmt::format("{} wants to go standby [{}]", node, text(groups)));
  standby_ = Standby::other;
  standby_groups_ = groups;
  standby_until_ = now + config_.patience_for_resources;
  other_stable_ = false;
  send_standby("other");
}

void Takeover::give_up_for_standby(const std::string& node, Instant now) {
  log(Severity::info,
      fmt::format("standby: {} can take our {} resources", node, text(standby_groups_)));
  standby_until_ = now + config_.patience_for_resources;
  held_ = without(held_, standby_groups_);
  send_held(false, "standby");
  work(WorkKind::release, standby_groups_, "standby");
}

void Takeover::acquire_for_standby(const std::string& node, Instant now) {
  log(Severity::info,
      fmt::format("standby: acquire [{}] resources from {}", text(standby_groups_), node));
  standby_ = Standby::done;
  standby_until_ = now + config_.patience_for_resources;
  held_ = held_ | mirrored(standby_groups_);
  work(WorkKind::acquire, mirrored(standby_groups_), "standby");
}

void Takeover::end_standby() {
  standby_ = Standby::no;
  standby_until_ = Instant::never();
  send_held(true, "");
}

// --- Work ------------------------------------------------------------------------------------

void Takeover::work_done(const Work& work, bool good, Instant now) {
  ensure(working_ > 0);
  --working_;
  if (work.kind == WorkKind::acquire) acquired(work, good, now);
  else released(work, good, now);
  announce(work.reason.c_str());
  if (shutdown_wanted_) shut_down(now);
}

void Takeover::resource_failed(Holding groups, Instant now) {
  // What did not start here is known to be down, and where it goes is decided already.
  const Holding here = without(groups & held_, failed_);
  if (!any(here) || phase_ != Phase::stable || !stable()) return;
  log(Severity::error, fmt::format("CRIT: a resource of the {} groups failed", text(here)));
  if (partner_there_ && standby(here, now)) return;
  work(WorkKind::release, here, "restart");
  work(WorkKind::acquire, here, "restart");
}

void Takeover::acquired(const Work& work, bool good, Instant now) {
  if (good) failed_ = without(failed_, work.groups);
  else give_back_later(work.groups, now);
  if (work.reason == "standby" && standby_ == Standby::done) {
    log(Severity::info,
        fmt::format("Standby resource acquisition done [{}].", text(standby_groups_)));
    send_standby("done");
    return end_standby();
  }
  if (phase_ == Phase::stable && !restarting_) send_held(true, work.reason);
}

// The groups were released again, whole; the other node may have better luck.
void Takeover::give_back_later(Holding groups, Instant now) {
  const bool again = any(failed_ & groups);
  failed_ = failed_ | groups;
  if (again) {
    log(Severity::error,
        fmt::format("{} resources failed to start again: they stay down.", text(groups)));
    give_back_at_ = Instant::never();
    return;
  }
  give_back_at_ = now + before_giving_back;
}

void Takeover::released(const Work& work, bool good, Instant now) {
  if (!good) {
    orders_.reboot = true;
    return;
  }
  if (work.reason == "standby" && standby_ == Standby::me) {
    log(Severity::info,
        fmt::format("Local standby process completed [{}].", text(standby_groups_)));
    standby_ = Standby::done;
    standby_until_ = now + config_.patience_for_resources;
    send_standby("done");
  } else if (work.reason == "start_again") {
    orders_.new_start = true;
  } else if (work.reason == "shutdown") {
    log(Severity::info, "All HA resources relinquished.");
    orders_.gone = true;
  }
}

void Takeover::shut_down(Instant /*now*/) {
  if (phase_ == Phase::shutdown) return;
  if (working_ != 0 || standby_ != Standby::no) {
    if (!shutdown_wanted_)
      log(Severity::warning, "Shutdown delayed until current resource activity finishes.");
    shutdown_wanted_ = true;
    return;
  }
  shutdown_wanted_ = false;
  phase_ = Phase::shutdown;
  held_ = Holding::none;
  send_held(false, "shutdown");
  log(Severity::info, "Giving up all HA resources.");
  work(WorkKind::release, Holding::all, "shutdown");
}

// --- Time ------------------------------------------------------------------------------------

Instant Takeover::next_tick() const noexcept {
  return std::min({take_own_at_, standby_until_, give_back_at_, repeat_at_});
}

void Takeover::tick(Instant now) {
  if (now >= repeat_at_) {
    repeat_at_ = now + config_.repeat_every;
    if (phase_ == Phase::stable && stable() && partner_there_) send_held(true, "");
  }
  if (now >= take_own_at_ && phase_ == Phase::told) {
    log(Severity::info, "local resource transition completed.");
    become_stable();
    acquire_local(false);
    send_held(true, "");
    fail_back(now);
  }
  if (now >= standby_until_) {
    log(Severity::warning, standby_ == Standby::me
                               ? "No reply to standby request.  Standby request cancelled."
                               : "The other node did not finish its standby. It is cancelled.");
    standby_ = Standby::no;
    standby_until_ = Instant::never();
    other_stable_ = true;
    if (shutdown_wanted_) shut_down(now);
  }
  if (now >= give_back_at_) {
    give_back_at_ = Instant::never();
    standby(failed_, now);
  }
}

}  // namespace ha::haresources
