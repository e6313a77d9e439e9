// Expected failures are values. Status is trivially copyable (a fault code, an errno, a literal
// saying where), so it may travel through coroutines (docs/decisions/coroutine-subset.md).
#pragma once

#include <tl/expected.hpp>

#include "base/fault.hpp"

namespace replicator {

class [[nodiscard]] Status {
 public:
  constexpr Status() noexcept = default;
  constexpr explicit Status(Fault fault, const char* where = "", int error = 0) noexcept
      : fault_(fault), errno_(error), where_(where) {}
  [[nodiscard]] constexpr bool ok() const noexcept { return fault_ == Fault::none; }
  [[nodiscard]] constexpr Fault fault() const noexcept { return fault_; }
  [[nodiscard]] constexpr int error_number() const noexcept {
    return errno_;
  }  // positive errno or 0
  [[nodiscard]] constexpr const char* where() const noexcept { return where_; }  // never null

 private:
  Fault fault_ = Fault::none;
  int errno_ = 0;
  const char* where_ = "";  // a literal
};

template <class T>
using Result = tl::expected<T, Status>;

inline tl::unexpected<Status> failure(Fault fault, const char* where = "", int error = 0) {
  return tl::unexpected<Status>(Status(fault, where, error));
}

}  // namespace replicator
