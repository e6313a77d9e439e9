#include "metatool/meta_call.hpp"

#include <array>
#include <charconv>

#include "base/units.hpp"
#include "control/status_json.hpp"

namespace replicator::metatool {

namespace {

constexpr int exit_range = 10;
constexpr int exit_usage = 20;
constexpr std::uint64_t peer_max_bio_limit = 1U << 20U;
constexpr std::uint64_t al_bytes_min = 32U << 10U;
constexpr std::uint64_t al_bytes_max = 32U << 20U;

constexpr std::array<MetaCommand, 15> commands{{
    {"get-gi", MetaAction::get_gi, 0, false},
    {"show-gi", MetaAction::show_gi, 0, false},
    {"dump-md", MetaAction::dump_md, 0, false},
    {"restore-md", MetaAction::restore_md, 1, true, "file"},
    {"verify-dump", MetaAction::verify_dump, 1, false, "file"},
    {"apply-al", MetaAction::apply_al},
    {"wipe-md", MetaAction::wipe_md},
    {"outdate", MetaAction::outdate},
    {"invalidate", MetaAction::invalidate},
    {"dstate", MetaAction::dstate, 0, false},
    {"check-resize", MetaAction::check_resize},
    {"create-md", MetaAction::create_md, 0, true,
     "[--peer-max-bio-size {val}] [--al-stripes {val}] [--al-stripe-size-kB {val}]"},
    {"set-gi", MetaAction::set_gi, 1, true, "{val}", false},
    {"read-dev-uuid", MetaAction::read_dev_uuid, 0, false, "", false},
    {"write-dev-uuid", MetaAction::write_dev_uuid, 1, true, "{val}", false},
}};

enum class Option : std::uint8_t { force, ignore_sanity, peer_bio, stripes, stripe_size };
struct OptionName {
  std::string_view name;
  char letter;
  Option option;
  bool takes_value;
};
constexpr std::array<OptionName, 5> option_names{{
    {"force", 'f', Option::force, false},
    {"ignore-sanity-checks", '\0', Option::ignore_sanity, false},
    {"peer-max-bio-size", 'p', Option::peer_bio, true},
    {"al-stripes", 's', Option::stripes, true},
    {"al-stripe-size-kB", 'z', Option::stripe_size, true},
}};

const OptionName* find_option(std::string_view word) noexcept {
  for (const OptionName& known : option_names) {
    const bool spelled = word.substr(0, 2) == "--" && word.substr(2) == known.name;
    const bool letter = known.letter != '\0' && word.size() == 2 && word[1] == known.letter;
    if (spelled || letter) return &known;
  }
  return nullptr;
}

// What was given, before it is known whether the command takes it.
struct Given {
  std::vector<std::string> words;
  std::optional<std::uint64_t> peer_bio;
  std::optional<std::uint64_t> stripes;
  std::optional<std::uint64_t> stripe_bytes;
};

void fail(MetaCall& call, int exit_code, std::string problem) {
  call.problem = std::move(problem);
  call.exit_code = exit_code;
}

void take_option(MetaCall& call, Given& given, Option option, const std::string& value) {
  switch (option) {
    case Option::force: call.force = true; return;
    case Option::ignore_sanity: call.ignore_sanity_checks = true; return;
    case Option::peer_bio:
      given.peer_bio = parse_size(value, 1);
      if (!given.peer_bio || *given.peer_bio > peer_max_bio_limit) {
        fail(call, exit_range, "peer-max-bio-size out of range (0...1M)");
      }
      return;
    case Option::stripes:
      given.stripes = parse_size(value, 1);
      if (!given.stripes) fail(call, exit_usage, "'" + value + "' is not a number of stripes");
      return;
    case Option::stripe_size:
      given.stripe_bytes = parse_size(value, 1024);
      if (!given.stripe_bytes) fail(call, exit_usage, "'" + value + "' is not a size in kB");
      return;
  }
}

// Options may stand anywhere, as getopt has it; "--" ends them, "-" is a word.
Given sort_words(std::span<const std::string> arguments, MetaCall& call) {
  Given given;
  bool only_words = false;
  for (std::size_t i = 0; i < arguments.size() && call.exit_code == 0; ++i) {
    const std::string& word = arguments[i];
    if (only_words || word.size() < 2 || word[0] != '-') {
      given.words.push_back(word);
      continue;
    }
    if (word == "--") {
      only_words = true;
      continue;
    }
    const std::size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    const OptionName* option = find_option(std::string_view(word).substr(0, equals));
    const bool has_value = equals != std::string::npos;
    if (option == nullptr || (has_value && !option->takes_value)) {
      call.show_usage = true;
      fail(call, exit_usage, "drbdmeta: unrecognized option '" + word + "'");
    } else if (!option->takes_value) {
      take_option(call, given, option->option, std::string());
    } else if (has_value) {
      take_option(call, given, option->option, word.substr(equals + 1));
    } else if (i + 1 < arguments.size()) {
      take_option(call, given, option->option, arguments[++i]);
    } else {
      call.show_usage = true;
      fail(call, exit_usage, "drbdmeta: option '" + word + "' requires an argument");
    }
  }
  return given;
}

const MetaCommand* find_command(std::string_view name) noexcept {
  for (const MetaCommand& command : commands) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

void take_device(MetaCall& call, const std::string& word) {
  call.device = word;
  if (word == "-") return;
  const Result<std::uint32_t> minor = control::parse_minor(word);
  if (!minor) return fail(call, exit_usage, "'" + word + "' is not a valid minor number.");
  call.minor = *minor;
}

void take_format(MetaCall& call, const std::string& word) {
  if (word == "v08") return;
  if (word == "v06") {
    return fail(call, exit_usage, "Format 'v06' is not supported, only v08 (DRBD 8.4) is.");
  }
  if (word == "v07" || word == "v09") {
    call.format = word == "v07" ? MetaFormat::v07 : MetaFormat::v09;
    return;
  }
  fail(call, exit_usage, "Unknown format '" + word + "'.");
}

void take_index(MetaCall& call, const std::string& word) {
  const Result<MetaDiskIndex> index = control::parse_meta_index(word);
  if (!index) return fail(call, exit_usage, "'" + word + "' is not a valid index number.");
  call.index = *index;
  call.index_word = word;
}

void take_command(MetaCall& call, const std::vector<std::string>& words) {
  if (words.size() < 5) return fail(call, exit_usage, "command missing");
  call.command = find_command(words[4]);
  if (call.command == nullptr) {
    return fail(call, exit_usage, "Unknown command '" + words[4] + "'.");
  }
  if (call.format != MetaFormat::v08 && call.command->action != MetaAction::dump_md) {
    return fail(call, exit_usage,
                "Of format '" + words[1] +
                    "' only dump-md is supported; create-md of v08 converts what is there.");
  }
  call.arguments.assign(words.begin() + 5, words.end());
  if (call.arguments.size() < call.command->arguments) {
    return fail(call, exit_usage, "Required Argument missing");
  }
  if (call.arguments.size() > call.command->arguments) {
    call.warning = "Ignoring additional arguments";
    call.arguments.resize(call.command->arguments);
  }
}

void take_create_options(MetaCall& call, const Given& given) {
  const bool create = call.command->action == MetaAction::create_md;
  if (given.peer_bio && !create) {
    return fail(call, exit_range, "The --peer-max-bio-size option is only allowed with create-md");
  }
  if ((given.stripes || given.stripe_bytes) && !create) {
    return fail(call, exit_range, "The --al-stripe* options are only allowed with create-md");
  }
  call.peer_max_bio_bytes = static_cast<std::uint32_t>(given.peer_bio.value_or(0));
  const std::uint64_t stripes = given.stripes.value_or(1);
  const std::uint64_t stripe_blocks = given.stripe_bytes.value_or(al_bytes_min) / block_bytes;
  std::uint64_t blocks = 0;
  if (!checked_mul(stripes, stripe_blocks, blocks) || blocks > al_bytes_max / block_bytes) {
    return fail(call, exit_range, "invalid (too large) al-stripe* settings");
  }
  if (blocks < al_bytes_min / block_bytes) {
    return fail(call, exit_range, "invalid (too small) al-stripe* settings");
  }
  call.stripes =
      AlStripes{static_cast<std::uint32_t>(stripes), static_cast<std::uint32_t>(stripe_blocks)};
}

}  // namespace

std::span<const MetaCommand> meta_commands() noexcept { return commands; }

std::optional<std::uint64_t> parse_size(std::string_view text, std::uint64_t unit) noexcept {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  if (suffix.size() > 1) return std::nullopt;
  if (!suffix.empty()) {
    switch (suffix[0]) {
      case 'k':
      case 'K': unit = 1U << 10U; break;
      case 'm':
      case 'M': unit = 1U << 20U; break;
      case 'g':
      case 'G': unit = 1U << 30U; break;
      default: return std::nullopt;
    }
  }
  std::uint64_t bytes = 0;
  if (!checked_mul(number, unit, bytes)) return std::nullopt;
  return bytes;
}

MetaCall parse_meta_call(std::span<const std::string> arguments) {
  MetaCall call;
  const Given given = sort_words(arguments, call);
  const std::vector<std::string>& words = given.words;
  const auto good = [&call] { return call.exit_code == 0; };
  if (good() && words.size() < 2) {
    call.show_usage = true;
    fail(call, exit_usage, words.empty() ? "" : "Format identifier missing");
  }
  if (good()) take_device(call, words[0]);
  if (good()) take_format(call, words[1]);
  if (good() && words.size() < 4) fail(call, exit_usage, "Too few arguments for format");
  if (good()) call.meta_device = words[2];
  if (good()) take_index(call, words[3]);
  if (good()) take_command(call, words);
  if (good()) take_create_options(call, given);
  return call;
}

std::string usage_text() {
  std::string text =
      "\nUSAGE: drbdmeta [--force] DEVICE FORMAT [FORMAT ARGS...] COMMAND [CMD ARGS...]\n"
      "\nFORMATS:\n  v07 device index\n  v08 device index\n  v09 device index\n"
      "\nCOMMANDS:\n";
  for (const MetaCommand& command : commands) {
    if (!command.listed) continue;
    text += "  " + std::string(command.name) + " " + std::string(command.usage) + "\n";
  }
  return text;
}

}  // namespace replicator::metatool
