#include "engine/decide/fencing.hpp"

#include <algorithm>

namespace replicator {

namespace {

using C = ConnectionState;
using D = DiskState;

// The peer has been told what it lacks, and can not pass for current any more.
bool peer_knows(C connection) noexcept {
  return connection == C::connected || connection >= C::sync_source;
}

FenceVerdict peer_becomes(D disk, const char* meaning) noexcept {
  FenceVerdict verdict;
  verdict.meaning = meaning;
  verdict.change.peer_disk(disk);
  return verdict;
}

}  // namespace

std::optional<Fencing> effective_fencing(std::span<const FencedVolume> volumes) noexcept {
  std::optional<Fencing> strictest;
  for (const FencedVolume& volume : volumes) {
    if (volume.state.disk < D::consistent) continue;
    strictest = std::max(strictest.value_or(Fencing::dont_care), volume.policy);
  }
  return strictest;
}

bool peer_is_fenced(std::span<const FencedVolume> volumes) noexcept {
  return std::all_of(volumes.begin(), volumes.end(), [](const FencedVolume& volume) {
    return volume.state.peer_disk <= D::outdated;
  });
}

FenceVerdict judge_fence_peer(int exit_code, Fencing policy, bool own_data_is_current) noexcept {
  FenceVerdict verdict;
  switch (exit_code) {
    case 3: return peer_becomes(D::inconsistent, "peer is inconsistent or worse");
    case 4: return peer_becomes(D::outdated, "peer got outdated, or was already outdated");
    case 5:
      if (own_data_is_current) {
        return peer_becomes(D::outdated, "peer is unreachable, assumed to be dead");
      }
      verdict.meaning = "peer unreachable, doing nothing since disk != UpToDate";
      return verdict;
    case 6:
      verdict.meaning = "peer is active";
      verdict.peer_is_primary = true;
      verdict.change.disk(D::outdated);
      return verdict;
    case 7:
      verdict = peer_becomes(D::outdated, "peer was stonithed");
      verdict.unexpected = policy != Fencing::resource_and_stonith;
      return verdict;
    default: verdict.broken = true; return verdict;
  }
}

Thaw may_thaw(std::span<const FencedVolume> volumes) noexcept {
  bool frozen = false;
  bool apart = true;
  bool together = true;
  for (const FencedVolume& volume : volumes) {
    frozen = frozen || volume.state.suspended_fencing;
    apart = apart && volume.state.connection < C::connected;
    together = together && peer_knows(volume.state.connection);
  }
  if (!frozen) return Thaw::no;
  if (together) return Thaw::reconnected;
  return apart && peer_is_fenced(volumes) ? Thaw::fenced : Thaw::no;
}

}  // namespace replicator
