// Where the commands find the daemon.
#pragma once

namespace ha::daemon {

inline constexpr const char* default_run_folder = "/run/pollux-had";

}  // namespace ha::daemon
