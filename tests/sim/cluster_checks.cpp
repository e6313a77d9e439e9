// What must be true of both disks: while histories run (intent before data, nothing unmarked
// differs), when all is quiet, and after an orderly end.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "tests/sim/cluster.hpp"
#include "tests/sim/disk_checks.hpp"

namespace replicator::sim {

void Cluster::check_clean() {
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t v = 0; v < volumes(); ++v) {
      MetadataView& view = *share(i, v).metadata;
      view.refresh();
      if (view.valid() && view.marked_blocks() == 0 && (view.flags() & md_flag::primary) == 0)
        continue;
      world_.fail(FailureKind::safety, "E1",
                  fmt::format("after a clean end volume {} of {} has {} blocks marked, flags {:#x}",
                              v, node(i).name(), view.marked_blocks(), view.flags()));
    }
  }
}

void Cluster::check_superblock(std::size_t which, std::size_t volume) {
  MetadataView& view = *share(which, volume).metadata;
  view.refresh();
  if (!view.valid()) {
    world_.fail(FailureKind::safety, "D6",
                fmt::format("the superblock of {} is not valid after a crash", node(which).name()));
  }
}

void Cluster::check_intent(std::size_t which, std::size_t volume, const SimDisk::Seen& seen) {
  if (seen.kind == DiskOp::read || seen.kind == DiskOp::flush) return;
  MetadataView& view = *share(which, volume).metadata;
  if (seen.range.begin.value() >= view.places().data.value()) return;
  Replica* replicator = replica(which);
  if (replicator == nullptr) return;
  const VolumeState state = replicator->state(volume);
  if (state.role != Role::primary || state.disk != DiskState::up_to_date) return;
  view.refresh();
  // A write of the former Primary, which waited for another one on a slow disk: that node's
  // activity log, or the marks that it made of it, speak for it.
  MetadataView& peer = *share(other(which), volume).metadata;
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
  for (const std::unique_ptr<Truth>& truth : truths_)
    check_volume_covered(*truth);
}

void Cluster::check_volume_covered(Truth& truth) {
  if (!truth.ever_in_sync || world_.failed()) return;
  const Image& a = disk(0, truth.number).image();
  const Image& b = disk(1, truth.number).image();
  MetadataView& first = *share(0, truth.number).metadata;
  MetadataView& second = *share(1, truth.number).metadata;
  const std::vector<std::uint64_t> differ = uncovered_blocks(a, first, b, second);
  for (const std::uint64_t block : differ) {
    if (std::find(truth.rotten.begin(), truth.rotten.end(), block) != truth.rotten.end()) continue;
    world_.fail(FailureKind::safety, "E2",
                fmt::format("block {} of volume {} differs and neither bitmap nor activity log "
                            "says so (flags {:#x}, {:#x}): {}",
                            block, truth.number, first.flags(), second.flags(), describe()));
    return;
  }
}

void Cluster::plant_rot(std::uint32_t places) {
  world_.expect_error("Out of sync: start=");
  world_.expect_error("Online verify found");
  rot_planted_ = true;
  for (const std::unique_ptr<Truth>& truth : truths_)
    plant_rot_in(*truth, places);
}

void Cluster::plant_rot_in(Truth& truth, std::uint32_t places) {
  Image& image = disk(other(primary_), truth.number).image();
  const MetadataView& view = *share(0, truth.number).metadata;
  const std::uint64_t sectors = view.places().data.value() / sector_bytes;
  for (std::uint32_t i = 0; i < places; ++i) {
    const std::uint64_t sector = prng_.below(sectors);
    const std::uint64_t block = sector / sectors_per_block;
    if (std::find(truth.rotten.begin(), truth.rotten.end(), block) != truth.rotten.end()) continue;
    truth.rotten.push_back(block);
    std::array<std::byte, sector_bytes> content{};
    image.read(to_bytes(Sector(sector)), content);
    content[prng_.below(sector_bytes)] ^= static_cast<std::byte>(1U << prng_.below(8));
    image.write(to_bytes(Sector(sector)), content);
  }
}

// A connection that breaks meanwhile makes good what was found until then: such a block is equal
// again, which without a mark it would not be.
bool Cluster::rot_found() noexcept {
  return std::all_of(truths_.begin(), truths_.end(),
                     [this](const auto& truth) { return rot_found_in(*truth); });
}

bool Cluster::rot_found_in(const Truth& truth) noexcept {
  const Image& a = disk(0, truth.number).image();
  const Image& b = disk(1, truth.number).image();
  std::uint64_t repaired = 0;
  for (const std::uint64_t block : truth.rotten)
    repaired += equal_block(a, b, block) ? 1 : 0;
  for (std::size_t i = 0; i < 2; ++i) {
    const Bitmap* bitmap = replica(i)->bitmap(truth.number);
    if (bitmap == nullptr || bitmap->weight().value() != truth.rotten.size() - repaired) {
      return false;
    }
    for (const std::uint64_t block : truth.rotten) {
      if (!equal_block(a, b, block) && !bitmap->test(BitmapBlock(block))) return false;
    }
  }
  return true;
}

bool Cluster::rotten() const noexcept {
  return std::any_of(truths_.begin(), truths_.end(),
                     [](const auto& truth) { return !truth->rotten.empty(); });
}

void Cluster::look_for_rot(std::size_t which) noexcept {
  for (const std::unique_ptr<Truth>& truth : truths_) {
    if (!rot_found_in(*truth)) want_verify(which, truth->number);
  }
}

void Cluster::reconnect_secondary() {
  for (const std::unique_ptr<Truth>& truth : truths_)
    truth->rotten.clear();
  want_disconnect(primary_ == nobody ? 0 : other(primary_), Duration::milliseconds(100));
}

bool Cluster::equal_in(std::size_t volume, ByteRange range) {
  std::vector<std::byte> here(range.length.value());
  std::vector<std::byte> there(range.length.value());
  disk(0, volume).image().read(range.begin, here);
  disk(1, volume).image().read(range.begin, there);
  return here == there;
}

bool Cluster::holds(std::size_t which, std::size_t volume, ByteRange range, ConstBytes data) {
  std::vector<std::byte> there(range.length.value());
  disk(which, volume).image().read(range.begin, there);
  return std::equal(there.begin(), there.end(), data.begin(), data.end());
}

void Cluster::check_equal() {
  for (const std::unique_ptr<Truth>& truth : truths_)
    check_volume_equal(*truth);
}

void Cluster::check_volume_equal(Truth& truth) {
  const Image& a = disk(0, truth.number).image();
  const Image& b = disk(1, truth.number).image();
  MetadataView& first = *share(0, truth.number).metadata;
  MetadataView& second = *share(1, truth.number).metadata;
  if (const auto block = different_block(a, first, b, second)) {
    world_.fail(FailureKind::safety, "E1",
                fmt::format("block {} of volume {} differs although all is quiet: {}", *block,
                            truth.number, describe()));
    return;
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (node(i).running() && replica(i)->out_of_sync_blocks(truth.number) != 0) {
      world_.fail(FailureKind::safety, "E1",
                  "blocks are marked although all is quiet: " + describe());
    }
  }
}

}  // namespace replicator::sim
