#include "control/codes.hpp"

#include <array>
#include <span>

namespace replicator::control {
namespace {

struct CodeText {
  int code;
  std::string_view text;
};

constexpr std::array state_texts{
    CodeText{ss_two_primaries, "Multiple primaries not allowed by config"},
    CodeText{ss_no_up_to_date_disk, "Need access to UpToDate data"},
    CodeText{ss_no_local_disk, "Can not resync without local disk"},
    CodeText{ss_no_remote_disk, "Can not resync without remote disk"},
    CodeText{ss_connected_outdates, "Refusing to be Outdated while Connected"},
    CodeText{ss_primary_nop, "Refusing to be Primary while peer is not outdated"},
    CodeText{ss_resync_running, "Can not start OV/resync since it is already active"},
    CodeText{ss_already_stand_alone, "Can not disconnect a StandAlone device"},
    CodeText{ss_refused_by_peer, "State change was refused by peer node"},
    CodeText{ss_is_diskless, "Device is diskless, the requested operation requires a disk"},
    CodeText{ss_device_in_use, "Device is held open by someone"},
    CodeText{ss_no_net_config, "Have no net/connection configuration"},
    CodeText{ss_no_verify_alg, "Need a verify algorithm to start online verify"},
    CodeText{ss_need_connection, "Need a connection to start verify or resync"},
    CodeText{ss_lower_than_outdated, "Disk state is lower than outdated"},
    CodeText{ss_not_supported, "Peer does not support protocol"},
    CodeText{ss_in_transient_state, "In transient state, retry after next state change"},
    CodeText{ss_concurrent_changes, "Concurrent state changes detected and aborted"},
    CodeText{ss_peer_volume_primary, "Other vol primary on peer not allowed by config"},
    CodeText{ss_outdate_without_connection,
             "Need a connection for a graceful disconnect/outdate peer"},
};

constexpr std::array configuration_texts{
    CodeText{err_local_address_in_use, "Local address(port) already in use."},
    CodeText{err_peer_address_in_use, "Remote address(port) already in use."},
    CodeText{err_open_disk, "Can not open backing device."},
    CodeText{err_open_meta_disk, "Can not open meta device."},
    CodeText{err_disk_not_block_device, "Lower device is not a block device."},
    CodeText{err_meta_disk_not_block_device, "Meta device is not a block device."},
    CodeText{err_disk_too_small, "Low.dev. smaller than requested DRBD-dev. size."},
    CodeText{err_meta_disk_too_small, "Meta device too small."},
    CodeText{err_disk_claimed,
             "Lower device is already claimed. This usually means it is mounted."},
    CodeText{err_meta_disk_claimed,
             "Meta device is already claimed. This usually means it is mounted."},
    CodeText{err_meta_index_invalid, "Lower device / meta device / index combination invalid."},
    CodeText{err_meta_io, "IO error(s) occurred during initial access to meta-data."},
    CodeText{err_meta_invalid,
             "No valid meta-data signature found.\n\n"
             "\t==> Use 'drbdadm create-md res' to initialize meta-data area. <==\n"},
    CodeText{err_auth_alg, "The 'cram-hmac-alg' you specified is not known."},
    CodeText{err_auth_alg_no_digest, "The 'cram-hmac-alg' you specified is not a digest."},
    CodeText{err_no_memory, "Out of memory."},
    CodeText{err_discard_impossible, "--discard-my-data not allowed when primary."},
    CodeText{err_disk_configured, "Device is attached to a disk (use detach first)"},
    CodeText{err_net_configured, "Device has a net-config (use disconnect first)"},
    CodeText{err_mandatory_tag, "The request lacks a mandatory argument."},
    CodeText{err_minor_invalid, "Device minor not allocated"},
    CodeText{err_resize_resync, "Resize not allowed during resync."},
    CodeText{err_no_primary, "Need one Primary node to resize."},
    CodeText{err_resync_after, "The resync-after minor number is invalid"},
    CodeText{err_resync_after_cycle, "This would cause a resync-after dependency cycle"},
    CodeText{err_pause_already_set, "Sync-pause flag is already set"},
    CodeText{err_pause_already_clear, "Sync-pause flag is already cleared"},
    CodeText{err_no_disk, "Device does not have a disk-config"},
    CodeText{err_not_protocol_c, "Protocol C required"},
    CodeText{err_no_memory_bitmap, "Out of memory for the bitmap."},
    CodeText{err_integrity_alg, "The 'data-integrity-alg' you specified is not known."},
    CodeText{err_integrity_alg_no_digest,
             "The 'data-integrity-alg' you specified is not a digest."},
    CodeText{err_cpu_mask, "Invalid cpu-mask."},
    CodeText{err_csums_alg, "The 'csums-alg' you specified is not known."},
    CodeText{err_csums_alg_no_digest, "The 'csums-alg' you specified is not a digest."},
    CodeText{err_verify_alg, "The 'verify-alg' you specified is not known."},
    CodeText{err_verify_alg_no_digest, "The 'verify-alg' you specified is not a digest."},
    CodeText{err_csums_resync_running, "Can not change csums-alg while resync is in progress"},
    CodeText{err_verify_running, "Can not change verify-alg while online verify runs"},
    CodeText{err_data_not_current, "Can only attach to the data we lost last (see kernel log)."},
    CodeText{err_connected, "Need to be StandAlone"},
    CodeText{err_permission, "Permission denied. CAP_SYS_ADMIN necessary"},
    CodeText{err_need_apv_93, "Protocol version 93 required to use --assume-clean"},
    CodeText{err_stonith_and_protocol_a,
             "Fencing policy resource-and-stonith only with prot B or C allowed"},
    CodeText{err_congestion_not_protocol_a,
             "on-congestion policy pull-ahead only with prot A allowed"},
    CodeText{err_pause_is_dependency,
             "Sync-pause flag is already cleared.\n"
             "Note: Resync pause caused by a local resync-after dependency."},
    CodeText{err_pause_is_peer,
             "Sync-pause flag is already cleared.\n"
             "Note: Resync pause caused by the peer node."},
    CodeText{err_resource_unknown, "Unknown resource"},
    CodeText{err_resource_in_use, "Resource still in use (delete all minors first)"},
    CodeText{err_minor_configured, "Minor still configured (down it first)"},
    CodeText{err_minor_or_volume_exists, "Minor or volume exists already (delete it first)"},
    CodeText{err_invalid_request, "Invalid configuration request"},
    CodeText{err_need_apv_100,
             "Prot version 100 required in order to change\n"
             "these network options while connected"},
    CodeText{err_need_allow_two_primaries,
             "Can not clear allow_two_primaries as long as\n"
             "there a primaries on both sides"},
    CodeText{err_meta_unclean, "Unclean meta-data found.\nYou need to 'drbdadm apply-al res'\n"},
    CodeText{err_implicit_shrink, "Implicit device shrinking not allowed. See kernel log."},
};

}  // namespace

std::string_view code_text(int code) noexcept {
  for (const CodeText& row : code < 0 ? std::span<const CodeText>(state_texts)
                                      : std::span<const CodeText>(configuration_texts)) {
    if (row.code == code) return row.text;
  }
  return {};
}

int exit_code(int code) noexcept {
  switch (code) {
    case ss_no_up_to_date_disk: return 17;
    case ss_no_local_disk: return 16;
    case ss_lower_than_outdated: return 5;
    default: break;
  }
  if (is_success(code)) return 0;
  if (is_configuration_error(code)) return 10;
  return code < 0 ? 11 : 20;
}

}  // namespace replicator::control
