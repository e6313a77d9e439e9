#include "engine/decide/resync_order.hpp"

#include <algorithm>

namespace replicator {

namespace {

constexpr std::int32_t highest_minor = (1 << 20) - 1;

const OrderedVolume* find(std::span<const OrderedVolume> all, std::int32_t minor) noexcept {
  const auto found = std::find_if(all.begin(), all.end(), [minor](const OrderedVolume& one) {
    return static_cast<std::int64_t>(one.minor) == minor;
  });
  return found == all.end() ? nullptr : &*found;
}

bool ends_chain(const OrderedVolume* one) noexcept {
  return one == nullptr || !one->has_disk || one->after < 0;
}

}  // namespace

bool may_sync_now(std::span<const OrderedVolume> all, std::uint32_t minor) noexcept {
  const OrderedVolume* one = find(all, static_cast<std::int32_t>(minor));
  // A cycle is never configured; the bound makes sure of the end all the same.
  for (std::size_t step = 0; step < all.size() && !ends_chain(one); ++step) {
    one = find(all, one->after);
    if (one != nullptr && one->holds_up) return false;
  }
  return true;
}

OrderVerdict check_resync_after(std::span<const OrderedVolume> all, std::uint32_t minor,
                                std::int32_t after) noexcept {
  if (after == -1) return OrderVerdict::fine;
  if (after < -1 || after > highest_minor) return OrderVerdict::no_minor;
  std::int32_t next = after;
  for (std::size_t step = 0; step <= all.size(); ++step) {
    if (next == static_cast<std::int32_t>(minor)) return OrderVerdict::cycle;
    const OrderedVolume* one = find(all, next);
    if (ends_chain(one)) return OrderVerdict::fine;
    next = one->after;
  }
  return OrderVerdict::cycle;
}

}  // namespace replicator
