// What must be true of both disks: while histories run (intent before data, nothing unmarked
// differs), when all is quiet, and after an orderly end.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "tests/sim/cluster.hpp"

namespace replicator::sim {

namespace {

bool equal_block(const Image& a, const Image& b, std::uint64_t block) {
  std::array<std::byte, block_bytes> here;
  std::array<std::byte, block_bytes> there;
  a.read(ByteOffset(block * block_bytes), here);
  b.read(ByteOffset(block * block_bytes), there);
  return here == there;
}

}  // namespace

void Cluster::check_clean() {
  for (std::size_t i = 0; i < 2; ++i) {
    MetadataView& view = *nodes_[i].metadata;
    view.refresh();
    if (view.valid() && view.marked_blocks() == 0 && (view.flags() & md_flag::primary) == 0)
      continue;
    world_.fail(FailureKind::safety, "E1",
                fmt::format("after a clean end {} has {} blocks marked, flags {:#x}",
                            node(i).name(), view.marked_blocks(), view.flags()));
  }
}

void Cluster::check_superblock(std::size_t which) {
  MetadataView& view = *nodes_[which].metadata;
  view.refresh();
  if (!view.valid()) {
    world_.fail(FailureKind::safety, "D6",
                fmt::format("the superblock of {} is not valid after a crash", node(which).name()));
  }
}

void Cluster::check_intent(std::size_t which, const SimDisk::Seen& seen) {
  if (seen.kind == DiskOp::read || seen.kind == DiskOp::flush) return;
  MetadataView& view = *nodes_[which].metadata;
  if (seen.range.begin.value() >= view.places().data.value()) return;
  Replica* replicator = replica(which);
  if (replicator == nullptr) return;
  const VolumeState state = replicator->state();
  if (state.role != Role::primary || state.disk != DiskState::up_to_date) return;
  view.refresh();
  // A write of the former Primary, which waited for another one on a slow disk: that node's
  // activity log, or the marks that it made of it, speak for it.
  MetadataView& peer = *nodes_[other(which)].metadata;
  peer.refresh();
  const std::uint64_t first = seen.range.begin.value() / block_bytes;
  const std::uint64_t end = ceil_div(seen.range.end().value(), block_bytes);
  for (std::uint64_t block = first; block < end; ++block) {
    if (view.covered(block) || peer.covered(block)) continue;
    world_.fail(FailureKind::safety, "D2",
                fmt::format("{} submits {}+{} while extent {} is neither in the durable activity "
                            "log nor marked (flags {:#x})",
                            node(which).name(), seen.range.begin.value(), seen.range.length.value(),
                            block * block_bytes / extent_bytes, view.flags()));
    return;
  }
}

void Cluster::check_covered() {
  if (!ever_in_sync_ || world_.failed()) return;
  const Image& a = node(0).disk().image();
  const Image& b = node(1).disk().image();
  for (Member& member : nodes_)
    member.metadata->refresh();
  const ByteCount largest =
      std::max(nodes_[0].metadata->device_size(), nodes_[1].metadata->device_size());
  const std::uint64_t blocks = ceil_div(std::min(largest, a.size()).value(), block_bytes);
  for (std::uint64_t block = 0; block < blocks; ++block) {
    if (a.same_block(b, block)) continue;
    if (nodes_[0].metadata->covered(block) || nodes_[1].metadata->covered(block)) continue;
    if (std::find(rotten_.begin(), rotten_.end(), block) != rotten_.end()) continue;
    world_.fail(
        FailureKind::safety, "E2",
        fmt::format("block {} differs and neither bitmap nor activity log says so "
                    "(flags {:#x}, {:#x}): {}",
                    block, nodes_[0].metadata->flags(), nodes_[1].metadata->flags(), describe()));
    return;
  }
}

void Cluster::plant_rot(std::uint32_t places) {
  world_.expect_error("Out of sync: start=");
  world_.expect_error("Online verify found");
  Image& image = node(other(primary_)).disk().image();
  const std::uint64_t sectors = nodes_[0].metadata->places().data.value() / sector_bytes;
  for (std::uint32_t i = 0; i < places; ++i) {
    const std::uint64_t sector = prng_.below(sectors);
    const std::uint64_t block = sector / sectors_per_block;
    if (std::find(rotten_.begin(), rotten_.end(), block) != rotten_.end()) continue;
    rotten_.push_back(block);
    std::array<std::byte, sector_bytes> content{};
    image.read(to_bytes(Sector(sector)), content);
    content[prng_.below(sector_bytes)] ^= static_cast<std::byte>(1U << prng_.below(8));
    image.write(to_bytes(Sector(sector)), content);
  }
}

// A connection that breaks meanwhile makes good what was found until then: such a block is equal
// again, which without a mark it would not be.
bool Cluster::rot_found() noexcept {
  const Image& a = node(0).disk().image();
  const Image& b = node(1).disk().image();
  std::uint64_t repaired = 0;
  for (const std::uint64_t block : rotten_)
    repaired += equal_block(a, b, block) ? 1 : 0;
  for (std::size_t i = 0; i < 2; ++i) {
    const Bitmap* bitmap = replica(i)->bitmap();
    if (bitmap == nullptr || bitmap->weight().value() != rotten_.size() - repaired) return false;
    for (const std::uint64_t block : rotten_) {
      if (!equal_block(a, b, block) && !bitmap->test(BitmapBlock(block))) return false;
    }
  }
  return true;
}

void Cluster::reconnect_secondary() {
  rotten_.clear();
  want_disconnect(primary_ == nobody ? 0 : other(primary_), Duration::milliseconds(100));
}

bool Cluster::equal_in(ByteRange range) {
  std::vector<std::byte> here(range.length.value());
  std::vector<std::byte> there(range.length.value());
  node(0).disk().image().read(range.begin, here);
  node(1).disk().image().read(range.begin, there);
  return here == there;
}

void Cluster::check_equal() {
  const Image& a = node(0).disk().image();
  const Image& b = node(1).disk().image();
  for (Member& member : nodes_)
    member.metadata->refresh();
  const std::uint64_t data =
      std::min(nodes_[0].metadata->device_size(), nodes_[1].metadata->device_size()).value();
  std::array<std::byte, block_bytes> here;
  std::array<std::byte, block_bytes> there;
  for (std::uint64_t block = 0; block < ceil_div(data, block_bytes); ++block) {
    if (a.same_block(b, block)) continue;
    const std::uint64_t size = std::min(block_bytes, data - block * block_bytes);
    a.read(ByteOffset(block * block_bytes), Bytes(here).first(size));
    b.read(ByteOffset(block * block_bytes), Bytes(there).first(size));
    if (std::memcmp(here.data(), there.data(), size) == 0) continue;
    world_.fail(FailureKind::safety, "E1",
                fmt::format("block {} differs although all is quiet: {}", block, describe()));
    return;
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (node(i).running() && replica(i)->out_of_sync_blocks() != 0) {
      world_.fail(FailureKind::safety, "E1",
                  "blocks are marked although all is quiet: " + describe());
    }
  }
}

}  // namespace replicator::sim
