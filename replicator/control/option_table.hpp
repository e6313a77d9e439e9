// Every option of drbd.conf and drbdsetup in one table: name, section, type, unit, range, default.
// The configuration parser, drbdsetup and the daemon all read values through it, so that a value is
// accepted, compared and printed the same way everywhere.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/messages.hpp"
#include "engine/config.hpp"

namespace replicator::control {

enum class OptionSection : std::uint8_t { global, startup, handlers, resource, net, disk };

enum class OptionType : std::uint8_t {
  flag,         // present or not; takes no value in drbd.conf
  boolean,      // yes or no; a bare name means yes
  number,       // within [minimum, maximum], in the option's unit
  enumeration,  // one of `words`
  text,         // up to `maximum` characters
  resync_after  // a minor number on the command line, RESOURCE[/VOLUME] in drbd.conf
};

// What a plain number counts, and therefore what K, M, G and s convert into.
enum class OptionUnit : std::uint8_t { one, kib, sectors };

struct EnumWord {
  std::string_view word;
  std::int64_t value;
};

struct OptionField;  // where the value lives in engine/config.hpp; option_field.hpp

struct Option {
  OptionSection section;
  std::string_view name;
  OptionType type;
  OptionUnit unit = OptionUnit::one;
  std::int64_t minimum = 0;
  std::int64_t maximum = 0;
  std::int64_t preset = 0;          // the default: number, 0/1, or the value of a word
  std::string_view unit_text = {};  // "1/10 seconds", "bytes/second", …: the comment of `show`
  std::span<const EnumWord> words = {};
  const OptionField* field = nullptr;  // null: validated, stored and dumped, not acted upon
  bool one_shot = false;               // of one command, not a setting: never printed by `show`
  bool ignored = false;                // a left-over of DRBD 8.3: accepted, never passed on
  bool ours = false;                   // DRBD has no such option
  std::optional<std::int64_t> drbd_preset = {};  // DRBD's default, where it is another one
};

std::span<const Option> all_options() noexcept;
// Null when there is no such option in that section.
const Option* find_option(OptionSection section, std::string_view name) noexcept;

struct OptionValue {
  std::int64_t number = 0;  // number in the option's unit, 0/1, or the value of a word
  std::string text;         // type text

  bool operator==(const OptionValue&) const = default;
};

// A value read and checked, or what is wrong with it in drbdadm's words: "Value is too big.",
// "Value is not a number.", "Value is not valid.\nAllowed values are: a | b" and so on.
struct ParsedOption {
  OptionValue value;
  std::string problem;  // empty: fine
};
ParsedOption parse_option(const Option& option, std::string_view text);

// A position or size of a command's own option, in sectors unless K, M, G say otherwise. An empty
// text leaves it open; false: not a number.
bool read_sectors(std::string_view text, std::optional<std::uint64_t>& sectors) noexcept;

// Canonical text of a value: "30720k", "0s", "yes", "discard-zero-changes".
std::string option_text(const Option& option, const OptionValue& value);

// Options of one request. "set-defaults" first puts everything back to its default. Names that
// belong to the command and not to the section (force, peer-name, device-name) are skipped. On a
// problem the struct is unchanged and the text says which option and what is wrong with it.
std::optional<std::string> apply_options(const OptionMap& options, ResourceOptions& target);
std::optional<std::string> apply_options(const OptionMap& options, NetOptions& target);
std::optional<std::string> apply_options(const OptionMap& options, DiskOptions& target);

// The values of a struct as text, in table order; those at their default only on request.
struct PrintedOption {
  const Option* option = nullptr;
  std::string text;  // unquoted
  bool is_default = false;
};
std::vector<PrintedOption> print_options(const ResourceOptions& from, bool show_defaults);
std::vector<PrintedOption> print_options(const NetOptions& from, bool show_defaults);
std::vector<PrintedOption> print_options(const DiskOptions& from, bool show_defaults);

}  // namespace replicator::control
