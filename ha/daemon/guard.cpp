#include "ha/daemon/guard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ha::daemon {

namespace io = replicator::io;
using membership::LeaseView;
using membership::Severity;
using membership::Statement;
using replicator::Task;

namespace {

// Of a keepalive, between two looks; as long as the margin of the times allows.
constexpr std::int64_t looks_in_keepalive = 5;

}  // namespace

Guard::Guard(io::Clock& clock, const membership::HaCf& cf, const std::string& own_node,
             membership::Membership& membership, bool voter, Hooks hooks)
    : clock_(clock),
      membership_(membership),
      voter_(voter),
      hooks_(std::move(hooks)),
      device_(cf.watchdog),
      device_timeout_(cf.watchdog_timeout),
      every_(cf.keepalive / looks_in_keepalive) {
  if (cf.lease <= Duration()) return;
  keeper_.emplace(cf.lease, cf.lease_stop);
  if (!voter_) return;
  std::set<std::string> others(cf.nodes.begin(), cf.nodes.end());
  others.erase(own_node);
  arbiter_.emplace(std::move(others), cf.deadtime);
}

bool Guard::open() {
  if (!device_.empty()) {
    const Status opened = watchdog_.open(device_, device_timeout_);
    if (!opened.ok()) {
      hooks_.log(Severity::error,
                 opened.fault() == Fault::incompatible
                     ? fmt::format("watchdog {} takes {} ms at least, {} ms are needed", device_,
                                   watchdog_.said().milliseconds(), device_timeout_.milliseconds())
                     : fmt::format("Cannot open watchdog device: {} (errno {})", device_,
                                   opened.error_number()));
      watchdog_.disarm();
      return false;
    }
    hooks_.log(Severity::info, fmt::format("Using watchdog device: {}, timeout {} ms", device_,
                                           watchdog_.said().milliseconds()));
    if (!watchdog_.is_device())
      hooks_.log(Severity::warning, fmt::format("{} is no device: nothing is reset", device_));
  }
  // Said from the very first heartbeat on.
  if (arbiter_) membership_.say(arbiter_->look(LeaseView(), clock_.now()), clock_.now());
  return true;
}

void Guard::start() {
  if (leased() || watchdog_.armed()) tasks_.start(follow_clock());
}

bool Guard::may_take_over(const std::string& node) const {
  if (!leased()) return true;
  return membership::may_take_over(membership_.lease_view(), node, keeper_->lease(), clock_.now());
}

void Guard::feed(bool holds) {
  const bool hungry = ended() && holds;
  if (!hungry) watchdog_.pet();
  if (!hungry && hooks_.fed) hooks_.fed();
  if (hungry && !hungry_ && watchdog_.armed())
    hooks_.log(Severity::warning, "The watchdog is not told any more that all is well");
  hungry_ = hungry;
}

void Guard::look() {
  const Instant now = clock_.now();
  const bool holds = !voter_ && !stopped_ && hooks_.holds();
  if (leased()) {
    const LeaseView view = membership_.lease_view();
    keeper_->look(view, now);
    Statement statement = arbiter_ ? arbiter_->look(view, now) : Statement();
    statement.holds = holds;
    membership_.say(std::move(statement), now);
    const bool backed = keeper_->backed();
    if (backed != was_backed_ && !voter_) {
      hooks_.log(backed ? Severity::info : Severity::warning,
                 backed ? "The lease is confirmed"
                        : "The lease has ended: nobody confirms that this node is heard");
    }
    if (backed && !was_backed_) settled_at_ = now + keeper_->lease();
    was_backed_ = backed;
    stopped_ = cut_off() && !holds;
    hooks_.looked();
  }
  feed(holds);
  if (!ended() || !holds || now < keeper_->stop_by()) return;
  if (!overdue_) {
    overdue_ = true;
    hooks_.log(Severity::error,
               "CRIT: what runs here could not be stopped before the lease was over");
    hooks_.overdue();
  }
}

Task<void> Guard::follow_clock() {
  while (!stopping_) {
    look();
    hooks_.flush();
    io::Op op;
    sleeping_ = &op;
    clock_.sleep(op, every_);
    co_await op;
    sleeping_ = nullptr;
  }
}

Task<void> Guard::stop() {
  stopping_ = true;
  if (sleeping_ != nullptr) clock_.wake(*sleeping_);
  co_await tasks_.close();
}

}  // namespace ha::daemon
