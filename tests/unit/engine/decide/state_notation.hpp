// Short notation for volume states in tests, by the names that operators read.
#pragma once

#include <string>
#include <string_view>

#include "engine/decide/state_change.hpp"

namespace replicator {

template <class State>
State state_named(std::string_view text) {
  for (unsigned i = 0; i < 32; ++i) {
    if (name(static_cast<State>(i)) == text) return static_cast<State>(i);
  }
  return static_cast<State>(0xff);
}

inline VolumeState volume_state(Role role, Role peer, ConnectionState connection, DiskState disk,
                                DiskState peer_disk) {
  VolumeState s;
  s.role = role;
  s.peer_role = peer;
  s.connection = connection;
  s.disk = disk;
  s.peer_disk = peer_disk;
  return s;
}

// "Primary/Secondary Connected UpToDate/UpToDate" and the flags that are set.
inline std::string shown(const VolumeState& s) {
  std::string text;
  text.append(name(s.role)).append("/").append(name(s.peer_role)).append(" ");
  text.append(name(s.connection)).append(" ");
  text.append(name(s.disk)).append("/").append(name(s.peer_disk));
  if (s.suspended_by_user) text += " susp";
  if (s.sync_paused_by_dependency) text += " aftr_isp";
  if (s.sync_paused_by_peer) text += " peer_isp";
  if (s.sync_paused_by_user) text += " user_isp";
  if (s.suspended_no_data) text += " susp_nod";
  if (s.suspended_fencing) text += " susp_fen";
  return text;
}

}  // namespace replicator
