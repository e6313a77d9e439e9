#include "undo/undo_format.hpp"

#include "base/crc32c.hpp"

namespace replicator {

namespace {

constexpr std::uint64_t magic = 0x504c5855'4e444f31;  // "PLXUNDO1"
constexpr std::uint64_t data_alignment = 1ULL << 20U;
constexpr std::uint64_t device_max = 1ULL << 50U;  // 1 PiB, DRBD's own limit

constexpr std::size_t at_magic = 0;
constexpr std::size_t at_flags = 8;
constexpr std::size_t at_reason = 12;
constexpr std::size_t at_volume = 16;
constexpr std::size_t at_device = 24;
constexpr std::size_t at_began = 32;
constexpr std::size_t at_mine = 40;
constexpr std::size_t at_peer = 72;
constexpr std::size_t at_name = 128;
constexpr std::size_t at_crc = undo_header_bytes - 4;

constexpr std::uint32_t flag_complete = 1;
constexpr std::uint32_t flag_partial = 2;

void encode(const GenerationSet& set, Bytes block, std::size_t at) noexcept {
  write_be64(block, at, set.current);
  write_be64(block, at + 8, set.bitmap);
  write_be64(block, at + 16, set.history[0]);
  write_be64(block, at + 24, set.history[1]);
}

GenerationSet decode_generations(ConstBytes block, std::size_t at) noexcept {
  GenerationSet set;
  set.current = read_be64(block, at);
  set.bitmap = read_be64(block, at + 8);
  set.history[0] = read_be64(block, at + 16);
  set.history[1] = read_be64(block, at + 24);
  return set;
}

// Ends at the first zero byte; empty when there is none.
std::string decode_name(ConstBytes field) {
  std::string name;
  for (const std::byte byte : field) {
    if (byte == std::byte{0}) return name;
    name.push_back(static_cast<char>(byte));
  }
  return std::string();
}

}  // namespace

const char* text(UndoReason reason) noexcept {
  switch (reason) {
    case UndoReason::split_brain: return "split brain, this node was the victim";
    case UndoReason::discard_my_data: return "split brain, --discard-my-data";
    case UndoReason::full_sync: return "overwritten by a full sync";
  }
  return "unknown";
}

ByteOffset UndoHeader::data_at() const noexcept {
  const std::uint64_t bitmap = round_up(ceil_div(blocks().value(), 8), undo_header_bytes);
  return ByteOffset(round_up(bitmap_at().value() + bitmap, data_alignment));
}

ByteCount UndoHeader::file_size() const noexcept {
  return ByteCount(data_at().value() + blocks().value() * block_bytes);
}

void encode(const UndoHeader& header, Bytes block) {
  ensure(block.size() == undo_header_bytes && header.resource.size() <= undo_name_max);
  fill_bytes(block, std::byte{0});
  write_be64(block, at_magic, magic);
  write_be32(block, at_flags,
             (header.complete ? flag_complete : 0U) | (header.partial ? flag_partial : 0U));
  write_be32(block, at_reason, static_cast<std::uint32_t>(header.reason));
  write_be32(block, at_volume, header.volume);
  write_be64(block, at_device, header.device.value());
  write_be64(block, at_began, header.began_seconds);
  encode(header.mine, block, at_mine);
  encode(header.peer, block, at_peer);
  copy_bytes(block.subspan(at_name, undo_name_max + 1), std::as_bytes(std::span(header.resource)));
  write_be32(block, at_crc, crc32c(block.first(at_crc)));
}

Result<UndoHeader> decode_undo_header(ConstBytes block) {
  if (block.size() < undo_header_bytes) return failure(Fault::malformed, "shorter than a header");
  if (read_be64(block, at_magic) != magic) return failure(Fault::malformed, "not an undo file");
  if (read_be32(block, at_crc) != crc32c(block.first(at_crc))) {
    return failure(Fault::malformed, "the header's checksum is wrong");
  }
  UndoHeader header;
  const std::uint32_t flags = read_be32(block, at_flags);
  const std::uint32_t reason = read_be32(block, at_reason);
  header.complete = (flags & flag_complete) != 0;
  header.partial = (flags & flag_partial) != 0;
  header.volume = read_be32(block, at_volume);
  header.device = ByteCount(read_be64(block, at_device));
  header.began_seconds = read_be64(block, at_began);
  header.mine = decode_generations(block, at_mine);
  header.peer = decode_generations(block, at_peer);
  header.resource = decode_name(block.subspan(at_name, undo_name_max + 1));
  if (header.resource.empty()) return failure(Fault::malformed, "the resource's name is missing");
  if (reason < 1 || reason > 3) return failure(Fault::malformed, "the reason is unknown");
  header.reason = static_cast<UndoReason>(reason);
  if (header.device.value() == 0 || header.device.value() > device_max) {
    return failure(Fault::malformed, "the size of the volume is impossible");
  }
  return header;
}

}  // namespace replicator
