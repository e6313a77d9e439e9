// A snapshot of everything that status displays show, as plain values: made by the engine on its
// thread, printed by proc/drbd, `drbdsetup status`, events and metrics.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/histogram.hpp"
#include "engine/config.hpp"
#include "protocol/states.hpp"

namespace replicator {

// Progress of a running resync or verify; docs/operations.md#progress.
struct SyncProgress {
  bool active = false;  // SyncSource, SyncTarget, VerifyS, VerifyT (and paused ones)
  bool verify = false;
  std::uint64_t total_blocks = 0;  // 4 KiB blocks to do at the start
  std::uint64_t left_blocks = 0;
  std::uint64_t failed_blocks = 0;
  std::uint64_t equal_blocks = 0;     // found equal by their checksums
  std::uint64_t position_sector = 0;  // verify: up to here blocks have been asked for
  std::uint64_t elapsed_ms = 0;       // since the start, paused time excluded
  std::uint64_t paused_ms = 0;
  std::uint64_t in_flight_blocks = 0;  // asked for and not yet here; SyncTarget only
  std::uint64_t latest_ms = 0;         // window of about 3 s: duration and blocks done in it
  std::uint64_t latest_blocks = 0;
  std::uint64_t recent_ms = 0;  // window of about 18 s: duration and blocks done in it
  std::uint64_t recent_blocks = 0;
  std::uint64_t want_kib_per_second = 0;  // controller's aim; SyncTarget and VerifyS only
  bool stalled = false;
};

struct VolumeStatus {
  std::uint32_t volume = 0;
  std::uint32_t minor = 0;
  VolumeState state;
  std::string backing_disk;  // empty when diskless
  std::string meta_disk;
  MetaDiskIndex meta_index;
  std::uint64_t size_kib = 0;
  bool open = false;
  bool activity_log_suspended = false;
  // Counters of proc/drbd; KiB or counts.
  std::uint64_t net_sent_kib = 0;
  std::uint64_t net_received_kib = 0;
  std::uint64_t disk_written_kib = 0;
  std::uint64_t disk_read_kib = 0;
  std::uint64_t activity_log_writes = 0;
  std::uint64_t bitmap_writes = 0;
  std::uint64_t local_pending = 0;
  std::uint64_t peer_pending = 0;
  std::uint64_t peer_unacknowledged = 0;
  std::uint64_t application_pending = 0;
  std::uint64_t in_doubt_sectors = 0;  // sent to the peer, and not known to be stable there
  std::uint64_t epochs = 1;
  char write_ordering = 'f';
  std::uint64_t out_of_sync_kib = 0;
  SyncProgress progress;
  // Generation identifiers: current, bitmap, history younger, history older.
  std::uint64_t generations[4] = {0, 0, 0, 0};
};

// Where the time of application writes goes, since the volume was made.
struct WriteTimes {
  Histogram log;   // waiting for the activity log; only writes that had to
  Histogram disk;  // at the local disk
  Histogram peer;  // from being handed to the connection to the peer's answer
};

struct ResourceStatus {
  std::string name;
  bool has_connection = false;  // a net configuration exists
  bool tls = false;
  char protocol = 'C';
  std::string peer_name;  // host name of the peer when known, else empty
  PeerConfig peer;
  std::vector<VolumeStatus> volumes;  // by volume number
};

}  // namespace replicator
