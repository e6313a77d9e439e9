// DRBD's reply numbers. 0 and 1…4 are success; 101…176 are configuration errors; negative numbers
// are refused state changes and are shared with the wire protocol. Texts are DRBD's own, because
// scripts and people search for them.
#pragma once

#include <string_view>

namespace replicator::control {

inline constexpr int ok_code = 0;

// State changes (docs/protocol.md#state-replies).
inline constexpr int ss_unknown_error = 0;
inline constexpr int ss_success = 1;
inline constexpr int ss_nothing_to_do = 2;
inline constexpr int ss_cluster_wide_success = 3;
inline constexpr int ss_no_longer_cluster_wide = 4;
inline constexpr int ss_two_primaries = -1;
inline constexpr int ss_no_up_to_date_disk = -2;
inline constexpr int ss_no_local_disk = -4;
inline constexpr int ss_no_remote_disk = -5;
inline constexpr int ss_connected_outdates = -6;
inline constexpr int ss_primary_nop = -7;
inline constexpr int ss_resync_running = -8;
inline constexpr int ss_already_stand_alone = -9;
inline constexpr int ss_refused_by_peer = -10;
inline constexpr int ss_is_diskless = -11;
inline constexpr int ss_device_in_use = -12;
inline constexpr int ss_no_net_config = -13;
inline constexpr int ss_no_verify_alg = -14;
inline constexpr int ss_need_connection = -15;
inline constexpr int ss_lower_than_outdated = -16;
inline constexpr int ss_not_supported = -17;
inline constexpr int ss_in_transient_state = -18;
inline constexpr int ss_concurrent_changes = -19;
inline constexpr int ss_peer_volume_primary = -20;
inline constexpr int ss_outdate_without_connection = -21;

// Configuration errors.
inline constexpr int err_local_address_in_use = 102;
inline constexpr int err_peer_address_in_use = 103;
inline constexpr int err_open_disk = 104;
inline constexpr int err_open_meta_disk = 105;
inline constexpr int err_disk_not_block_device = 107;
inline constexpr int err_meta_disk_not_block_device = 108;
inline constexpr int err_disk_too_small = 111;
inline constexpr int err_meta_disk_too_small = 112;
inline constexpr int err_disk_claimed = 114;
inline constexpr int err_meta_disk_claimed = 115;
inline constexpr int err_meta_index_invalid = 116;
inline constexpr int err_meta_io = 118;
inline constexpr int err_meta_invalid = 119;
inline constexpr int err_auth_alg = 120;
inline constexpr int err_auth_alg_no_digest = 121;
inline constexpr int err_no_memory = 122;
inline constexpr int err_discard_impossible = 123;
inline constexpr int err_disk_configured = 124;
inline constexpr int err_net_configured = 125;
inline constexpr int err_mandatory_tag = 126;
inline constexpr int err_minor_invalid = 127;
inline constexpr int err_resize_resync = 130;
inline constexpr int err_no_primary = 131;
inline constexpr int err_resync_after = 132;
inline constexpr int err_resync_after_cycle = 133;
inline constexpr int err_pause_already_set = 134;
inline constexpr int err_pause_already_clear = 135;
inline constexpr int err_no_disk = 138;
inline constexpr int err_not_protocol_c = 139;
inline constexpr int err_no_memory_bitmap = 140;
inline constexpr int err_integrity_alg = 141;
inline constexpr int err_integrity_alg_no_digest = 142;
inline constexpr int err_cpu_mask = 143;
inline constexpr int err_csums_alg = 144;
inline constexpr int err_csums_alg_no_digest = 145;
inline constexpr int err_verify_alg = 146;
inline constexpr int err_verify_alg_no_digest = 147;
inline constexpr int err_csums_resync_running = 148;
inline constexpr int err_verify_running = 149;
inline constexpr int err_data_not_current = 150;
inline constexpr int err_connected = 151;
inline constexpr int err_permission = 152;
inline constexpr int err_need_apv_93 = 153;
inline constexpr int err_stonith_and_protocol_a = 154;
inline constexpr int err_congestion_not_protocol_a = 155;
inline constexpr int err_pause_is_dependency = 156;
inline constexpr int err_pause_is_peer = 157;
inline constexpr int err_resource_unknown = 158;
inline constexpr int err_resource_in_use = 159;
inline constexpr int err_minor_configured = 160;
inline constexpr int err_minor_or_volume_exists = 161;
inline constexpr int err_invalid_request = 162;
inline constexpr int err_need_apv_100 = 163;
inline constexpr int err_need_allow_two_primaries = 164;
inline constexpr int err_meta_unclean = 165;
inline constexpr int err_implicit_shrink = 170;

// DRBD's text of a code; empty for a number that has none.
std::string_view code_text(int code) noexcept;

constexpr bool is_success(int code) noexcept { return code >= 0 && code <= 4; }
constexpr bool is_configuration_error(int code) noexcept { return code > 100 && code <= 176; }

// The exit code of drbdsetup: 0, 10 (configuration), 11 (state change; 17, 5 and 16 for -2, -16 and
// -4), 20 for numbers that mean nothing.
int exit_code(int code) noexcept;

}  // namespace replicator::control
