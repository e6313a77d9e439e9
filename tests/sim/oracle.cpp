#include "tests/sim/oracle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace replicator::sim {

namespace {

constexpr std::size_t tail_at = sector_bytes - 8;

std::uint64_t check_of(std::uint64_t sector, std::uint32_t writer, WriteId id) noexcept {
  std::uint64_t sum = sector * 0x9e3779b97f4a7c15ULL;
  sum = (sum ^ writer) * 0xbf58476d1ce4e5b9ULL;
  sum = (sum ^ id) * 0x94d049bb133111ebULL;
  return sum ^ (sum >> 29U);
}

struct Stamp {
  bool zero = false;
  bool valid = false;
  std::uint64_t sector = 0;
  std::uint32_t writer = 0;
  WriteId id = 0;
};

Stamp read_stamp(ConstBytes content) noexcept {
  Stamp stamp;
  stamp.sector = read_native<std::uint64_t>(content, 0);
  stamp.writer = static_cast<std::uint32_t>(read_native<std::uint64_t>(content, 8));
  stamp.id = static_cast<WriteId>(read_native<std::uint64_t>(content, 16));
  const auto head = read_native<std::uint64_t>(content, 24);
  const auto tail = read_native<std::uint64_t>(content, tail_at);
  if (head == 0 && tail == 0 && stamp.sector == 0 && stamp.id == 0) {
    stamp.zero = all_zero(content);
    return stamp;
  }
  stamp.valid = head == check_of(stamp.sector, stamp.writer, stamp.id) && tail == ~head;
  return stamp;
}

}  // namespace

void stamp_sector(Bytes sector, std::uint64_t number, std::uint32_t writer, WriteId id) {
  const std::uint64_t check = check_of(number, writer, id);
  write_native<std::uint64_t>(sector, 0, number);
  write_native<std::uint64_t>(sector, 8, writer);
  write_native<std::uint64_t>(sector, 16, id);
  write_native<std::uint64_t>(sector, 24, check);
  write_native<std::uint64_t>(sector, tail_at, ~check);
}

Oracle::Oracle(std::uint64_t sectors, std::uint64_t zeroed) : zeroed_(zeroed), registers_(sectors) {
  Write initial;  // initial_content, then new_storage
  initial.invoked = Instant(-2);
  initial.ended = Instant(-2);
  initial.kind = ChangeKind::zeroes;
  initial.answered = true;
  initial.flushed = true;
  writes_.push_back(initial);
  initial.kind = ChangeKind::anything;
  writes_.push_back(initial);
}

Oracle::Register& Oracle::touch(std::uint64_t sector) {
  Register& reg = registers_[sector];
  if (reg.first == none) {
    touched_.push_back(sector);
    reg.first = static_cast<std::uint32_t>(versions_.size());
    versions_.push_back(Version{sector < zeroed_ ? initial_content : new_storage, none});
  }
  return reg;
}

WriteId Oracle::begin_write(ByteRange range, ChangeKind kind, std::uint32_t writer, Instant now) {
  const auto id = static_cast<WriteId>(writes_.size());
  Write write;
  write.range = range;
  write.invoked = now;
  write.writer = writer;
  write.kind = kind;
  writes_.push_back(write);
  open_.push_back(id);
  const std::uint64_t first = range.begin.value() / sector_bytes;
  const std::uint64_t count = range.length.value() / sector_bytes;
  for (std::uint64_t sector = first; sector < first + count; ++sector) {
    Register& reg = touch(sector);
    versions_.push_back(Version{id, reg.first});
    reg.first = static_cast<std::uint32_t>(versions_.size() - 1);
  }
  return id;
}

void Oracle::stamp(WriteId id, Bytes data) const {
  const Write& write = writes_[id];
  const std::uint64_t first = write.range.begin.value() / sector_bytes;
  for (std::uint64_t i = 0; i * sector_bytes < data.size(); ++i) {
    stamp_sector(data.subspan(i * sector_bytes, sector_bytes), first + i, write.writer, id);
  }
}

void Oracle::end_write(WriteId id, bool ok, bool stable, Instant now) {
  Write& write = writes_[id];
  write.ended = now;
  std::erase(open_, id);
  if (!ok) return;
  write.answered = true;
  ++answered_;
  if (stable) write.flushed = true;
  else unflushed_.push_back(id);
}

void Oracle::node_died(std::uint32_t writer, Instant now) {
  for (const WriteId id : open_) {
    if (writes_[id].writer == writer) writes_[id].ended = now;
  }
  std::erase_if(open_, [&](WriteId id) { return writes_[id].writer == writer; });
}

void Oracle::flushed(Instant began, Instant weak_since, std::uint32_t writer) {
  for (const WriteId id : unflushed_) {
    if (several_writers_ && writes_[id].writer != writer) continue;
    if (writes_[id].ended < began && writes_[id].invoked > weak_since) writes_[id].flushed = true;
  }
  std::erase_if(unflushed_, [&](WriteId id) { return writes_[id].flushed; });
}

void Oracle::disown(std::uint32_t writer, Instant since) {
  for (Write& write : writes_) {
    if (write.writer != writer || write.ended < since) continue;
    write.answered = false;
    write.flushed = false;
  }
  std::erase_if(unflushed_, [&](WriteId id) { return !writes_[id].answered; });
}

bool Oracle::matches(const Version& version, std::uint64_t sector,
                     ConstBytes content) const noexcept {
  const Write& write = writes_[version.write];
  if (write.kind == ChangeKind::anything) return true;
  const Stamp stamp = read_stamp(content);
  if (write.kind == ChangeKind::zeroes) return stamp.zero;
  return stamp.valid && stamp.sector == sector && stamp.id == version.write &&
         stamp.writer == write.writer;
}

bool Oracle::contested(const Register& reg, const Write& write) const noexcept {
  for (std::uint32_t at = reg.first; at != none; at = versions_[at].next) {
    const Write& other = writes_[versions_[at].write];
    if (other.writer == write.writer || versions_[at].write <= new_storage) continue;
    if (other.invoked <= write.ended && write.invoked <= other.ended) return true;
  }
  return false;
}

WriteId Oracle::evidence_against(const Register& reg, const Version& version, Instant began,
                                 Instant weak_since, bool is_read) const noexcept {
  const Write& mine = writes_[version.write];
  if (version.dead_since < began && version.dead_since > weak_since) {
    const WriteId later = versions_[version.replaced_by].write;
    if (binding(writes_[later], weak_since)) return later;
  }
  for (std::uint32_t at = reg.first; at != none; at = versions_[at].next) {
    const Version& other = versions_[at];
    const Write& write = writes_[other.write];
    if (write.invoked <= mine.ended) continue;  // not certainly later
    const bool meets = several_writers_ && is_read && contested(reg, write);
    if (write.answered && write.ended < began && !meets &&
        (write.invoked > weak_since || write.flushed)) {
      return other.write;
    }
    const bool seen_in_time = (other.first_seen < began && other.first_seen > weak_since) ||
                              (other.last_seen < began && other.last_seen > weak_since);
    if (seen_in_time && binding(write, weak_since)) return other.write;
  }
  return none;
}

void Oracle::observe(Register& reg, std::uint32_t index, Instant began, Instant now) {
  Version& version = versions_[index];
  if (reg.seen != none && reg.seen != index) {
    Version& before = versions_[reg.seen];
    if (before.last_seen < began && before.dead_since == Instant::never()) {
      before.dead_since = now;
      before.replaced_by = index;
    }
  }
  version.first_seen = std::min(version.first_seen, now);
  version.last_seen = std::max(version.last_seen, now);
  reg.seen = index;
}

std::string Oracle::explain(std::uint64_t sector, ConstBytes content, WriteId saw,
                            WriteId evidence) const {
  const Stamp stamp = read_stamp(content);
  const auto describe = [this](WriteId id) {
    const Write& write = writes_[id];
    return fmt::format("write {} ({}+{}, begun {}, ended {}, {}{})", id, write.range.begin.value(),
                       write.range.length.value(), write.invoked.nanoseconds(),
                       write.ended == Instant::never() ? -1 : write.ended.nanoseconds(),
                       write.answered ? "answered" : "outcome unknown",
                       write.flushed ? ", flushed" : "");
  };
  if (saw == none) {
    return fmt::format("sector {} holds {} (sector {}, writer {}, write {}): never written there",
                       sector, stamp.valid ? "a foreign stamp" : "no valid stamp", stamp.sector,
                       stamp.writer, stamp.id);
  }
  return fmt::format("sector {} holds {}, but {} is newer", sector, describe(saw),
                     describe(evidence));
}

std::string Oracle::check_sector(std::uint64_t sector, ConstBytes content, Instant began,
                                 Instant now, Instant weak_since, bool is_read) {
  ++sectors_checked_;
  Register& reg = registers_[sector];
  if (reg.first == none) {
    const bool legal = sector >= zeroed_ || all_zero(content);
    return legal ? std::string() : explain(sector, content, none, none);
  }
  std::uint32_t legal = none;
  std::uint32_t matching = 0;
  WriteId saw = none;
  WriteId evidence = none;
  for (std::uint32_t at = reg.first; at != none; at = versions_[at].next) {
    const Version& version = versions_[at];
    if (!matches(version, sector, content)) continue;
    ++matching;
    const WriteId against = evidence_against(reg, version, began, weak_since, is_read);
    if (against == none) {
      legal = at;
      if (!is_read) return {};
    } else {
      saw = version.write;
      evidence = against;
    }
  }
  if (legal == none) return explain(sector, content, saw, evidence);
  if (is_read && matching == 1 && !several_writers_) observe(reg, legal, began, now);
  return {};
}

std::string Oracle::check_read(ByteRange range, ConstBytes data, Instant began, Instant now,
                               Instant weak_since) {
  if (divided_ || began < united_since_) return {};
  const std::uint64_t first = range.begin.value() / sector_bytes;
  for (std::uint64_t i = 0; i * sector_bytes < data.size(); ++i) {
    std::string wrong = check_sector(first + i, data.subspan(i * sector_bytes, sector_bytes), began,
                                     now, weak_since, true);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

std::string Oracle::check_image(const Image& image, Instant now, Instant weak_since) {
  std::array<std::byte, sector_bytes> content;
  for (const std::uint64_t sector : touched_) {
    image.read(ByteOffset(sector * sector_bytes), content);
    std::string wrong = check_sector(sector, content, now, now, weak_since, false);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

void Oracle::adopt(const Image& image, Instant now) {
  std::array<std::byte, sector_bytes> content;
  for (const std::uint64_t sector : touched_) {
    image.read(ByteOffset(sector * sector_bytes), content);
    Register& reg = registers_[sector];
    std::uint32_t kept = none;
    for (std::uint32_t at = reg.first; at != none && kept == none; at = versions_[at].next) {
      if (matches(versions_[at], sector, content)) kept = at;
    }
    if (kept == none) continue;  // the next check reports it
    versions_[kept].next = none;
    versions_[kept].dead_since = Instant::never();
    versions_[kept].last_seen = now;
    reg.first = kept;
    reg.seen = kept;
  }
}

}  // namespace replicator::sim
