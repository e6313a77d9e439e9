#include "base/ensure.hpp"

#include <cstdio>
#include <cstdlib>

namespace replicator {

namespace {
void (*hook_)() = nullptr;
}

void set_ensure_hook(void (*hook)()) noexcept { hook_ = hook; }

void ensure_failed(const char* what, const char* file, int line) noexcept {
  std::fprintf(stderr, "error: %s:%d: ensure(%s) failed\n", file, line, what);
  if (hook_ != nullptr) {
    auto* once = hook_;
    hook_ = nullptr;
    once();
  }
  std::abort();
}

}  // namespace replicator
