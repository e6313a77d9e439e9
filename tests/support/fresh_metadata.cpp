#include "tests/support/fresh_metadata.hpp"

#include <memory>
#include <string>
#include <vector>

#include "io/buffer_pool.hpp"
#include "metadata/activity_log_format.hpp"
#include "metadata/layout.hpp"
#include "metadata/superblock.hpp"

namespace replicator::testing_support {

namespace {

Task<Status> put(io::Disk& disk, std::uint64_t sector, ConstBytes block) {
  io::Op op;
  disk.write(op, to_bytes(Sector(sector)), block, io::Durability::stable);
  const std::int32_t moved = co_await op;
  co_return moved >= 0 ? Status() : Status(Fault::io_error, "create-md", -moved);
}

}  // namespace

Task<Status> create_metadata(io::World& world, std::string_view path) {
  Result<std::unique_ptr<io::Disk>> opened = world.storage.open(path, io::DiskAccess::exclusive);
  if (!opened) co_return opened.error();
  io::Disk& disk = **opened;
  const std::uint64_t capacity = to_sectors(disk.size()).value();
  const MetadataLayout layout = place_metadata(MetaDiskIndex(), capacity, capacity, AlStripes());
  Superblock superblock;
  superblock.generations.current = uuid_just_created;
  superblock.flags = md_flag_al_clean;
  superblock.md_size_sectors = layout.md_size;
  superblock.al_offset = layout.al_offset;
  superblock.bm_offset = layout.bm_offset;
  superblock.al_stripes = 1;
  superblock.al_stripe_size_4k = 8;
  io::BufferPool pool(1U << 20U, false);
  io::BufferPool::Buffer block = pool.try_take(al_block_bytes);
  const Bytes bytes = block.bytes();
  encode_al_initialized(bytes);
  for (std::uint64_t index = 0; index < 8; ++index) {
    const std::uint64_t sector = layout.activity_log + index * 8;
    const Status written = co_await put(disk, sector, bytes);
    if (!written.ok()) co_return written;
  }
  serialise(superblock, bytes);
  co_return co_await put(disk, layout.superblock, bytes);
}

}  // namespace replicator::testing_support
