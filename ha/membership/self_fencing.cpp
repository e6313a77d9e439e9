#include "ha/membership/self_fencing.hpp"

#include <fmt/format.h>

#include "ha/membership/lease.hpp"

namespace ha::membership {

namespace {

// Fewer would make a lease end because of one heartbeat that is lost, or two that are late.
constexpr std::int64_t keepalives_in_lease = 5;
constexpr Duration shortest_stop = Duration::milliseconds(500);
constexpr Duration second = Duration::seconds(1);

// What is left of deadtime after a node was last confirmed, by its own clock.
Duration budget(const HaCf& config) { return (config.deadtime - config.keepalive) * 100 / 101; }

// Devices count in seconds.
Duration whole_seconds(Duration time) { return Duration::seconds(time.milliseconds() / 1000); }

std::string ms(Duration time) { return fmt::format("{} ms", time.milliseconds()); }

void refuse_lease(const HaCf& config, std::vector<std::string>& texts) {
  if (config.lease < config.keepalive * keepalives_in_lease) {
    texts.push_back(
        fmt::format("lease [{}] is too small compared to keepalive [{}]: {} heartbeats "
                    "at least",
                    ms(config.lease), ms(config.keepalive), keepalives_in_lease));
  }
  if (config.lease_stop < shortest_stop) {
    texts.push_back(
        fmt::format("lease [{}] leaves [{}] for stopping before deadtime [{}] is over: "
                    "too little, make deadtime longer",
                    ms(config.lease), ms(config.lease_stop), ms(config.deadtime)));
    return;
  }
  const Duration worst = worst_case(config.lease, config.lease_stop, config.keepalive);
  if (worst > config.deadtime) {
    texts.push_back(fmt::format(
        "lease [{}] and stop [{}], with 1 % for clocks and keepalive [{}], are [{}]: longer than "
        "deadtime [{}], the other node would take over before this one has stopped",
        ms(config.lease), ms(config.lease_stop), ms(config.keepalive), ms(worst),
        ms(config.deadtime)));
  }
  if (config.nodes.size() == 2 && config.ping_nodes.empty()) {
    texts.emplace_back(
        "lease needs a witness with two nodes: a ping line, or better a third node "
        "that runs with --voter");
  }
}

}  // namespace

void fill_in_self_fencing(HaCf& config) {
  const Duration unset;
  const bool lease = config.lease > unset;
  if (lease && config.lease_stop == unset) config.lease_stop = budget(config) - config.lease;
  if (config.watchdog.empty() || config.watchdog_timeout != unset) return;
  const Duration most = lease ? config.lease_stop : budget(config) - config.keepalive;
  config.watchdog_timeout = whole_seconds(most);
}

std::vector<std::string> refuse_self_fencing(const HaCf& config) {
  std::vector<std::string> texts;
  const bool lease = config.lease > Duration();
  if (lease) refuse_lease(config, texts);
  if (config.watchdog.empty()) return texts;
  const Duration timeout = config.watchdog_timeout;
  if (timeout < second || timeout != whole_seconds(timeout)) {
    texts.push_back(fmt::format(
        "watchdog_timeout [{}]: devices count in whole seconds, and {}", ms(timeout),
        lease ? fmt::format("it must fit into the stop time [{}] of lease", ms(config.lease_stop))
              : fmt::format("it must fit into deadtime [{}]", ms(config.deadtime))));
  } else if (lease && timeout > config.lease_stop) {
    texts.push_back(
        fmt::format("watchdog_timeout [{}] is longer than the stop time [{}] of lease: "
                    "the node would be reset too late",
                    ms(timeout), ms(config.lease_stop)));
  } else if (!lease && worst_case(timeout, config.keepalive, config.keepalive) > config.deadtime) {
    texts.push_back(fmt::format(
        "watchdog_timeout [{}], with 1 % for clocks and two keepalives [{}], is longer than "
        "deadtime [{}]: the other node would take over before this one is reset",
        ms(timeout), ms(config.keepalive), ms(config.deadtime)));
  }
  return texts;
}

}  // namespace ha::membership
