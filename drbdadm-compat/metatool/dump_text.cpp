#include "metatool/dump_text.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "base/units.hpp"

namespace replicator::metatool {

namespace {

constexpr std::uint64_t words_per_line = 4;
constexpr std::uint64_t run_min = 2 * words_per_line;
constexpr std::uint64_t word_kib = 64 * block_bytes / 1024;
constexpr std::uint64_t note_words = 8192 / word_kib;  // a note each 8 MiB

// The format writes a repeated word as one half twice.
bool halves_equal(std::uint64_t word) noexcept { return (word >> 32U) == (word & 0xffffffffU); }

}  // namespace

std::string dump_head(const MetadataOnDisk& metadata) {
  const Superblock& s = metadata.superblock;
  const MetadataLayout& layout = metadata.layout;
  const GenerationSet& g = s.generations;
  std::string text =
      fmt::format("# md_size_sect {}\n# md_offset {}\n# al_offset {}\n# bm_offset {}\n\n",
                  layout.md_size, layout.superblock * sector_bytes,
                  layout.activity_log * sector_bytes, layout.bitmap * sector_bytes);
  text += fmt::format(
      "uuid {{\n    0x{:016X}; 0x{:016X}; 0x{:016X}; 0x{:016X};\n    flags 0x{:08X};\n}}\n",
      g.current, g.bitmap, g.history[0], g.history[1], s.flags);
  const AlStripes stripes = s.stripes();
  text += fmt::format("# al-extents {};\nla-size-sect {};\nbm-byte-per-bit {};\n", s.al_extents,
                      s.la_size_sectors, s.bm_bytes_per_bit);
  text += fmt::format(
      "device-uuid 0x{:016X};\nla-peer-max-bio-size {};\nal-stripes {};\nal-stripe-size-4k {};\n",
      s.device_uuid, s.la_peer_max_bio_bytes, stripes.stripes, stripes.stripe_blocks);
  return text + fmt::format("# bm-bytes {};\nbm {{", metadata.bitmap_bytes());
}

namespace {

std::string peer_flags_text(std::uint32_t flags) {
  constexpr std::array<std::pair<unsigned, const char*>, 6> names{{{0, "connected"},
                                                                   {1, "<=outdated"},
                                                                   {2, "fencing"},
                                                                   {3, "full-sync"},
                                                                   {4, "seen"},
                                                                   {16, "exists"}}};
  std::string text;
  for (unsigned bit = 0; bit < 32; ++bit) {
    if ((flags >> bit & 1U) == 0) continue;
    text += text.empty() ? " # " : " | ";
    const auto* name = std::find_if(names.begin(), names.end(),
                                    [bit](const auto& known) { return known.first == bit; });
    text += name != names.end() ? name->second : fmt::format("0x{:x}=?", 1U << bit);
  }
  return text;
}

std::string generations_of(const OtherMetadata& m) {
  if (m.format == OtherMetadata::Format::v07) {
    std::string text = "gc {\n   ";
    for (const std::uint32_t counter : m.counters)
      text += fmt::format(" {};", static_cast<std::int32_t>(counter));
    return text + "\n}\n";
  }
  std::string text = fmt::format("node-id {};\ncurrent-uuid 0x{:016X};\nflags 0x{:08X};\n",
                                 m.node_id, m.current, m.flags);
  for (std::size_t i = 0; i < m.peers.size(); ++i) {
    const PeerV09& peer = m.peers[i];
    text += fmt::format(
        "peer[{}] {{\n    bitmap-index {};\n    bitmap-uuid 0x{:016X};\n"
        "    bitmap-dagtag 0x{:016X};\n    flags 0x{:08X};{}\n}}\n",
        i, peer.bitmap_index, peer.bitmap_uuid, peer.bitmap_dagtag, peer.flags,
        peer_flags_text(peer.flags));
  }
  text += "history-uuids {";
  for (std::size_t i = 0; i < m.history.size(); ++i)
    text += fmt::format("{}0x{:016X};", i % 4 == 0 ? "\n        " : " ", m.history[i]);
  return text + "\n}\n";
}

}  // namespace

std::string dump_head(const FoundOther& found) {
  const OtherMetadata& m = found.metadata;
  const bool v09 = m.format == OtherMetadata::Format::v09;
  std::string text = v09 ? fmt::format("max-peers {};\n", m.max_peers) : std::string();
  text += fmt::format("# md_size_sect {}\n# md_offset {}\n# al_offset {}\n# bm_offset {}\n\n",
                      m.md_size_sectors, found.superblock * sector_bytes,
                      found.activity_log() * sector_bytes, found.bitmap() * sector_bytes);
  text += generations_of(m);
  text += fmt::format("# al-extents {};\nla-size-sect {};\n", m.al_extents, m.la_size_sectors);
  if (v09) {
    text += fmt::format(
        "bm-byte-per-bit {};\ndevice-uuid 0x{:016X};\nla-peer-max-bio-size {};\n"
        "al-stripes {};\nal-stripe-size-4k {};\n",
        m.bm_bytes_per_bit, m.device_uuid, static_cast<std::int32_t>(m.la_peer_max_bio_bytes),
        m.stripes.stripes, m.stripes.stripe_blocks);
  }
  return text + fmt::format("# bm-bytes {};\n", m.bitmap_bytes());
}

void BitmapText::add(ConstBytes words, std::string& text) {
  for (std::size_t at = 0; at + 8 <= words.size(); at += 8)
    add_word(read_le64(words, at), text);
}

void BitmapText::finish(std::string& text) {
  print_run(text);
  text += "\n}\n";
}

void BitmapText::add_word(std::uint64_t word, std::string& text) {
  bits_set_ += static_cast<std::uint64_t>(std::popcount(word));
  if (run_length_ > 0 && word != run_word_) print_run(text);
  run_word_ = word;
  ++run_length_;
}

// A run counts from where a line begins; what does not fill whole lines is printed word by word.
void BitmapText::print_run(std::string& text) {
  while (run_length_ > 0) {
    const bool line_begins = printed_ % words_per_line == 0;
    if (!line_begins || run_length_ < run_min || !halves_equal(run_word_)) {
      print_line_word(run_word_, text);
      --run_length_;
      continue;
    }
    const std::uint64_t whole = run_length_ - run_length_ % words_per_line;
    note_place(text);
    text += fmt::format("\n    {} times 0x{:016X};", whole, run_word_);
    printed_ += whole;
    run_length_ -= whole;
  }
}

void BitmapText::note_place(std::string& text) const {
  if (printed_ % note_words == 0) text += fmt::format("\n   # at {}kB", printed_ * word_kib);
}

void BitmapText::print_line_word(std::uint64_t word, std::string& text) {
  if (printed_ % words_per_line == 0) {
    note_place(text);
    text += "\n   ";
  }
  text += fmt::format(" 0x{:016X};", word);
  ++printed_;
}

}  // namespace replicator::metatool
