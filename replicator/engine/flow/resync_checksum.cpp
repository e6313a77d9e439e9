// Resync with checksums: the target asks with the digest of what it has, and equal blocks need not
// travel.
//   E3  both digests are of what is on media, so that a power cut of either side takes nothing back
//       of what was called equal
// Normative: docs/protocol.md#resync.
#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/log.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/resync.hpp"
#include "engine/flow/volume.hpp"

namespace replicator {

namespace {
std::uint64_t blocks(ByteRange range) { return ceil_div(range.length.value(), block_bytes); }
}  // namespace

bool Connection::asks_with_checksums(const Volume& volume) const noexcept {
  return digests_.checksums && agreed_version() >= 89 &&
         (!options_.csums_after_crash_only || volume.crashed_primary_);
}

bool Connection::thin_resync() const noexcept {
  return link_ && (link_->features & feature_thin_resync) != 0;
}

Task<bool> Resync::settle_cache() {
  ++tasks_;
  while (settling_) {
    io::Event::Wait wait(cache_settled_);
    co_await wait;
  }
  if (!settled_ && !stopping_ && volume_.has_disk()) {
    settling_ = true;
    const BackingDevice::Use use(*volume_.backing());
    io::Op op;
    volume_.backing()->flush(op);
    const std::int32_t flushed = co_await op;
    if (flushed < 0) volume_.local_io_failed("resync flush", flushed, ByteRange());
    settled_ = flushed >= 0;
    settling_ = false;
    cache_settled_.notify_all();
  }
  const bool settled = settled_;
  --tasks_;
  co_return settled;
}

// Target. The request is already counted and its extent locked.
Task<void> Resync::ask_with_digest(ByteRange range) {
  ++tasks_;
  io::BufferPool::Buffer buffer =
      co_await volume_.resource().reply_buffers().take(range.length.value());
  std::int32_t moved = -ENODEV;
  if (!stopping_ && volume_.has_disk()) {
    io::Op op;
    ++volume_.local_pending_;
    volume_.backing()->read(op, range.begin, buffer.bytes());
    moved = co_await op;
    --volume_.local_pending_;
    if (moved < 0) volume_.local_io_failed("resync read", moved, range);
  }
  if (moved >= 0 && !stopping_) send_digest(range, buffer.bytes());
  --tasks_;
}

void Resync::send_digest(ByteRange range, ConstBytes data) {
  BlockRequest request;
  request.sector = to_sector(range.begin);
  request.block_id = syncer_block_id;
  request.bytes = static_cast<std::uint32_t>(range.length.value());
  std::array<std::byte, block_request_bytes + digest_bytes_max> payload{};
  const std::size_t fixed = encode(request, payload);
  const BlockDigest& digest = connection_.digests().checksums;
  digest.compute(data, Bytes(payload).subspan(fixed));
  connection_.link()->send_bytes(Socket::data, Packet::csum_rs_request,
                                 static_cast<std::uint16_t>(volume_.number()),
                                 ConstBytes(payload).first(fixed + digest.bytes()));
}

void Resync::equal_checksum(ByteRange range) noexcept {
  checksums_used_ = true;
  equal_blocks_ += blocks(range);
}

bool Resync::asked_thin(ByteRange range) const noexcept {
  return std::any_of(requests_.begin(), requests_.end(), [&](const Request& request) {
    return request.range == range && request.thin;
  });
}

void Resync::tell_checksums() const {
  if (!checksums_used_ || total_blocks_ == 0) return;
  constexpr std::uint64_t kib = block_bytes / 1024;
  const std::uint64_t equal = std::min(equal_blocks_, total_blocks_);
  log::info("{}/{} {} % had equal checksums, eliminated: {}K; transferred {}K total {}K",
            volume_.resource().name(), volume_.number(), equal * 100 / total_blocks_, equal * kib,
            (total_blocks_ - equal) * kib, total_blocks_ * kib);
}

}  // namespace replicator
