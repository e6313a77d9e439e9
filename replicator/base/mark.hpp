// mark("name"): a rare situation that a test campaign must reach. A promise that a test exists.
// Free in release builds unless a hook is set, and then one call.
#pragma once

namespace replicator {

using MarkHook = void (*)(void* context, const char* name);

namespace detail {
struct MarkTarget {
  MarkHook hook = nullptr;
  void* context = nullptr;
};
inline thread_local MarkTarget mark_target;
}  // namespace detail

inline void set_mark_hook(MarkHook hook, void* context) noexcept {
  detail::mark_target = {hook, context};
}

// `name` is a literal.
inline void mark(const char* name) {
  if (detail::mark_target.hook != nullptr) [[unlikely]] {
    detail::mark_target.hook(detail::mark_target.context, name);
  }
}

}  // namespace replicator
