// DRBD's configuration error numbers, as far as the engine itself decides them (texts:
// control/codes.hpp).
#pragma once

#include <cstdint>

namespace replicator {

inline constexpr std::int32_t admin_local_address_in_use = 102;
inline constexpr std::int32_t admin_open_disk = 104;
inline constexpr std::int32_t admin_disk_not_block_device = 107;
inline constexpr std::int32_t admin_disk_too_small = 111;
inline constexpr std::int32_t admin_disk_claimed = 114;
inline constexpr std::int32_t admin_meta_io = 118;
inline constexpr std::int32_t admin_meta_invalid = 119;
inline constexpr std::int32_t admin_discard_impossible = 123;
inline constexpr std::int32_t admin_disk_configured = 124;
inline constexpr std::int32_t admin_net_configured = 125;
inline constexpr std::int32_t admin_minor_invalid = 127;
inline constexpr std::int32_t admin_resize_resync = 130;
inline constexpr std::int32_t admin_no_primary = 131;
inline constexpr std::int32_t admin_resync_after = 132;
inline constexpr std::int32_t admin_resync_after_cycle = 133;
inline constexpr std::int32_t admin_pause_already_set = 134;
inline constexpr std::int32_t admin_pause_already_clear = 135;
inline constexpr std::int32_t admin_no_disk = 138;
inline constexpr std::int32_t admin_need_protocol_c = 139;
inline constexpr std::int32_t admin_integrity_alg = 141;
inline constexpr std::int32_t admin_csums_alg = 144;
inline constexpr std::int32_t admin_verify_alg = 146;
inline constexpr std::int32_t admin_csums_resync_running = 148;
inline constexpr std::int32_t admin_verify_running = 149;
inline constexpr std::int32_t admin_data_not_current = 150;
inline constexpr std::int32_t admin_connected = 151;
inline constexpr std::int32_t admin_need_version_93 = 153;
inline constexpr std::int32_t admin_stonith_with_protocol_a = 154;
inline constexpr std::int32_t admin_congestion_needs_protocol_a = 155;
inline constexpr std::int32_t admin_pause_by_dependency = 156;
inline constexpr std::int32_t admin_pause_by_peer = 157;
inline constexpr std::int32_t admin_minor_configured = 160;
inline constexpr std::int32_t admin_minor_or_volume_exists = 161;
inline constexpr std::int32_t admin_invalid_request = 162;
inline constexpr std::int32_t admin_need_apv_100 = 163;
inline constexpr std::int32_t admin_need_version_100 = 163;
inline constexpr std::int32_t admin_need_allow_two_primaries = 164;
inline constexpr std::int32_t admin_meta_unclean = 165;
inline constexpr std::int32_t admin_implicit_shrink = 170;

}  // namespace replicator
