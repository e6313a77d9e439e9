#include "engine/decide/pacing.hpp"

#include <algorithm>

namespace replicator {

namespace {
constexpr std::int64_t sectors_per_kib = 2;
constexpr std::int64_t steps_per_second = 10;
constexpr std::int64_t block_sectors = 8;
}  // namespace

ResyncPacer::ResyncPacer(const PacingOptions& options)
    : options_(options), plan_(options.c_plan_ahead, 0) {}

std::uint64_t ResyncPacer::step(std::uint64_t answered_blocks, std::uint64_t in_flight_blocks,
                                bool application_io) {
  const auto in_flight = static_cast<std::int64_t>(in_flight_blocks);
  std::int64_t blocks = 0;
  if (plan_.empty()) {
    blocks = std::max<std::int64_t>(options_.resync_rate / steps_per_second / 4, 1);
  } else {
    const std::int64_t sectors = controlled(
        static_cast<std::int64_t>(answered_blocks) * block_sectors, in_flight * block_sectors);
    blocks = sectors / block_sectors;
    // The parameters are the peer's: none of them may stop the resync for good (L3).
    if (answered_blocks + in_flight_blocks == 0) blocks = std::max<std::int64_t>(blocks, 1);
    if (!application_io) blocks = INT64_MAX / 1024;
  }
  gives_way_ = application_io && options_.c_min_rate != 0;
  const std::int64_t requested =
      static_cast<std::int64_t>(answered_blocks) + in_flight - in_flight_;
  in_flight_ = in_flight;
  if (gives_way_) blocks = within_min_rate(blocks, requested);
  want_ = static_cast<std::uint64_t>(application_io || plan_.empty()
                                         ? blocks * 4 * steps_per_second
                                         : static_cast<std::int64_t>(answered_blocks) * 4 *
                                               steps_per_second);
  if (application_io || plan_.empty()) {
    blocks = std::min(blocks, static_cast<std::int64_t>(options_.max_buffers) / 2 - in_flight);
  }
  return static_cast<std::uint64_t>(std::max<std::int64_t>(blocks, 0));
}

// Less than a block a step adds up; what went beyond it, as before application I/O began, is made
// up for within a second. Counted when it is asked for.
std::int64_t ResyncPacer::within_min_rate(std::int64_t blocks, std::int64_t requested) {
  const std::int64_t rate = options_.c_min_rate;
  constexpr std::int64_t block_cost = 4 * steps_per_second;
  const std::int64_t most = rate + block_cost;
  allowance_ = std::clamp(allowance_ + rate - requested * block_cost, -most, most);
  return std::clamp<std::int64_t>(allowance_ / block_cost, 0, blocks);
}

// drbd_rs_controller: plan what is missing in the pipe over the next c-plan-ahead steps.
std::int64_t ResyncPacer::controlled(std::int64_t sectors_in, std::int64_t sectors_in_flight) {
  const auto steps = static_cast<std::int64_t>(plan_.size());
  std::int64_t want = 0;
  if (sectors_in_flight + sectors_in == 0) {
    want = std::int64_t{options_.resync_rate} * sectors_per_kib / steps_per_second * steps;
  } else if (options_.c_fill_target != 0) {
    want = options_.c_fill_target;
  } else {
    want = sectors_in * options_.c_delay_target;
  }
  const std::int64_t correction = want - sectors_in_flight - plan_total_;
  const std::int64_t each = correction / steps;
  for (std::int64_t& entry : plan_)
    entry += each;
  plan_total_ += each * steps;
  const std::int64_t current = plan_[next_];
  plan_[next_] = 0;
  next_ = (next_ + 1) % plan_.size();
  plan_total_ -= current;
  const std::int64_t most = std::int64_t{options_.c_max_rate} * sectors_per_kib / steps_per_second;
  return std::clamp<std::int64_t>(sectors_in + current, 0, most);
}

}  // namespace replicator
