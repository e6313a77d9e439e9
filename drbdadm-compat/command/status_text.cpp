#include "command/status_text.hpp"

#include <fmt/format.h>

#include <string_view>

#include "control/proc_drbd.hpp"
#include "control/state_words.hpp"

namespace replicator::command {
namespace {

using control::connection_word;
using control::is_connected;
using control::replication_word;
using control::resync_suspended_words;
using control::suspended_words;
using control::sync_rate;
using control::SyncRate;
using control::write_ordering_word;

constexpr std::size_t width = 80;

// Words of one logical line, wrapped at blanks with a deeper indent.
class Line {
 public:
  Line(std::size_t indent, std::size_t continuation)
      : text_(indent, ' '), column_(indent), continuation_(continuation), fresh_(true) {}

  void word(std::string_view word) {
    if (!fresh_ && column_ + 1 + word.size() > width) {
      text_ += "\n" + std::string(continuation_, ' ');
      column_ = continuation_;
    } else if (!fresh_) {
      text_ += ' ';
      ++column_;
    }
    text_ += word;
    column_ += word.size();
    fresh_ = false;
  }
  void pair(std::string_view key, std::string_view value) {
    word(std::string(key) + ":" + std::string(value));
  }
  void number(std::string_view key, std::uint64_t value) { pair(key, std::to_string(value)); }
  // The words that follow stand on a line of their own.
  void next() {
    if (fresh_) return;
    text_ += "\n" + std::string(continuation_, ' ');
    column_ = continuation_;
    fresh_ = true;
  }
  [[nodiscard]] std::string finish() const { return text_ + "\n"; }

 private:
  std::string text_;
  std::size_t column_;
  std::size_t continuation_;
  bool fresh_;
};

std::string_view yes_no(bool value) { return value ? "yes" : "no"; }

class Block {
 public:
  Block(const ResourceStatus& resource, StatusOptions options)
      : resource_(resource),
        options_(options),
        numbered_(options.verbose || resource.volumes.size() != 1 ||
                  resource.volumes.front().volume != 0) {}

  std::string text() {
    const VolumeState state = any_state();
    Line head(0, 4);
    head.word(resource_.name);
    if (options_.verbose) head.number("node-id", 0);
    head.pair("role", name(state.role));
    if (options_.verbose || state.suspended()) head.pair("suspended", suspended_words(state));
    if (options_.verbose) head.pair("force-io-failures", "no");
    if (options_.verbose && options_.statistics && !resource_.volumes.empty()) {
      head.next();
      head.pair("write-ordering", write_ordering_word(resource_.volumes.front().write_ordering));
    }
    std::string text = head.finish();
    for (const VolumeStatus& volume : resource_.volumes)
      text += device(volume);
    if (resource_.has_connection) text += connection(state);
    return text + "\n";
  }

 private:
  [[nodiscard]] VolumeState any_state() const {
    return resource_.volumes.empty() ? VolumeState() : resource_.volumes.front().state;
  }

  std::string device(const VolumeStatus& volume) {
    Line line(2, 6);
    if (numbered_) line.number("volume", volume.volume);
    if (options_.verbose) line.number("minor", volume.minor);
    line.pair("disk", name(volume.state.disk));
    const bool diskless = volume.state.disk == DiskState::diskless;
    // A disk that is away is never away on purpose here.
    if (diskless && (options_.verbose || !options_.terminal)) line.pair("client", "no");
    if (options_.verbose) {
      const bool named = !diskless && !volume.backing_disk.empty();
      line.pair("backing_dev", named ? volume.backing_disk : "none");
      line.pair("quorum", "yes");
      line.pair("open", yes_no(volume.open));
    }
    const std::string_view blocked = volume.state.suspended() ? "upper" : "no";
    if (!options_.statistics) {
      if (options_.verbose || volume.state.suspended()) line.pair("blocked", blocked);
      return line.finish();
    }
    line.next();
    if (options_.verbose) line.number("size", volume.size_kib);
    line.number("read", volume.disk_read_kib);
    line.number("written", volume.disk_written_kib);
    if (options_.verbose) {
      line.number("al-writes", volume.activity_log_writes);
      line.number("bm-writes", volume.bitmap_writes);
      line.number("upper-pending", volume.application_pending);
      line.number("lower-pending", volume.local_pending);
      line.pair("al-suspended", yes_no(volume.activity_log_suspended));
    }
    if (options_.verbose || volume.state.suspended()) line.pair("blocked", blocked);
    return line.finish();
  }

  std::string connection(const VolumeState& state) {
    const bool connected = is_connected(state.connection);
    Line line(2, 6);
    line.word(resource_.peer_name.empty() ? std::string_view("peer")
                                          : std::string_view(resource_.peer_name));
    if (options_.verbose) line.number("node-id", 0);
    if (options_.verbose || !connected) line.pair("connection", connection_word(state.connection));
    if (options_.verbose || connected) line.pair("role", name(state.peer_role));
    if (options_.verbose || resource_.tls) line.pair("tls", yes_no(resource_.tls));
    if (options_.verbose) {
      line.pair("congested", "no");
      line.number("ap-in-flight", control::application_in_flight(resource_));
      line.number("rs-in-flight", control::resync_in_flight(resource_));
    }
    std::string text = line.finish();
    if (!connected && !options_.verbose && !options_.statistics) return text;
    for (const VolumeStatus& volume : resource_.volumes)
      text += peer_device(volume);
    return text;
  }

  std::string peer_device(const VolumeStatus& volume) {
    const VolumeState& state = volume.state;
    Line line(4, 8);
    if (numbered_) line.number("volume", volume.volume);
    if (options_.verbose || state.connection > ConnectionState::connected) {
      line.pair("replication", replication_word(state.connection));
    }
    if (options_.verbose || options_.statistics || state.peer_disk != DiskState::d_unknown) {
      line.pair("peer-disk", name(state.peer_disk));
    }
    const bool away = state.peer_disk == DiskState::diskless;
    if (away && (options_.verbose || !options_.terminal)) line.pair("peer-client", "no");
    if (volume.progress.active) {
      line.pair("done", fmt::format("{:.2f}", sync_rate(volume.progress).done_percent));
    }
    const std::string paused = resync_suspended_words(state);
    if (options_.verbose || paused != "no") line.pair("resync-suspended", paused);
    if (options_.statistics) counters(line, volume);
    return line.finish();
  }

  void counters(Line& line, const VolumeStatus& volume) const {
    line.next();
    line.number("received", volume.net_received_kib);
    line.number("sent", volume.net_sent_kib);
    const auto shown = [&](std::string_view key, std::uint64_t value) {
      if (options_.verbose || value != 0) line.number(key, value);
    };
    shown("out-of-sync", volume.out_of_sync_kib);
    shown("pending", volume.peer_pending);
    shown("unacked", volume.peer_unacknowledged);
    if (options_.verbose && volume.progress.active) rate(line, volume.progress);
  }

  static void rate(Line& line, const SyncProgress& progress) {
    const SyncRate rate = sync_rate(progress);
    line.pair("dbdt1", fmt::format("{:.2f}", rate.recent));
    if (rate.moving) line.number("eta", rate.seconds_left);
  }

  const ResourceStatus& resource_;
  StatusOptions options_;
  bool numbered_;
};

std::string_view one_or_nothing(bool value) { return value ? "1" : ""; }

}  // namespace

std::string status_text(const ResourceStatus& resource, StatusOptions options) {
  return Block(resource, options).text();
}

bool unconfigured(const VolumeState& state) noexcept {
  return state.connection == ConnectionState::stand_alone && state.disk == DiskState::diskless &&
         state.role != Role::primary;
}

std::string sh_status_of_missing(std::uint32_t minor) {
  return fmt::format(
      "_minor={}\n_res_name=\n_volume=-1\n_known=NA # not available or not yet created\n\n"
      "_cstate=Unconfigured\n_role=\n_peer=\n_disk=\n_pdsk=\n\n"
      "_flags_susp=\n_flags_aftr_isp=\n_flags_peer_isp=\n_flags_user_isp=\n\n"
      "_resynced_percent=\n\n_sh_status_process\n\n\n",
      minor);
}

std::string sh_status_text(const ResourceStatus& resource, const VolumeStatus& volume) {
  const VolumeState& state = volume.state;
  const bool idle = unconfigured(state);
  const auto shown = [&](std::string_view word) { return idle ? std::string_view() : word; };
  std::string percent;
  if (volume.progress.active) {
    const std::uint32_t permil = control::done_permil(volume.progress);
    percent = fmt::format("{}.{}", permil / 10, permil % 10);
  }
  return fmt::format(
      "_minor={}\n_res_name={}\n_volume={}\n_known={}\n\n"
      "_cstate={}\n_role={}\n_peer={}\n_disk={}\n_pdsk={}\n\n"
      "_flags_susp={}\n_flags_aftr_isp={}\n_flags_peer_isp={}\n_flags_user_isp={}\n\n"
      "_resynced_percent={}\n\n_sh_status_process\n\n\n",
      volume.minor, resource.name, volume.volume, idle ? "Unconfigured" : "Configured",
      idle ? std::string_view("Unconfigured") : name(state.connection), shown(name(state.role)),
      shown(name(state.peer_role)), shown(name(state.disk)), shown(name(state.peer_disk)),
      one_or_nothing(state.suspended()), one_or_nothing(state.sync_paused_by_dependency),
      one_or_nothing(state.sync_paused_by_peer), one_or_nothing(state.sync_paused_by_user),
      percent);
}

std::string sh_status_text(const ResourceStatus& resource) {
  std::string text;
  for (const VolumeStatus& volume : resource.volumes)
    text += sh_status_text(resource, volume);
  return text;
}

}  // namespace replicator::command
