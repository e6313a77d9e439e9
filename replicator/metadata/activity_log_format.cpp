#include "metadata/activity_log_format.hpp"

#include <algorithm>

#include "base/crc32c.hpp"
#include "base/ensure.hpp"

namespace replicator {

namespace {

constexpr std::uint32_t al_magic = 0x69cb65a2;
constexpr std::uint16_t type_update = 0;
constexpr std::uint16_t type_initialized = 0xffff;
constexpr std::size_t at_crc = 8;
constexpr std::size_t at_type = 12;
constexpr std::size_t at_slots = 36;
constexpr std::size_t at_extents = 164;
constexpr std::size_t at_context = 420;

void seal(Bytes block) {
  write_be32(block, at_crc, 0);
  write_be32(block, at_crc, crc32c_raw(0, block.first(al_block_bytes)));
}

bool sealed(ConstBytes block) {
  std::array<std::byte, 4> zero{};
  std::uint32_t state = crc32c_raw(0, block.first(at_crc));
  state = crc32c_raw(state, zero);
  state = crc32c_raw(state, block.subspan(at_crc + 4, al_block_bytes - at_crc - 4));
  return state == read_be32(block, at_crc);
}

}  // namespace

void encode_al_transaction(const AlTransaction& t, Bytes block) {
  ensure(t.updates.size() <= al_updates_max && t.context.size() <= al_context_max);
  fill_bytes(block.first(al_block_bytes), std::byte{0});
  write_be32(block, 0, al_magic);
  write_be32(block, 4, t.number);
  write_be16(block, at_type, type_update);
  write_be16(block, 14, static_cast<std::uint16_t>(t.updates.size()));
  write_be16(block, 16, t.context_size);
  write_be16(block, 18, t.context_start_slot);
  for (std::size_t i = 0; i < al_updates_max; ++i) {
    const bool used = i < t.updates.size();
    write_be16(block, at_slots + 2 * i, used ? t.updates[i].slot : std::uint16_t{0xffff});
    write_be32(block, at_extents + 4 * i, used ? t.updates[i].extent : al_extent_free);
  }
  for (std::size_t i = 0; i < al_context_max; ++i) {
    write_be32(block, at_context + 4 * i, i < t.context.size() ? t.context[i] : al_extent_free);
  }
  seal(block);
}

void encode_al_initialized(Bytes block) {
  fill_bytes(block.first(al_block_bytes), std::byte{0});
  write_be32(block, 0, al_magic);
  write_be16(block, at_type, type_initialized);
  seal(block);
}

AlBlockKind decode_al_block(ConstBytes block, AlTransaction& t) {
  if (block.size() < al_block_bytes || read_be32(block, 0) != al_magic || !sealed(block)) {
    return AlBlockKind::invalid;
  }
  const std::uint16_t type = read_be16(block, at_type);
  if (type == type_initialized) return AlBlockKind::initialized;
  if (type != type_update) return AlBlockKind::invalid;
  const std::size_t updates = read_be16(block, 14);
  if (updates > al_updates_max) return AlBlockKind::invalid;
  t.number = read_be32(block, 4);
  t.context_size = read_be16(block, 16);
  t.context_start_slot = read_be16(block, 18);
  t.updates.clear();
  for (std::size_t i = 0; i < al_updates_max; ++i) {
    const std::uint16_t slot = read_be16(block, at_slots + 2 * i);
    if (i >= updates && slot == 0xffff) continue;
    t.updates.push_back(AlUpdate{slot, read_be32(block, at_extents + 4 * i)});
  }
  const std::size_t valid =
      t.context_size > t.context_start_slot
          ? std::min<std::size_t>(al_context_max, t.context_size - t.context_start_slot)
          : 0;
  t.context.clear();
  for (std::size_t i = 0; i < al_context_max; ++i) {
    const std::uint32_t extent = read_be32(block, at_context + 4 * i);
    // Beyond the declared size only what is in use counts.
    if (i >= valid && extent == al_extent_free) continue;
    t.context.resize(i + 1, al_extent_free);
    t.context[i] = extent;
  }
  if (t.context.size() < valid) t.context.resize(valid, al_extent_free);
  return AlBlockKind::transaction;
}

std::uint32_t al_slots_of(AlStripes stripes) noexcept {
  const std::uint64_t described =
      (std::max<std::uint64_t>(stripes.blocks(), 1) - 1) * al_context_max;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(described, al_slots_max));
}

std::uint64_t al_block_of(std::uint32_t number, AlStripes stripes) noexcept {
  const std::uint64_t r = number % stripes.blocks();
  return (r % stripes.stripes) * stripes.stripe_blocks + r / stripes.stripes;
}

namespace {

struct Ring {
  std::vector<AlTransaction> transactions;  // valid ones, unordered
  std::uint64_t valid = 0;
  bool only_first_invalid = false;
};

Ring read_ring(ConstBytes ring, AlStripes stripes) {
  Ring result;
  std::uint64_t invalid = 0;
  bool first_invalid = false;
  for (std::uint64_t r = 0; r < stripes.blocks(); ++r) {
    const std::uint64_t block = al_block_of(static_cast<std::uint32_t>(r), stripes);
    AlTransaction t;
    const AlBlockKind kind =
        decode_al_block(ring.subspan(block * al_block_bytes, al_block_bytes), t);
    // A transaction in a place that is not its own is no transaction of this log.
    const bool misplaced = kind == AlBlockKind::transaction && t.number % stripes.blocks() != r;
    if (kind == AlBlockKind::invalid || misplaced) {
      ++invalid;
      if (r == 0) first_invalid = true;
      continue;
    }
    ++result.valid;
    if (kind == AlBlockKind::transaction) result.transactions.push_back(std::move(t));
  }
  result.only_first_invalid = invalid == 0 || (invalid == 1 && first_invalid);
  return result;
}

void apply(const AlTransaction& t, std::vector<std::uint32_t>& slots) {
  for (std::size_t i = 0; i < t.context.size(); ++i) {
    const std::size_t slot = std::size_t{t.context_start_slot} + i;
    if (t.context[i] == al_extent_free && slot >= t.context_size) continue;
    if (slot < slots.size()) slots[slot] = t.context[i];
  }
  for (const AlUpdate& update : t.updates) {
    if (update.slot < slots.size()) slots[update.slot] = update.extent;
  }
}

}  // namespace

Result<std::vector<std::uint32_t>> replay_activity_log(ConstBytes bytes, AlStripes stripes) {
  if (bytes.size() < stripes.blocks() * al_block_bytes) {
    return failure(Fault::malformed, "activity log: too short");
  }
  Ring ring = read_ring(bytes, stripes);
  if (ring.valid == 0) return failure(Fault::malformed, "activity log: no valid block");
  if (ring.transactions.empty()) {
    if (ring.only_first_invalid) return std::vector<std::uint32_t>();
    return failure(Fault::malformed, "activity log: blocks are damaged");
  }
  // Numbers wrap: their signed distance orders them.
  const std::uint32_t base = ring.transactions.front().number;
  std::sort(ring.transactions.begin(), ring.transactions.end(),
            [base](const AlTransaction& a, const AlTransaction& b) {
              return static_cast<std::int32_t>(a.number - base) <
                     static_cast<std::int32_t>(b.number - base);
            });
  std::vector<std::uint32_t> slots(al_slots_max, al_extent_free);
  for (const AlTransaction& t : ring.transactions)
    apply(t, slots);
  std::vector<std::uint32_t> hot;
  for (const std::uint32_t extent : slots) {
    if (extent != al_extent_free) hot.push_back(extent);
  }
  std::sort(hot.begin(), hot.end());
  hot.erase(std::unique(hot.begin(), hot.end()), hot.end());
  return hot;
}

}  // namespace replicator
