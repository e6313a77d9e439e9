// ensure(x): our own mistake, always on. Prints the place (and, through the hook, the flight
// recorder) and aborts: better to stop than to replicate nonsense. Never reachable from outside
// input; bytes from sockets, disks, files and users are validated and yield a Fault instead.
#pragma once

namespace replicator {

[[noreturn]] void ensure_failed(const char* what, const char* file, int line) noexcept;
// Called once before the abort; must not allocate. Null removes it.
void set_ensure_hook(void (*hook)()) noexcept;

}  // namespace replicator

#define ensure(x)                              \
  (static_cast<bool>(x) ? static_cast<void>(0) \
                        : ::replicator::ensure_failed(#x, __FILE__, __LINE__))

// Expensive checks: in debug, sanitizer and simulator builds.
#ifdef POLLUX_SLOW_CHECKS
#define ensure_slow(x) ensure(x)
#else
#define ensure_slow(x) static_cast<void>(0)
#endif
