// Any bytes as a ring of the activity log: replay ends, gives each extent once, and a block that
// decodes is written back and decodes to the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <vector>

#include "base/crc32c.hpp"
#include "base/units.hpp"
#include "metadata/activity_log_format.hpp"

namespace {

using namespace replicator;

void require(bool holds) {
  if (!holds) std::abort();
}

// As if the writer had meant it: mutations would never hit the checksum.
void seal(Bytes block) {
  write_be32(block, 0, 0x69cb65a2);
  write_be32(block, 8, 0);
  write_be32(block, 8, crc32c_raw(0, block));
}

void round_trip(ConstBytes block) {
  AlTransaction transaction;
  if (decode_al_block(block, transaction) != AlBlockKind::transaction) return;
  require(transaction.updates.size() <= al_updates_max);
  require(transaction.context.size() <= al_context_max);
  std::vector<std::byte> again(al_block_bytes);
  encode_al_transaction(transaction, again);
  AlTransaction second;
  require(decode_al_block(again, second) == AlBlockKind::transaction && second == transaction);
}

}  // namespace

// The first byte chooses the stripes, the next two which blocks are sealed. The rest is spread over
// the ring, a stretch at the beginning of each block.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const AlStripes stripes{1U + data[0] % 4U, 8U};
  const unsigned sealed = data[1] + 256U * data[2];
  ConstBytes rest = std::as_bytes(std::span(data + 3, size - 3));
  std::vector<std::byte> ring(stripes.blocks() * al_block_bytes);
  const std::size_t stretch =
      std::min<std::size_t>(al_block_bytes, ceil_div(rest.size(), stripes.blocks()));
  for (std::size_t i = 0; i < stripes.blocks(); ++i) {
    const Bytes block = Bytes(ring).subspan(i * al_block_bytes, al_block_bytes);
    const ConstBytes piece = rest.first(std::min(stretch, rest.size()));
    copy_bytes(block, piece);
    rest = rest.subspan(piece.size());
    if (((sealed >> (i % 16)) & 1U) != 0) seal(block);
    round_trip(block);
  }
  const Result<std::vector<std::uint32_t>> hot = replay_activity_log(ring, stripes);
  if (hot) {
    require(hot->size() <= al_slots_max);
    require(std::adjacent_find(hot->begin(), hot->end(), std::greater_equal<>()) == hot->end());
  }
  return 0;
}
