// How fast a resync asks, and for what: the controller against a model of link and disk.
#include "engine/decide/pacing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <numeric>
#include <set>
#include <vector>

namespace replicator {
namespace {

constexpr std::uint64_t kib_per_block = 4;

std::uint64_t most_per_step(std::uint32_t kib_per_second) {
  return kib_per_second / 10 / kib_per_block;
}

// Answers requests in order, at most `capacity` blocks a step, not before `delay` steps have
// passed.
class Pipe {
 public:
  Pipe(std::uint64_t capacity, std::size_t delay) : capacity_(capacity), delay_(delay) {}
  std::uint64_t step(std::uint64_t requested) {
    in_flight_ += requested;
    travelling_.push_back(requested);
    if (travelling_.size() > delay_) {
      waiting_ += travelling_.front();
      travelling_.pop_front();
    }
    const std::uint64_t answered = std::min(waiting_, capacity_);
    waiting_ -= answered;
    in_flight_ -= answered;
    return answered;
  }
  [[nodiscard]] std::uint64_t in_flight() const { return in_flight_; }
  void set_capacity(std::uint64_t blocks) { capacity_ = blocks; }

 private:
  std::uint64_t capacity_;
  std::size_t delay_;
  std::deque<std::uint64_t> travelling_;
  std::uint64_t waiting_ = 0;
  std::uint64_t in_flight_ = 0;
};

struct Course {
  std::vector<std::uint64_t> requested;
  std::vector<std::uint64_t> answered;
  std::vector<std::uint64_t> in_flight;
};

std::uint64_t average(const std::vector<std::uint64_t>& values, std::size_t last) {
  std::uint64_t sum = 0;
  for (std::size_t i = values.size() - last; i < values.size(); ++i)
    sum += values[i];
  return sum / last;
}

Course run(ResyncPacer& pacer, Pipe& pipe, int steps, bool application_io) {
  Course result;
  std::uint64_t answered = 0;
  for (int i = 0; i < steps; ++i) {
    const std::uint64_t budget = pacer.step(answered, pipe.in_flight(), application_io);
    answered = pipe.step(budget);
    result.requested.push_back(budget);
    result.answered.push_back(answered);
    result.in_flight.push_back(pipe.in_flight());
  }
  return result;
}

// The numbers of drbd_rs_controller for its first steps with the default settings: nothing is in
// flight, so it plans resync-rate and steps up to the fill target.
TEST(pacing, starts_as_drbd_does) {
  ResyncPacer pacer((PacingOptions()));
  // 250 KiB/s are 50 sectors a step, planned for each of 20 steps: 6 blocks, the 28 KiB or less
  // that kernels begin with.
  EXPECT_EQ(pacer.step(0, 0, true), 6U);
  // 48 sectors in flight, 950 planned, 100 wanted: -898/20 = -44 each.
  EXPECT_EQ(pacer.step(0, 6, true), 0U);
  // They were answered: 48 sectors again, and 7 of the plan, which is less than a block.
  EXPECT_EQ(pacer.step(6, 0, true), 6U);
}

TEST(pacing, converges_to_the_fill_target) {
  for (const std::size_t delay : {1U, 2U, 5U}) {
    SCOPED_TRACE(delay);
    ResyncPacer pacer((PacingOptions()));
    Pipe pipe(100000, delay);
    const Course result = run(pacer, pipe, 600, true);
    // 100 sectors are 12.5 blocks. What is planned for a step and is less than a block is dropped,
    // as in DRBD, so the pipe may stay a little emptier.
    EXPECT_GE(average(result.in_flight, 200), 6U);
    EXPECT_LE(*std::max_element(result.in_flight.end() - 200, result.in_flight.end()), 17U);
    EXPECT_GE(average(result.answered, 200), 6U / delay);
  }
}

TEST(pacing, converges_to_the_delay_target) {
  PacingOptions options;
  options.c_fill_target = 0;
  options.c_delay_target = 10;  // one second
  ResyncPacer pacer(options);
  Pipe pipe(50, 1);  // 2000 KiB/s
  const Course result = run(pacer, pipe, 1200, true);
  EXPECT_EQ(average(result.answered, 300), 50U);  // the pipe is full
  // What waits takes about the target to work off.
  EXPECT_NEAR(static_cast<double>(average(result.in_flight, 300)), 500, 125);
  // A slower disk is noticed.
  pipe.set_capacity(20);
  const Course slower = run(pacer, pipe, 1200, true);
  EXPECT_EQ(average(slower.answered, 300), 20U);
  EXPECT_NEAR(static_cast<double>(average(slower.in_flight, 300)), 200, 50);
}

TEST(pacing, never_exceeds_c_max_rate_under_application_io) {
  for (const std::uint32_t rate : {250U, 4000U, 102400U}) {
    for (const std::uint32_t fill : {0U, 100U, 1000000U}) {
      PacingOptions options;
      options.c_max_rate = rate;
      options.c_fill_target = fill;
      options.max_buffers = 1000000;
      ResyncPacer pacer(options);
      Pipe pipe(1000000, 2);
      const Course result = run(pacer, pipe, 500, true);
      const std::uint64_t most =
          *std::max_element(result.requested.begin(), result.requested.end());
      EXPECT_LE(most, most_per_step(rate)) << rate << ' ' << fill;
    }
  }
  // A large fill target gets all that c-max-rate allows.
  PacingOptions options;
  options.c_max_rate = 4000;
  options.c_fill_target = 1000000;
  options.max_buffers = 1000000;
  ResyncPacer pacer(options);
  Pipe pipe(1000000, 2);
  EXPECT_EQ(average(run(pacer, pipe, 500, true).answered, 100), most_per_step(4000));
}

// Slower than a block a step, and much faster.
TEST(pacing, under_application_io_c_min_rate_is_what_is_left_to_a_resync) {
  for (const std::uint32_t rate : {1U, 30U, 250U, 10000U}) {
    SCOPED_TRACE(rate);
    PacingOptions options;
    options.c_fill_target = 1000000;
    options.max_buffers = 1000000;
    options.c_min_rate = rate;
    ResyncPacer pacer(options);
    Pipe pipe(1000000, 1);
    const Course result = run(pacer, pipe, 5000, true);
    const auto blocks =
        std::accumulate(result.answered.begin(), result.answered.end(), std::uint64_t{0});
    EXPECT_NEAR(static_cast<double>(blocks * kib_per_block) / 500, rate, rate * 0.2 + 0.1);
    EXPECT_GT(pacer.step(0, 0, false), 1U << 30U);
  }
}

TEST(pacing, half_of_max_buffers_is_the_bound_under_application_io) {
  PacingOptions options;
  options.c_fill_target = 1000000;
  options.max_buffers = 128;
  ResyncPacer pacer(options);
  Pipe pipe(10, 1);
  const Course result = run(pacer, pipe, 300, true);
  EXPECT_LE(*std::max_element(result.in_flight.begin(), result.in_flight.end()), 64U);
}

TEST(pacing, asks_for_everything_while_no_application_io_is_seen) {
  PacingOptions options;
  options.c_max_rate = 250;
  ResyncPacer pacer(options);
  EXPECT_GT(pacer.step(0, 0, false), 1U << 30U);
  EXPECT_GT(pacer.step(16384, 100000, false), 1U << 30U);
  // What is shown as wanted is then what is done: 16384 blocks in 100 ms.
  EXPECT_EQ(pacer.want_kib_per_second(), 16384U * 4 * 10);
}

TEST(pacing, gives_way_at_once_when_application_io_begins) {
  ResyncPacer pacer((PacingOptions()));
  Pipe pipe(2000, 1);
  std::uint64_t answered = 0;
  for (int i = 0; i < 50; ++i) {
    pacer.step(answered, pipe.in_flight(), false);
    // The target's own limit of requests stands in for the pacer's "everything".
    answered = pipe.step(16384 - std::min<std::uint64_t>(pipe.in_flight(), 16384));
  }
  EXPECT_EQ(pacer.step(answered, pipe.in_flight(), true), 0U);
  answered = pipe.step(0);
  const Course busy = run(pacer, pipe, 400, true);
  const PacingOptions options;
  for (const std::uint64_t requested : busy.requested)
    EXPECT_LE(requested, most_per_step(options.c_max_rate));
  EXPECT_LE(average(busy.in_flight, 100), 14U);
  EXPECT_GT(average(busy.answered, 100), 0U);  // L3
}

TEST(pacing, plan_ahead_zero_is_a_fixed_rate) {
  PacingOptions options;
  options.c_plan_ahead = 0;
  options.resync_rate = 4000;
  for (const bool application_io : {false, true}) {
    ResyncPacer pacer(options);
    EXPECT_EQ(pacer.step(0, 0, application_io), 100U);
    EXPECT_EQ(pacer.step(77, 50, application_io), 100U);
    EXPECT_EQ(pacer.step(0, 1000, application_io), 24U);  // max-buffers / 2 - in flight
    EXPECT_EQ(pacer.step(0, 1024, application_io), 0U);
    EXPECT_EQ(pacer.step(0, 5000, application_io), 0U);
  }
  options.resync_rate = 1;
  ResyncPacer slow(options);
  EXPECT_EQ(slow.step(0, 0, true), 1U);  // L3: slow, not never
}

// L3: whatever the peer sent as parameters, a resync that has nothing in flight asks for something.
TEST(pacing, no_setting_stops_a_resync) {
  for (const std::uint32_t rate : {0U, 1U, 250U, 4000000000U}) {
    for (const std::uint32_t plan : {0U, 1U, 20U, 300U}) {
      for (const std::uint32_t fill : {0U, 1U, 7U, 100U, 4000000000U}) {
        for (const std::uint32_t delay : {0U, 1U, 10U, 4000000000U}) {
          for (const std::uint32_t most : {0U, 1U, 102400U, 4000000000U}) {
            PacingOptions options;
            options.resync_rate = rate;
            options.c_plan_ahead = plan;
            options.c_fill_target = fill;
            options.c_delay_target = delay;
            options.c_max_rate = most;
            ResyncPacer pacer(options);
            Pipe pipe(1000, 1);
            const Course result = run(pacer, pipe, 200, true);
            ASSERT_GT(*std::max_element(result.answered.begin() + 100, result.answered.end()), 0U)
                << rate << ' ' << plan << ' ' << fill << ' ' << delay << ' ' << most;
          }
        }
      }
    }
  }
}

class SetOfBits {
 public:
  SetOfBits(std::initializer_list<std::pair<std::uint64_t, std::uint64_t>> ranges) {
    for (const auto& [first, count] : ranges) {
      for (std::uint64_t i = 0; i < count; ++i)
        set_.insert(first + i);
    }
  }
  [[nodiscard]] std::optional<BitmapBlock> next_set(BitmapBlock from) const {
    const auto found = set_.lower_bound(from.value());
    if (found == set_.end()) return std::nullopt;
    return BitmapBlock(*found);
  }
  [[nodiscard]] bool test(BitmapBlock at) const { return set_.count(at.value()) != 0; }

 private:
  std::set<std::uint64_t> set_;
};

struct RangeRow {
  const char* what;
  SetOfBits bits;
  std::uint64_t position;
  std::uint64_t device;
  std::uint64_t begin;
  std::uint64_t length;  // 0: nothing to ask for
};

TEST(resync_range, merged_and_aligned) {
  constexpr std::uint64_t k = 1024;
  constexpr std::uint64_t big = 1ULL << 30U;
  const std::vector<RangeRow> rows = {
      {"nothing", {}, 0, big, 0, 0},
      {"nothing behind the position", {{5, 1}}, 6, big, 0, 0},
      {"one block", {{5, 1}}, 0, big, 20 * k, 4 * k},
      {"an odd block is alone", {{5, 3}}, 0, big, 20 * k, 4 * k},
      {"then the aligned pair", {{5, 3}}, 6, big, 24 * k, 8 * k},
      {"a hole ends it", {{8, 3}}, 0, big, 32 * k, 8 * k},
      {"four", {{8, 4}}, 0, big, 32 * k, 16 * k},
      {"at most 1 MiB", {{0, 1000}}, 0, big, 0, k * k},
      {"the next one", {{0, 1000}}, 256, big, k * k, k * k},
      {"within an extent of 16 MiB", {{4095, 300}}, 0, big, 4095 * 4 * k, 4 * k},
      {"the device's end", {{0, 3}}, 2, 12 * k, 8 * k, 4 * k},
      {"alignment at the end", {{0, 3}}, 0, 12 * k, 0, 8 * k},
      {"a last block that is cut", {{2, 1}}, 0, 10 * k, 8 * k, 2 * k},
      {"merged with a cut block", {{2, 2}}, 0, 13 * k, 8 * k, 5 * k},
  };
  for (const RangeRow& row : rows) {
    SCOPED_TRACE(row.what);
    const std::optional<ByteRange> range =
        next_resync_range(row.bits, row.position, ByteCount(row.device), 1U << 20U);
    ASSERT_EQ(range.has_value(), row.length != 0);
    if (!range) continue;
    EXPECT_EQ(range->begin.value(), row.begin);
    EXPECT_EQ(range->length.value(), row.length);
  }
}

}  // namespace
}  // namespace replicator
