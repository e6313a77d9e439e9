// Run-time options of a resource, with DRBD 8.4's defaults and units. Parsed and range-checked by
// control/option_table; the engine only reads them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "io/address.hpp"
#include "metadata/meta_disk_index.hpp"

namespace replicator {

namespace tls {
class Context;
}

enum class WireProtocol : std::uint8_t { a = 1, b = 2, c = 3 };
enum class AfterSplitBrain : std::uint8_t {  // wire values, docs/protocol.md#p_protocol
  disconnect = 0,
  discard_younger_primary = 1,
  discard_older_primary = 2,
  discard_zero_changes = 3,
  discard_least_changes = 4,
  discard_local = 5,
  discard_remote = 6,
  consensus = 7,
  discard_secondary = 8,
  call_pri_lost_after_sb = 9,
  violently_as0p = 10,
};
enum class ConflictPolicy : std::uint8_t { disconnect = 0, call_pri_lost = 9, violently = 10 };
enum class OnCongestion : std::uint8_t { block, pull_ahead, disconnect };
enum class OnIoError : std::uint8_t { pass_on, call_local_io_error, detach };
enum class Fencing : std::uint8_t { dont_care, resource_only, resource_and_stonith };
enum class OnNoData : std::uint8_t { io_error, suspend_io };
enum class ReadBalancing : std::uint8_t {
  prefer_local,
  prefer_remote,
  round_robin,
  least_pending,
  when_congested_remote,
  stripe_32k,
  stripe_64k,
  stripe_128k,
  stripe_256k,
  stripe_512k,
  stripe_1m,
};

struct ResourceOptions {
  std::string cpu_mask;
  OnNoData on_no_data_accessible = OnNoData::io_error;
};

struct NetOptions {
  WireProtocol protocol = WireProtocol::c;
  std::uint32_t timeout_tenths = 60;
  std::uint32_t connect_interval_seconds = 10;
  std::uint32_t ping_interval_seconds = 10;
  std::uint32_t ping_timeout_tenths = 5;
  std::uint32_t max_epoch_size = 2048;
  std::uint32_t max_buffers = 2048;  // 4 KiB pages
  std::uint32_t unplug_watermark = 128;
  std::uint32_t send_buffer_bytes = 0;
  std::uint32_t receive_buffer_bytes = 0;
  std::uint32_t ko_count = 7;
  bool allow_two_primaries = false;
  std::string cram_hmac_alg;
  std::string shared_secret;
  AfterSplitBrain after_sb_0pri = AfterSplitBrain::disconnect;
  AfterSplitBrain after_sb_1pri = AfterSplitBrain::disconnect;
  AfterSplitBrain after_sb_2pri = AfterSplitBrain::disconnect;
  bool always_asbp = false;
  ConflictPolicy rr_conflict = ConflictPolicy::disconnect;
  std::string data_integrity_alg;
  bool tcp_cork = true;
  OnCongestion on_congestion = OnCongestion::block;
  std::uint64_t congestion_fill_sectors = 0;
  std::uint32_t congestion_extents = 1237;
  std::string csums_alg;
  bool csums_after_crash_only = false;
  std::string verify_alg;
  bool use_rle = true;
  std::uint32_t socket_check_timeout_tenths = 0;  // 0: ping-timeout
  std::uint32_t protocol_version_max = 101;       // ours: the highest that is offered
  bool tls = false;
  std::string tls_keyring;  // files; the daemon reads them
  std::string tls_privkey;
  std::string tls_certificate;
  std::string tls_psk_file;
  std::string tls_psk_identity;
  std::shared_ptr<const tls::Context> tls_context;  // what was in them; null without tls
  // Of one connection attempt, not configuration:
  bool discard_my_data = false;
  bool tentative = false;
};

struct DiskOptions {
  std::uint64_t size_sectors = 0;  // 0 = all
  OnIoError on_io_error = OnIoError::detach;
  Fencing fencing = Fencing::dont_care;
  bool disk_barrier = false;
  bool disk_flushes = true;
  bool disk_drain = true;
  bool md_flushes = true;
  std::uint32_t al_extents = 1237;
  bool al_updates = true;
  std::uint32_t disk_timeout_tenths = 0;
  std::int32_t resync_after_minor = -1;
  ReadBalancing read_balancing = ReadBalancing::prefer_local;
  bool discard_zeroes_if_aligned = true;
  bool disable_write_same = false;
  std::uint32_t rs_discard_granularity = 0;  // bytes
  // Resync pacing (docs/protocol.md#resync-pacing); rates in KiB/s.
  std::uint32_t resync_rate = 250;
  std::uint32_t c_plan_ahead_tenths = 20;
  std::uint32_t c_delay_target_tenths = 10;
  std::uint32_t c_fill_target_sectors = 100;
  std::uint32_t c_max_rate = 102400;
  std::uint32_t c_min_rate = 0;  // KiB/s under application I/O; 0: no limit of this kind
  // What a victim's resync overwrites is kept (docs/undo.md).
  bool undo = true;
  std::uint64_t undo_max_size_sectors = 16777216;  // 8 GiB; 0 = no limit
  std::uint32_t undo_min_free_percent = 20;        // of the file system
};

struct BackingConfig {
  std::string disk_path;
  std::string meta_disk_path;  // equal to disk_path when internal
  MetaDiskIndex meta_index;
};

struct PeerConfig {
  io::Address local;
  io::Address peer;
};

}  // namespace replicator
