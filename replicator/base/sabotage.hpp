// Known mistakes that test builds can switch on, to prove that the simulator notices them (make
// sabotage). Elsewhere sabotage() is a constant, and the branch it guards is gone.
#pragma once

#include <cstdint>

namespace replicator {

enum class Sabotage : std::uint8_t {
  none,
  skip_activity_log,    // D2: data goes out without its extent in the durable activity log
  release_hold_at_ack,  // D5: the extent may cool down at the write ack, before the barrier ack
  forget_mark_on_loss,  // D5, E2: in-doubt ranges are not marked when the connection is lost
  answer_before_generation,  // G3: an unmirrored write is answered before the new generation is on
                             // media
  answer_flush_locally,      // D3: a flush does not wait for the peer
  clear_bit_without_proof,   // E3: a bit is cleared when a resync block was sent, not when it is on
                             // media
  swap_resync_direction,     // G1: one rule of the handshake takes the wrong side as source
  drop_barrier,              // E5: a barrier is acknowledged without a flush
  skip_eviction_bitmap,  // D4: an extent leaves the activity log before its bitmap page is on media
  read_marked_locally,   // E9: a sync target reads marked blocks from its own disk
  trust_what_was_sent,   // D7: the local write failed, and having sent it passes for success
  drop_received_write,   // D1: a write acknowledged as received is dropped with the connection
  read_overtakes_write,  // E9: a read for the peer does not wait for the writes before it
  verify_unlocked,       // E4: an online verify reads blocks while they are being written
  answer_while_frozen,   // S3: frozen writes are answered at once
  ignore_conflicts,  // E1: of two Primaries' writes to one place each node ends with what came last
  cool_before_retry,  // E2: what a write that is made anew left on the disk here is not hot
                      // meanwhile
  mark_first_volume,  // E2: when the connection is lost, all volumes' ranges are marked in the
                      // first
  reuse_held_memory,  // E9: memory that a disk which hangs may still use is used again
};
inline constexpr std::uint8_t sabotage_count = 20;

#ifdef POLLUX_SABOTAGE
namespace detail {
inline thread_local Sabotage sabotage_now = Sabotage::none;
}
inline void set_sabotage(Sabotage which) noexcept { detail::sabotage_now = which; }
inline bool sabotage(Sabotage which) noexcept { return detail::sabotage_now == which; }
#else
constexpr bool sabotage(Sabotage /*which*/) noexcept { return false; }
#endif

}  // namespace replicator
