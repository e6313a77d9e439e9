#include "metatool/generations_text.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace replicator::metatool {

namespace {

constexpr std::array<std::uint32_t, 7> shown_flags{
    md_flag_consistent, md_flag_was_up_to_date, md_flag_primary,        md_flag_connected,
    md_flag_full_sync,  md_flag_peer_outdated,  md_flag_crashed_primary};

bool has(const Superblock& superblock, std::uint32_t flag) noexcept {
  return (superblock.flags & flag) != 0;
}

}  // namespace

std::string generations_text(const Superblock& superblock) {
  const GenerationSet& g = superblock.generations;
  std::string text = fmt::format("{:016X}:{:016X}:{:016X}:{:016X}", g.current, g.bitmap,
                                 g.history[0], g.history[1]);
  for (const std::uint32_t flag : shown_flags)
    text += has(superblock, flag) ? ":1" : ":0";
  return text;
}

std::optional<std::uint64_t> parse_hex(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, 16);
  if (error != std::errc() || stop != end || text.size() > 16) return std::nullopt;
  return value;
}

std::optional<Superblock> with_generations(const Superblock& superblock, std::string_view text) {
  Superblock changed = superblock;
  GenerationSet& g = changed.generations;
  const std::array<std::uint64_t*, 4> numbers{&g.current, &g.bitmap, &g.history[0], &g.history[1]};
  for (std::size_t field = 0; field < numbers.size() + shown_flags.size(); ++field) {
    const std::size_t colon = text.find(':');
    const std::string_view word = text.substr(0, colon);
    if (!word.empty() && field < numbers.size()) {
      const std::optional<std::uint64_t> value = parse_hex(word);
      if (!value) return std::nullopt;
      *numbers[field] = *value;
    } else if (!word.empty()) {
      const std::uint32_t flag = shown_flags[field - numbers.size()];
      if (word != "0" && word != "1") return std::nullopt;
      changed.flags = word == "1" ? changed.flags | flag : changed.flags & ~flag;
    }
    if (colon == std::string_view::npos) return changed;
    text.remove_prefix(colon + 1);
  }
  return std::nullopt;
}

std::string flags_text(const Superblock& superblock) {
  std::string text = has(superblock, md_flag_crashed_primary) ? "crashed " : "";
  text += has(superblock, md_flag_primary) ? "Primary, " : "Secondary, ";
  text += has(superblock, md_flag_connected) ? "Connected, " : "StandAlone, ";
  text += !has(superblock, md_flag_consistent)      ? "Inconsistent"
          : has(superblock, md_flag_was_up_to_date) ? "UpToDate"
                                                    : "Outdated";
  if (has(superblock, md_flag_full_sync)) text += ", need full sync";
  if (has(superblock, md_flag_peer_outdated)) text += ", peer Outdated";
  return text;
}

std::string_view disk_state_text(const Superblock& superblock) noexcept {
  if (!has(superblock, md_flag_consistent)) return "Inconsistent";
  if (!has(superblock, md_flag_was_up_to_date)) return "Outdated";
  return has(superblock, md_flag_peer_outdated) ? "UpToDate" : "Consistent";
}

}  // namespace replicator::metatool
