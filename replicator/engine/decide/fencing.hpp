// Fencing: whether the peer has to be asked to step back, what the answer of the handler means, and
// when frozen I/O may go on.
//   S2  a disk of which nobody knows whether it is current is promoted only after the peer was
//       fenced
//   S3  frozen I/O resumes when the peer can not take over any more, or has everything again
// Pure. Normative: docs/handshake.md#fencing.
#pragma once

#include <optional>
#include <span>

#include "engine/config.hpp"
#include "protocol/state_delta.hpp"
#include "protocol/states.hpp"

namespace replicator {

struct FencedVolume {
  Fencing policy = Fencing::dont_care;
  VolumeState state;
};

// The strictest policy of the volumes with good data; nothing when there is none: who has no good
// data fences nobody.
std::optional<Fencing> effective_fencing(std::span<const FencedVolume> volumes) noexcept;

// No volume's peer could be promoted without force.
bool peer_is_fenced(std::span<const FencedVolume> volumes) noexcept;

// What fence-peer said.
struct FenceVerdict {
  bool broken = false;       // no code that means anything; I/O stays frozen if it was
  const char* meaning = "";  // for the log
  StateDelta change;         // of every volume; may be empty
  bool unexpected = false;   // the peer was shot although the policy does not say so
  bool peer_is_primary = false;
};
FenceVerdict judge_fence_peer(int exit_code, Fencing policy, bool own_data_is_current) noexcept;

// Why I/O that was frozen for fencing may go on.
enum class Thaw : unsigned char { no, fenced, reconnected };
Thaw may_thaw(std::span<const FencedVolume> volumes) noexcept;

}  // namespace replicator
