#include "io/send_within.hpp"

#include <cerrno>

#include "io/sync.hpp"

namespace replicator::io {

namespace {

struct Limit {
  Op sleep;
  bool over = false;
};

Task<void> watch(Stream& stream, Limit& limit) {
  Op& sleep = limit.sleep;
  const std::int32_t woken = co_await sleep;
  if (woken != 0) co_return;
  limit.over = true;
  stream.shutdown();
}

}  // namespace

Task<std::int32_t> send_within(Clock& clock, Stream& stream, std::span<const IoSlice> slices,
                               Duration patience) {
  Limit limit;
  Gate watching;
  clock.sleep(limit.sleep, patience);
  watching.start(watch(stream, limit));
  Op op;
  stream.send(op, slices, patience);
  const std::int32_t sent = co_await op;
  clock.wake(limit.sleep);
  co_await watching.close();
  co_return sent < 0 && limit.over ? -ETIMEDOUT : sent;
}

}  // namespace replicator::io
