#include "adm/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace replicator::adm {
namespace {

using C = ConnectionState;
using D = DiskState;

std::string clock_time(std::uint64_t seconds) {
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

class Plan {
 public:
  Plan(const PlanRequest& request, const PlanFacts& facts) : request_(request), facts_(facts) {}

  std::string text() {
    const std::string& verb = request_.verb;
    if (verb == "create-md") each_number([this](std::uint32_t n) { create_md(n); });
    else if (verb == "adjust") adjust();
    else if (facts_.status == nullptr) not_up();
    else if (verb == "primary") primary();
    else if (verb == "down") down();
    else if (verb == "connect") connect();
    else if (verb == "disconnect") disconnect();
    else each_volume();
    return text_ + "Nothing was changed.\n";
  }

 private:
  template <class... Values>
  void line(fmt::format_string<Values...> format, Values&&... values) {
    text_ += facts_.resource + ": " + fmt::format(format, std::forward<Values>(values)...) + "\n";
  }
  template <class... Values>
  void about(std::uint32_t number, fmt::format_string<Values...> format, Values&&... values) {
    text_ += fmt::format("{}/{}: ", facts_.resource, number) +
             fmt::format(format, std::forward<Values>(values)...) + "\n";
  }
  template <class Each>
  void each_number(Each each) {
    for (const std::uint32_t number : request_.volumes)
      each(number);
  }

  [[nodiscard]] const VolumeStatus* find(std::uint32_t number) const {
    for (const VolumeStatus& volume : facts_.status->volumes) {
      if (volume.volume == number) return &volume;
    }
    return nullptr;
  }
  [[nodiscard]] VolumeState any() const {
    return facts_.status->volumes.empty() ? VolumeState() : facts_.status->volumes.front().state;
  }
  static bool connected(const VolumeState& state) { return state.connection >= C::connected; }
  [[nodiscard]] const std::string& here() const { return facts_.node; }
  [[nodiscard]] const std::string& peer() const { return facts_.peer; }

  [[nodiscard]] const control::VolumeShow* shown(std::uint32_t number) const {
    if (facts_.shown == nullptr) return nullptr;
    for (const control::VolumeShow& volume : facts_.shown->volumes) {
      if (volume.volume == number) return &volume;
    }
    return nullptr;
  }

  // A controller never goes beyond c-max-rate; without one the rate is fixed.
  [[nodiscard]] std::string duration(std::uint32_t number, std::uint64_t kib) const {
    const control::VolumeShow* volume = shown(number);
    const DiskOptions options = volume == nullptr ? DiskOptions() : volume->disk;
    const bool fixed = options.c_plan_ahead_tenths == 0;
    const std::uint64_t rate =
        std::max<std::uint64_t>(fixed ? options.resync_rate : options.c_max_rate, 1);
    return fmt::format("{} {} at {} {} KiB/s", fixed ? "about" : "at least",
                       clock_time((kib + rate - 1) / rate), fixed ? "resync-rate" : "c-max-rate",
                       rate);
  }
  void copies(std::uint32_t number, const std::string& from, const std::string& to,
              std::uint64_t kib) {
    if (kib == 0) about(number, "nothing is copied");
    else about(number, "resync {} -> {}: {} KiB, {}", from, to, kib, duration(number, kib));
  }

  void not_up() { line("is not up: nothing to be done by {}", request_.verb); }

  // --- roles ---

  void primary() {
    const VolumeState state = any();
    if (state.role == Role::primary) return line("is Primary already: no change");
    if (state.peer_role == Role::primary)
      line("{} is Primary: refused unless allow-two-primaries is set", peer());
    line("role here: Secondary -> Primary");
    for (const VolumeStatus& volume : facts_.status->volumes)
      promote(volume);
    if (!connected(state) && fences()) line("the handler fence-peer is called first");
  }

  [[nodiscard]] bool fences() const {
    return facts_.shown != nullptr &&
           std::any_of(
               facts_.shown->volumes.begin(), facts_.shown->volumes.end(),
               [](const auto& volume) { return volume.disk.fencing != Fencing::dont_care; });
  }

  void promote(const VolumeStatus& volume) {
    const VolumeState& state = volume.state;
    const std::uint32_t number = volume.volume;
    if (state.disk == D::up_to_date) {
      about(number, "the disk is UpToDate: nothing is copied or lost by this");
      if (!connected(state))
        about(number,
              "{} is not connected: if it is or becomes Primary as well, that is a split "
              "brain",
              peer());
      return;
    }
    const bool peer_good = connected(state) && state.peer_disk == D::up_to_date;
    if (peer_good)
      return about(number, "the disk is {}, {} serves the data", name(state.disk), peer());
    if (!request_.force)
      return about(number, "the disk is {} and no UpToDate data are in reach: refused",
                   name(state.disk));
    if (state.disk < D::inconsistent)
      return about(number, "there is no disk: refused, also with --force");
    about(number, "disk here: {} -> UpToDate: what is on it counts as good, whatever it is",
          name(state.disk));
    if (!connected(state))
      return about(number,
                   "{} is not connected: what it has that is newer is lost when it is "
                   "connected and overwritten; {} KiB are marked here so far",
                   peer(), volume.out_of_sync_kib);
    copies(number, here(), peer(), volume.out_of_sync_kib);
    if (volume.out_of_sync_kib != 0)
      about(number, "discarded: what {} has in these {} KiB", peer(), volume.out_of_sync_kib);
  }

  // --- volumes ---

  void each_volume() {
    each_number([this](std::uint32_t number) {
      const VolumeStatus* volume = find(number);
      if (volume == nullptr)
        return about(number, "is not up: nothing to be done by {}", request_.verb);
      if (request_.verb == "invalidate")
        invalidate(*volume, here(), peer(), volume->state.disk, volume->state.peer_disk);
      else if (request_.verb == "invalidate-remote")
        invalidate(*volume, peer(), here(), volume->state.peer_disk, volume->state.disk);
      else if (request_.verb == "detach") detach(*volume);
      else resize(*volume);
    });
  }

  void invalidate(const VolumeStatus& volume, const std::string& target, const std::string& source,
                  D lost, D good) {
    const std::uint32_t number = volume.volume;
    const VolumeState& state = volume.state;
    const bool local = request_.verb == "invalidate";
    if (state.connection == C::stand_alone) {
      const bool refused = local == (state.role == Role::primary);
      if (refused) return about(number, "is StandAlone and {}: refused", name(state.role));
      about(number, "is StandAlone: noted, and done at the next connection");
      about(number, "then resync {} -> {}: {} KiB, {}", source, target, volume.size_kib,
            duration(number, volume.size_kib));
    } else if (state.connection != C::connected) {
      return about(number, "is {}: refused, it needs a connection without a resync",
                   name(state.connection));
    } else if (good != D::up_to_date) {
      return about(number, "the disk of {} is {}: refused, there is no good copy", source,
                   name(good));
    } else {
      about(number, "disk of {}: {} -> Inconsistent until the resync is over", target, name(lost));
      copies(number, source, target, volume.size_kib);
    }
    about(number, "discarded: all that {} has; {} KiB are known to differ now", target,
          volume.out_of_sync_kib);
    about(number, "until it is over {} is the only good copy", source);
  }

  void detach(const VolumeStatus& volume) {
    const std::uint32_t number = volume.volume;
    const VolumeState& state = volume.state;
    if (state.disk == D::diskless) return about(number, "has no disk: no change");
    about(number, "disk here: {} -> Diskless", name(state.disk));
    const bool there = connected(state) && state.peer_disk == D::up_to_date;
    if (state.role == Role::primary && !there) {
      about(number, "{}",
            request_.force
                ? "no UpToDate data are in reach afterwards: applications get errors, or "
                  "wait (on-no-data-accessible)"
                : "no UpToDate data would be in reach: refused");
      return;
    }
    if (state.role == Role::primary)
      about(number, "{} serves the data: each read and write goes over the network", peer());
    if (volume.progress.active)
      about(number, "the {} under way ends, {} KiB are left",
            volume.progress.verify ? "verify" : "resync", volume.progress.left_blocks * 4);
    if (there)
      about(number,
            "{} is the only good copy until this disk is attached again; then what was "
            "written meanwhile is copied",
            peer());
    if (request_.force) about(number, "--force: writes under way are not waited for");
  }

  void resize(const VolumeStatus& volume) {
    const std::uint32_t number = volume.volume;
    const auto found = facts_.disks.find(number);
    const DiskFacts disk = found == facts_.disks.end() ? DiskFacts() : found->second;
    if (!disk.problem.empty())
      return about(number, "the disk cannot be looked at: {}", disk.problem);
    if (!connected(volume.state))
      return about(number, "is not connected: refused, both nodes take part");
    if (is_syncing(volume.state.connection)) return about(number, "a resync is under way: refused");
    if (volume.state.role != Role::primary && volume.state.peer_role != Role::primary)
      about(number, "one node has to be Primary: refused as it is");
    std::uint64_t most = disk.data_kib;
    if (request_.size_kib) most = std::min(most, *request_.size_kib);
    about(number, "this disk has room for {} KiB of data; {}'s may have less", disk.data_kib,
          peer());
    if (most == volume.size_kib) return about(number, "the size stays {} KiB", volume.size_kib);
    if (most < volume.size_kib) {
      about(number, "size: {} -> {} KiB", volume.size_kib, most);
      return about(number,
                   "discarded: the last {} KiB; a file system that reaches there is "
                   "destroyed unless it was shrunk first",
                   volume.size_kib - most);
    }
    const std::uint64_t more = most - volume.size_kib;
    about(number, "size: {} -> up to {} KiB", volume.size_kib, most);
    if (request_.assume_clean)
      return about(number, "the new {} KiB are taken for equal, not copied", more);
    const bool primary_here = volume.state.role == Role::primary;
    copies(number, primary_here ? here() : peer(), primary_here ? peer() : here(), more);
  }

  // --- connection ---

  void connect() {
    const VolumeState state = any();
    if (facts_.status->has_connection && state.connection != C::stand_alone)
      return line("is {} already: refused, disconnect first", name(state.connection));
    if (request_.discard_my_data && state.role == Role::primary)
      return line("is Primary: refused, it cannot give up its data");
    line("connection: StandAlone -> connecting to {}", peer());
    for (const VolumeStatus& volume : facts_.status->volumes) {
      const std::uint64_t marked = volume.out_of_sync_kib;
      if (!request_.discard_my_data) {
        about(volume.volume,
              "{} KiB are marked here; the handshake decides who copies to whom, and "
              "a split brain is left as it is unless after-sb-* says otherwise",
              marked);
        continue;
      }
      about(volume.volume,
            "if it is a split brain: resync {} -> {}: {} KiB that were changed here, {}, "
            "and what was changed there",
            peer(), here(), marked, duration(volume.volume, marked));
      about(volume.volume,
            "discarded then: what was written here since the two lost each other, "
            "in these {} KiB",
            marked);
    }
    if (request_.discard_my_data) {
      line("if it is no split brain the option makes no difference");
      line("'pollux explain split-brain {}' shows which ranges these are", facts_.resource);
    }
  }

  void disconnect() {
    const VolumeState state = any();
    if (!facts_.status->has_connection) return line("is StandAlone: no change");
    line("connection: {} -> StandAlone", name(state.connection));
    parts(state);
  }

  void parts(const VolumeState& state) {
    for (const VolumeStatus& volume : facts_.status->volumes) {
      if (!volume.progress.active) continue;
      about(volume.volume,
            "the {} under way stops with {} KiB left; it goes on when they are "
            "connected again",
            volume.progress.verify ? "verify" : "resync", volume.progress.left_blocks * 4);
    }
    if (!connected(state)) return;
    if (state.peer_role == Role::primary)
      line("{} goes on alone; what it writes is copied when they are connected again", peer());
    else if (state.role == Role::primary && request_.verb == "disconnect")
      line("this node goes on alone; what it writes is copied when they are connected again");
  }

  void down() {
    const VolumeState state = any();
    if (state.role == Role::primary) line("role here: Primary -> Secondary");
    for (const VolumeStatus& volume : facts_.status->volumes) {
      if (volume.open) about(volume.volume, "is open: refused while it is");
    }
    if (facts_.status->has_connection) {
      line("connection: {} -> StandAlone", name(state.connection));
      parts(state);
    }
    for (const VolumeStatus& volume : facts_.status->volumes) {
      if (volume.state.disk != D::diskless)
        about(volume.volume, "disk here: {} -> Diskless", name(volume.state.disk));
    }
    line("its devices go away; nothing on the disks is lost");
  }

  // --- meta data and configuration ---

  void create_md(std::uint32_t number) {
    const auto found = facts_.disks.find(number);
    const DiskFacts disk = found == facts_.disks.end() ? DiskFacts() : found->second;
    if (!disk.problem.empty())
      return about(number, "the disk cannot be looked at: {}", disk.problem);
    if (disk.in_use) return about(number, "the disk is in use: refused");
    about(number, "new meta data; {} KiB are left for data", disk.data_kib);
    if (!disk.content.empty())
      about(number, "the disk has {}; it stays if it does not reach into the meta data",
            disk.content);
    const std::uint64_t most = disk.agreed_kib != 0 ? disk.agreed_kib : disk.data_kib;
    if (disk.metadata)
      about(number,
            "discarded: the meta data that are there: generations, and what is known to be "
            "out of sync, of a device of {} KiB",
            disk.agreed_kib);
    else about(number, "no meta data are there yet");
    about(number, "the next connection copies everything: up to {} KiB, {}", most,
          duration(number, most));
  }

  void adjust() {
    if (facts_.steps.empty()) return line("runs as it is configured: no change");
    for (const std::string& reason : facts_.reasons)
      line("{}", reason);
    for (const Step& step : facts_.steps) {
      line("{}", adm::text(step));
      consequence(step);
    }
  }

  void consequence(const Step& step) {
    if (step.tool != Tool::drbdsetup || facts_.status == nullptr || step.arguments.size() < 2)
      return;
    if (step.arguments[0] == "disconnect") {
      line("  the connection is cut and made anew");
      parts(any());
    }
    if (step.arguments[0] != "detach") return;
    for (const VolumeStatus& volume : facts_.status->volumes) {
      if (std::to_string(volume.minor) == step.arguments[1]) detach(volume);
    }
  }

  const PlanRequest& request_;
  const PlanFacts& facts_;
  std::string text_;
};

}  // namespace

bool can_plan(std::string_view verb) noexcept {
  constexpr std::array<std::string_view, 9> verbs{"primary", "invalidate", "invalidate-remote",
                                                  "connect", "disconnect", "create-md",
                                                  "resize",  "adjust",     "detach"};
  return verb == "down" || std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

std::string plan_text(const PlanRequest& request, const PlanFacts& facts) {
  return Plan(request, facts).text();
}

}  // namespace replicator::adm
