// Reading and writing the text of one option value; option_table.hpp states the contract.
#include <cctype>

#include "base/units.hpp"
#include "control/option_table.hpp"

namespace replicator::control {
namespace {

struct Scaled {
  bool valid = false;
  bool too_big = false;
  std::int64_t number = 0;
};

int unit_shift(OptionUnit unit) noexcept {
  switch (unit) {
    case OptionUnit::one: return 0;
    case OptionUnit::kib: return 10;
    case OptionUnit::sectors: return 9;
  }
  return 0;
}

// The shift of a suffix letter, -1 for none that we know.
int suffix_shift(char letter) noexcept {
  switch (letter) {
    case 'k':
    case 'K': return 10;
    case 'm':
    case 'M': return 20;
    case 'g':
    case 'G': return 30;
    case 's':
    case 'S': return 9;
    default: return -1;
  }
}

// Bytes (number << from) counted in units of 1 << to, rounded up.
Scaled scaled(std::uint64_t number, int from, int to) noexcept {
  std::uint64_t value = 0;
  if (!checked_mul(number, std::uint64_t{1} << static_cast<unsigned>(from), value)) {
    return {.valid = true, .too_big = true};
  }
  value = ceil_div(value, std::uint64_t{1} << static_cast<unsigned>(to));
  if (value > static_cast<std::uint64_t>(INT64_MAX)) return {.valid = true, .too_big = true};
  return {.valid = true, .number = static_cast<std::int64_t>(value)};
}

Scaled read_number(std::string_view text, OptionUnit unit) noexcept {
  const int unit_bits = unit_shift(unit);
  int bits = unit_bits;
  if (!text.empty() && suffix_shift(text.back()) >= 0) {
    bits = suffix_shift(text.back());
    text.remove_suffix(1);
  }
  if (text.empty()) return {};
  std::uint64_t number = 0;
  bool too_big = false;
  for (const char c : text) {
    if (c < '0' || c > '9') return {};
    too_big = too_big || !checked_mul(number, 10, number) ||
              !checked_add(number, static_cast<std::uint64_t>(c - '0'), number);
  }
  if (too_big) return {.valid = true, .too_big = true};
  return scaled(number, bits, unit_bits);
}

std::string range_line(const Option& option) {
  std::string line = "\nAllowed range is " + std::to_string(option.minimum) + ".." +
                     std::to_string(option.maximum);
  if (option.unit == OptionUnit::kib) line += " KiB";
  if (option.unit == OptionUnit::sectors) line += " sectors";
  return line + ".";
}

ParsedOption parse_number(const Option& option, std::string_view text) {
  const bool negative = option.minimum < 0 && text.starts_with('-');
  Scaled read = read_number(negative ? text.substr(1) : text, option.unit);
  if (!read.valid) return {{}, "Value is not a number."};
  if (negative) read.number = -read.number;
  if (read.too_big || read.number > option.maximum) {
    return {{}, (negative ? "Value is too small." : "Value is too big.") + range_line(option)};
  }
  if (read.number < option.minimum) return {{}, "Value is too small." + range_line(option)};
  return {{read.number, {}}, {}};
}

ParsedOption parse_word(const Option& option, std::string_view text) {
  std::string allowed;
  for (const EnumWord& word : option.words) {
    const bool same_letter = option.name == "protocol" && text.size() == 1 &&
                             std::toupper(static_cast<unsigned char>(text[0])) == word.word[0];
    if (word.word == text || same_letter) return {{word.value, {}}, {}};
    if (!allowed.empty()) allowed += " | ";
    allowed += word.word;
  }
  return {{}, "Value is not valid.\nAllowed values are: " + allowed};
}

// UTF-8 without control characters: what survives the control protocol and a line of `show`.
bool printable(std::string_view text) noexcept {
  std::size_t follow = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (follow > 0) {
      if ((byte & 0xc0U) != 0x80U) return false;
      --follow;
    } else if (byte >= 0xf0U && byte <= 0xf4U) {
      follow = 3;
    } else if (byte >= 0xe0U && byte < 0xf0U) {
      follow = 2;
    } else if (byte >= 0xc2U && byte < 0xe0U) {
      follow = 1;
    } else if (byte >= 0x80U || (byte < 0x20U && byte != '\t') || byte == 0x7fU) {
      return false;
    }
  }
  return follow == 0;
}

ParsedOption parse_text(const Option& option, std::string_view text) {
  if (static_cast<std::int64_t>(text.size()) > option.maximum) {
    return {{}, "Value is too long.\nmax len: " + std::to_string(option.maximum)};
  }
  if (!printable(text)) return {{}, "Value is not printable UTF-8 text."};
  return {{0, std::string(text)}, {}};
}

ParsedOption parse_boolean(std::string_view text) {
  if (text == "yes") return {{1, {}}, {}};
  if (text == "no") return {{0, {}}, {}};
  return {{}, "Value is not 'yes' or 'no'."};
}

}  // namespace

ParsedOption parse_option(const Option& option, std::string_view text) {
  switch (option.type) {
    case OptionType::flag:
    case OptionType::boolean: return parse_boolean(text);
    case OptionType::number:
    case OptionType::resync_after: return parse_number(option, text);
    case OptionType::enumeration: return parse_word(option, text);
    case OptionType::text: return parse_text(option, text);
  }
  return {};
}

bool read_sectors(std::string_view text, std::optional<std::uint64_t>& sectors) noexcept {
  sectors.reset();
  if (text.empty()) return true;
  const Scaled read = read_number(text, OptionUnit::sectors);
  if (!read.valid || read.too_big) return false;
  sectors = static_cast<std::uint64_t>(read.number);
  return true;
}

std::string option_text(const Option& option, const OptionValue& value) {
  switch (option.type) {
    case OptionType::flag:
    case OptionType::boolean: return value.number != 0 ? "yes" : "no";
    case OptionType::text: return value.text;
    case OptionType::resync_after: return std::to_string(value.number);
    case OptionType::enumeration:
      for (const EnumWord& word : option.words) {
        if (word.value == value.number) return std::string(word.word);
      }
      return {};
    case OptionType::number: break;
  }
  std::string text = std::to_string(value.number);
  if (option.unit == OptionUnit::kib) text += 'k';
  if (option.unit == OptionUnit::sectors) text += 's';
  return text;
}

}  // namespace replicator::control
