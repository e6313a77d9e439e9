#include "tests/sim/disk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace replicator::sim {

namespace {

// Cheap and order-sensitive; only to notice that a buffer changed under a write in flight.
std::uint64_t checksum(ConstBytes data) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at + 8 <= data.size(); at += 64) {
    sum = (sum ^ read_native<std::uint64_t>(data, at)) * 0x9e3779b97f4a7c15ULL;
  }
  return sum;
}

bool writes(DiskOp kind) noexcept {
  return kind == DiskOp::write || kind == DiskOp::discard || kind == DiskOp::zeroes;
}

}  // namespace

const char* name(DiskOp kind) noexcept {
  switch (kind) {
    case DiskOp::read: return "read";
    case DiskOp::write: return "write";
    case DiskOp::flush: return "flush";
    case DiskOp::discard: return "discard";
    case DiskOp::zeroes: return "zeroes";
  }
  return "?";
}

// What the engine holds of a disk. Everything else is the SimDisk, which survives it.
class SimDisk::Handle final : public io::Disk {
 public:
  Handle(SimDisk& disk, bool exclusive) noexcept : disk_(disk), exclusive_(exclusive) {
    ++disk_.handles_;
    if (exclusive_) disk_.exclusive_ = true;
  }
  ~Handle() override {
    --disk_.handles_;
    if (exclusive_) disk_.exclusive_ = false;
  }
  [[nodiscard]] ByteCount size() const noexcept override { return disk_.size(); }
  [[nodiscard]] std::uint32_t logical_block_bytes() const noexcept override {
    return disk_.options_.logical_block_bytes;
  }
  void read(io::Op& op, ByteOffset at, Bytes into) override {
    Pending pending;
    pending.kind = DiskOp::read;
    pending.begin = at;
    pending.length = into.size();
    pending.into = into.data();
    disk_.submit(op, std::move(pending));
  }
  void write(io::Op& op, ByteOffset at, ConstBytes data, io::Durability durability) override {
    Pending pending;
    pending.kind = DiskOp::write;
    pending.begin = at;
    pending.length = data.size();
    pending.from = data.data();
    pending.durability = durability;
    disk_.submit(op, std::move(pending));
  }
  void flush(io::Op& op) override {
    Pending pending;
    pending.kind = DiskOp::flush;
    disk_.submit(op, std::move(pending));
  }
  void discard(io::Op& op, ByteRange range) override {
    Pending pending;
    pending.kind = DiskOp::discard;
    pending.begin = range.begin;
    pending.length = range.length.value();
    disk_.submit(op, std::move(pending));
  }
  void write_zeroes(io::Op& op, ByteRange range, bool may_unmap) override {
    Pending pending;
    pending.kind = DiskOp::zeroes;
    pending.begin = range.begin;
    pending.length = range.length.value();
    pending.may_unmap = may_unmap;
    disk_.submit(op, std::move(pending));
  }

 private:
  SimDisk& disk_;
  bool exclusive_;
};

SimDisk::SimDisk(World& world, NodeId node, std::string path, ByteCount size, DiskModel options)
    : world_(world),
      node_(node),
      path_(std::move(path)),
      options_(options),
      image_(size),
      prng_(world.stream("disk " + world.node_name(node) + path_)) {}

Result<std::unique_ptr<io::Disk>> SimDisk::open(io::DiskAccess access) {
  if (gone_) return failure(Fault::not_found, "open", ENOENT);
  const bool exclusive = access == io::DiskAccess::exclusive;
  if (exclusive_ && exclusive) return failure(Fault::busy, "open", EBUSY);
  return std::unique_ptr<io::Disk>(std::make_unique<Handle>(*this, exclusive));
}

std::int32_t SimDisk::validate(const Pending& pending) {
  if (pending.kind == DiskOp::flush) return 0;
  const std::uint64_t unit = options_.logical_block_bytes;
  const auto memory = reinterpret_cast<std::uintptr_t>(pending.into) |
                      reinterpret_cast<std::uintptr_t>(pending.from);
  if (pending.begin.value() % unit != 0 || pending.length % unit != 0 || pending.length == 0 ||
      memory % 512 != 0) {
    world_.fail(FailureKind::safety, "seam",
                fmt::format("{} of {}+{} is not aligned as io::Disk demands", name(pending.kind),
                            pending.begin.value(), pending.length));
    return -EINVAL;
  }
  std::uint64_t end = 0;
  if (!checked_add(pending.begin.value(), pending.length, end) || end > size().value()) {
    return pending.kind == DiskOp::read ? -EIO : -ENOSPC;
  }
  if (pending.kind == DiskOp::discard && options_.discard == DiscardMode::unsupported) {
    return -EOPNOTSUPP;
  }
  if (pending.kind == DiskOp::zeroes && !options_.zeroes_supported) return -EOPNOTSUPP;
  return 0;
}

void SimDisk::draw_fault(Pending& pending) {
  for (std::size_t i = 0; i < faults_.size(); ++i) {
    DiskFault& fault = faults_[i];
    if ((fault.kinds & bit(pending.kind)) == 0) continue;
    if (pending.kind != DiskOp::flush && !fault.where.overlaps(pending.range())) continue;
    if (fault.countdown > 0) {
      --fault.countdown;
      continue;
    }
    ++fault_hits_;
    if (fault.stuck) pending.stuck = true;
    else pending.failure = -fault.error;
    if (!fault.sticky) faults_.erase(faults_.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

Duration SimDisk::draw_latency() {
  const DiskTiming& timing = options_.timing;
  if (prng_.chance(timing.slow_percent)) {
    return Duration::nanoseconds(static_cast<std::int64_t>(
        prng_.below(static_cast<std::uint64_t>(timing.slow.nanoseconds()) + 1)));
  }
  return Duration::nanoseconds(static_cast<std::int64_t>(
      prng_.between(static_cast<std::uint64_t>(timing.fastest.nanoseconds()),
                    static_cast<std::uint64_t>(timing.slowest.nanoseconds()))));
}

void SimDisk::record(const char* what, const Pending& pending, std::int32_t result) {
  if (!world_.recording()) return;
  world_.record(node_, fmt::format("disk {} {} {} {}+{}{}{} -> {}", path_, what, name(pending.kind),
                                   pending.begin.value(), pending.length,
                                   pending.durability == io::Durability::stable ? " stable" : "",
                                   pending.stuck ? " stuck" : "", result));
}

void SimDisk::submit(io::Op& op, Pending pending) {
  begin(op);
  pending.op = &op;
  pending.failure = gone_ ? -ENODEV : validate(pending);
  if (pending.failure == 0) draw_fault(pending);
  const ConstBytes data(pending.from, pending.from != nullptr ? pending.length : 0);
  if (options_.check_stability && pending.from != nullptr) pending.check = checksum(data);
  if (pending.kind == DiskOp::flush) pending.dirty = image_.dirty_pages();
  if (on_submit_) {
    on_submit_({pending.kind, pending.range(), pending.durability, data, 0, pending.may_unmap});
  }
  record("submit", pending, 0);

  std::uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(pending_.size());
    pending_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  pending.generation = pending_[slot].generation + 1;
  const std::uint64_t tag = slot | (static_cast<std::uint64_t>(pending.generation) << 32U);
  op.backend_data = tag;
  const bool stuck = pending.stuck;
  pending_[slot] = std::move(pending);
  ++serial_;
  ++in_flight_;
  if (!stuck) world_.after(draw_latency(), node_, *this, tag);
}

void SimDisk::fire(std::uint64_t tag) {
  Pending& pending = pending_[tag & 0xffffffffU];
  if (pending.op == nullptr || pending.generation != tag >> 32U) return;
  complete(pending);
}

void SimDisk::complete(Pending& pending) {
  const std::int32_t result = carry_out(pending);
  io::Op& op = *pending.op;
  if (on_complete_) {
    const ConstBytes data(pending.from, pending.from != nullptr ? pending.length : 0);
    on_complete_({pending.kind, pending.range(), pending.durability, data, result});
  }
  record("complete", pending, result);
  world_.note(pending.begin.value() ^ (pending.length << 32U) ^
              static_cast<std::uint64_t>(static_cast<std::int64_t>(result)));
  drop(pending);
  finish(op, result);
}

std::int32_t SimDisk::carry_out(Pending& pending) {
  if (pending.failure == 0 && gone_) pending.failure = -ENODEV;
  if (pending.failure != 0) {
    // A failed write may have changed any part of its range.
    if (pending.kind == DiskOp::write && pending.failure == -EIO) {
      leave_partial(pending, static_cast<std::uint32_t>(prng_.below(101)));
    }
    return pending.failure;
  }
  switch (pending.kind) {
    case DiskOp::read: image_.read(pending.begin, Bytes(pending.into, pending.length)); break;
    case DiskOp::write: {
      const ConstBytes data(pending.from, pending.length);
      if (options_.check_stability && checksum(data) != pending.check) {
        world_.fail(FailureKind::safety, "seam",
                    fmt::format("the buffer of a write to {}+{} changed while in flight",
                                pending.begin.value(), pending.length));
      }
      write_cached(pending.begin, data);
      if (pending.durability == io::Durability::stable) put_on_media(pending.range());
      break;
    }
    case DiskOp::flush: put_on_media(pending.dirty); return 0;
    case DiskOp::discard: do_discard(pending); break;
    case DiskOp::zeroes: image_.write_zeroes(pending.range()); break;
  }
  if (!options_.volatile_cache && pending.kind != DiskOp::read) put_on_media(pending.range());
  return pending.kind == DiskOp::read || pending.kind == DiskOp::write
             ? static_cast<std::int32_t>(pending.length)
             : 0;
}

void SimDisk::write_cached(ByteOffset at, ConstBytes data) {
  if (options_.destage_percent != 0 && prng_.chance(options_.destage_percent)) {
    put_on_media(ByteRange(at, ByteCount(data.size())));
  }
  image_.write(at, data);
}

void SimDisk::put_on_media(ByteRange range) {
  for (std::uint64_t at = range.begin.value(); at < range.end().value(); at += sector_bytes) {
    image_.keep(Sector(at / sector_bytes));
  }
  note_media(range);
}

void SimDisk::put_on_media(const std::vector<Image::DirtyPage>& pages) {
  for (const Image::DirtyPage& page : pages) {
    image_.keep(page);
    note_media(ByteRange(ByteOffset(page.page * block_bytes), ByteCount(block_bytes)));
  }
}

void SimDisk::do_discard(const Pending& pending) {
  const std::uint64_t first = round_up(pending.begin.value(), block_bytes);
  const std::uint64_t last = round_down(pending.range().end().value(), block_bytes);
  switch (options_.discard) {
    case DiscardMode::unsupported:
    case DiscardMode::keeps: return;
    case DiscardMode::zeroes: image_.write_zeroes(pending.range()); return;
    case DiscardMode::aligned_zeroes:
      if (first < last) {
        image_.write_zeroes(ByteRange(ByteOffset(first), ByteCount(last - first)));
      }
      return;
    case DiscardMode::garbage: break;
  }
  std::array<std::byte, sector_bytes> junk;
  for (std::uint64_t at = pending.begin.value(); at < pending.range().end().value();
       at += sector_bytes) {
    for (std::size_t i = 0; i < junk.size(); i += 8) {
      write_native<std::uint64_t>(junk, i, prng_.next());
    }
    image_.write(ByteOffset(at), junk);
  }
}

void SimDisk::leave_partial(const Pending& pending, std::uint32_t keep_percent) {
  if (!writes(pending.kind)) return;
  const std::uint64_t unit = options_.logical_block_bytes;
  for (std::uint64_t done = 0; done < pending.length; done += unit) {
    if (!prng_.chance(keep_percent)) continue;
    const ByteOffset at = pending.begin + ByteCount(done);
    if (pending.kind == DiskOp::write) {
      image_.write(at, ConstBytes(pending.from + done, unit));
    } else if (pending.kind == DiskOp::zeroes || options_.discard == DiscardMode::zeroes) {
      image_.write_zeroes(ByteRange(at, ByteCount(unit)));
    }
  }
}

void SimDisk::drop(Pending& pending) noexcept {
  const auto slot = static_cast<std::uint32_t>(&pending - pending_.data());
  pending.op = nullptr;
  pending.dirty.clear();
  free_.push_back(slot);
  --in_flight_;
}

void SimDisk::forget(io::Op& op) noexcept {
  Pending& pending = pending_[op.backend_data & 0xffffffffU];
  if (pending.op == &op) drop(pending);
}

void SimDisk::process_died() {
  for (Pending& pending : pending_) {
    if (pending.op == nullptr) continue;
    const std::uint64_t fate = prng_.below(3);  // carried out, never submitted, in part
    if (pending.failure != 0 || fate == 1) {
      leave_partial(pending, 0);
    } else if (fate == 2 && pending.kind != DiskOp::flush) {
      leave_partial(pending, 50);
    } else if (pending.kind != DiskOp::read) {
      carry_out(pending);
    }
    drop(pending);
  }
}

void SimDisk::power_cut(CutMode mode) {
  if (mode == CutMode::drawn) mode = static_cast<CutMode>(prng_.below(3));
  const auto keep_percent = mode == CutMode::keep_all ? 100U
                            : mode == CutMode::lose_all
                                ? 0U
                                : static_cast<std::uint32_t>(prng_.between(1, 99));
  for (Pending& pending : pending_) {
    if (pending.op == nullptr) continue;
    if (pending.failure == 0) leave_partial(pending, keep_percent);
    drop(pending);
  }
  const std::uint64_t unit = options_.logical_block_bytes / sector_bytes;
  for (const Image::DirtyPage& page : image_.dirty_pages()) {
    for (std::uint64_t i = 0; i < sectors_per_block; i += unit) {
      const bool kept = prng_.chance(keep_percent);
      for (std::uint64_t j = i; j < i + unit; ++j) {
        const Sector sector(page.page * sectors_per_block + j);
        if (kept) image_.keep(sector);
        else image_.lose(sector);
      }
    }
    note_media(ByteRange(ByteOffset(page.page * block_bytes), ByteCount(block_bytes)));
  }
}

void SimDisk::replace_image(const Image& image) {
  image_ = std::move(*image.copy());
  ++media_version_;
}

void SimDisk::clear_faults() {
  faults_.clear();
  gone_ = false;
}

void SimDisk::release_stuck() {
  for (std::size_t slot = 0; slot < pending_.size(); ++slot) {
    Pending& pending = pending_[slot];
    if (pending.op == nullptr || !pending.stuck) continue;
    pending.stuck = false;
    world_.after(draw_latency(), node_, *this,
                 slot | (static_cast<std::uint64_t>(pending.generation) << 32U));
  }
}

}  // namespace replicator::sim
