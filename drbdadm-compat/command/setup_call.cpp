#include "command/setup_call.hpp"

#include <algorithm>
#include <vector>

#include "config/diagnostics.hpp"
#include "control/status_json.hpp"

namespace replicator::command {
namespace {

using control::Option;
using control::OptionSection;
using control::OptionType;
using enum SetupAction;
using enum SetupObject;

constexpr std::array<std::string_view, 6> no_flags{};
constexpr std::array<std::string_view, 6> wait_flags{"wfc-timeout", "degr-wfc-timeout",
                                                     "outdated-wfc-timeout", "wait-after-sb"};
constexpr std::array<std::string_view, 6> status_flags{"verbose", "statistics", "color", "json"};

constexpr std::array<std::string_view, 6> events2_flags{"now",  "statistics", "timestamps",
                                                        "poll", "full",       "diff"};

constexpr std::array commands{
    SetupCommand{"new-resource", forward, resource, 0, "", OptionSection::resource, {"peer-name"}},
    SetupCommand{
        "new-minor", forward, resource, 2, " MINOR VOLUME", OptionSection::global, {"device-name"}},
    SetupCommand{"del-minor", forward, minor},
    SetupCommand{"del-resource", forward, resource},
    SetupCommand{"attach", forward, minor, 3, " DISK META_DISK INDEX", OptionSection::disk},
    SetupCommand{"detach", forward, minor, 0, "", OptionSection::global, {"force"}, true},
    SetupCommand{
        "connect", forward, resource, 2, " LOCAL REMOTE", OptionSection::net, {"peer-name"}},
    SetupCommand{
        "disconnect", forward, resource_or_address, 0, "", OptionSection::global, {"force"}, true},
    SetupCommand{"disk-options", forward, minor, 0, "", OptionSection::disk, {"set-defaults"}},
    SetupCommand{
        "net-options", forward, resource_or_address, 0, "", OptionSection::net, {"set-defaults"}},
    SetupCommand{
        "resource-options", forward, resource, 0, "", OptionSection::resource, {"set-defaults"}},
    SetupCommand{"primary", forward, minor, 0, "", OptionSection::global, {"force"}},
    SetupCommand{"secondary", forward, minor, 0, "", OptionSection::global, no_flags, true},
    SetupCommand{"invalidate", forward, minor},
    SetupCommand{"invalidate-remote", forward, minor},
    SetupCommand{"outdate", forward, minor},
    SetupCommand{"verify", forward, minor, 0, "", OptionSection::global, {"start", "stop"}},
    SetupCommand{"pause-sync", forward, minor},
    SetupCommand{"resume-sync", forward, minor},
    SetupCommand{"suspend-io", forward, minor},
    SetupCommand{"resume-io", forward, minor},
    SetupCommand{"resize",
                 forward,
                 minor,
                 0,
                 "",
                 OptionSection::global,
                 {"size", "assume-peer-has-space", "assume-clean"}},
    SetupCommand{"check-resize", check_resize, minor},
    SetupCommand{
        "new-current-uuid", forward, minor, 0, "", OptionSection::global, {"clear-bitmap"}},
    SetupCommand{"down", down, any_named, 0, "", OptionSection::global, no_flags, true},
    SetupCommand{"wait-connect", wait, minor, 0, "", OptionSection::global, wait_flags},
    SetupCommand{"wait-sync", wait, minor, 0, "", OptionSection::global, wait_flags},
    SetupCommand{"role", role, minor},
    SetupCommand{"state", state, minor},
    SetupCommand{"cstate", cstate, minor},
    SetupCommand{"dstate", dstate, minor},
    SetupCommand{"status", status, any, 0, "", OptionSection::global, status_flags},
    SetupCommand{"events2", events2, any, 0, "", OptionSection::global, events2_flags},
    SetupCommand{"sh-status", sh_status, any},
    SetupCommand{"show", show, any, 0, "", OptionSection::global, {"show-defaults"}},
    SetupCommand{"get-gi", get_gi, minor},
    SetupCommand{"show-gi", show_gi, minor},
    SetupCommand{"ping", forward, none},
    SetupCommand{"shutdown", forward, none, 0, "", OptionSection::global, no_flags, true}};

// Flags of a command that take a value.
bool takes_value(std::string_view flag) {
  constexpr std::array<std::string_view, 8> names{
      "peer-name", "device-name", "wfc-timeout",          "degr-wfc-timeout",
      "start",     "stop",        "outdated-wfc-timeout", "size"};
  return std::find(names.begin(), names.end(), flag) != names.end();
}

std::string value_of(const Option& option) {
  switch (option.type) {
    case OptionType::flag: return {};
    case OptionType::boolean: return "={yes|no}";
    case OptionType::text: return "=...";
    case OptionType::number:
    case OptionType::resync_after: break;
    case OptionType::enumeration: {
      std::string words;
      for (const control::EnumWord& word : option.words)
        words += (words.empty() ? "={" : "|") + std::string(word.word);
      return words + "}";
    }
  }
  return "=(" + std::to_string(option.minimum) + " ... " + std::to_string(option.maximum) + ")";
}

std::string_view object_words(SetupObject object) {
  switch (object) {
    case none: break;
    case resource: return " RESOURCE";
    case minor: return " MINOR";
    case resource_or_address: return " {RESOURCE | LOCAL REMOTE}";
    case any: return " [RESOURCE | MINOR | all]";
    case any_named: return " {RESOURCE | MINOR | all}";
  }
  return {};
}

// Splits the words into positions and options, checking each option.
class Reader {
 public:
  Reader(const SetupCommand& command, SetupCall& call) : command_(command), call_(call) {}

  void read(std::span<const std::string> words) {
    words_ = words;
    bool options = true;
    while (at_ < words_.size() && call_.problem.empty()) {
      const std::string& word = words_[at_++];
      if (options && word == "--") {
        options = false;
      } else if (options && word == "-o" && command_.name == "primary") {
        call_.request.options["force"] = "yes";
      } else if (options && word == "-f" && command_.name == "primary") {
        call_.request.options["force"] = "yes";
      } else if (options && word.size() > 1 && word[0] == '-' && word != "-1") {
        option(word);
      } else {
        positions.push_back(word);
      }
    }
  }

  std::vector<std::string> positions;

 private:
  void option(const std::string& word) {
    if (!word.starts_with("--")) return unknown(word);
    const std::size_t equals = word.find('=');
    std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (name == "overwrite-data-of-peer" && command_.name == "primary") name = "force";
    if (name == "dry-run" && command_.name == "connect") name = "tentative";
    if (name == "_name") name = "peer-name";
    const Option* known = command_.section == OptionSection::global
                              ? nullptr
                              : control::find_option(command_.section, name);
    const bool flag =
        std::find(command_.flags.begin(), command_.flags.end(), name) != command_.flags.end();
    if (name.empty() || (known == nullptr && !flag)) return unknown(word);
    const bool wants_value =
        known == nullptr ? takes_value(name)
                         : known->type != OptionType::boolean && known->type != OptionType::flag;
    std::string value = "yes";
    if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (wants_value) {
      if (at_ >= words_.size()) {
        call_.problem = "drbdsetup: option '" + word + "' requires an argument";
        return;
      }
      value = words_[at_++];
    }
    if (known != nullptr) check(*known, value);
    else if (name == "color") check_color(value);
    else if (!wants_value && value != "yes" && value != "no") not_a_boolean(name, value);
    call_.request.options[name] = value;
  }

  void check(const Option& known, const std::string& value) {
    const control::ParsedOption parsed = control::parse_option(known, value);
    if (parsed.problem.empty()) return;
    call_.problem = "drbdsetup: --" + std::string(known.name) + "=" + value + ": " + parsed.problem;
  }

  // Output is never coloured; programs that ask for it are not turned away.
  void check_color(const std::string& value) {
    if (value == "yes" || value == "auto" || value == "always" || value == "never") return;
    call_.problem = "drbdsetup: unknown --color argument '" + value + "'";
  }

  void not_a_boolean(const std::string& name, const std::string& value) {
    call_.problem = "drbdsetup: --" + name + "=" + value + ": Value is not 'yes' or 'no'.";
  }

  void unknown(const std::string& word) {
    std::vector<std::string> known;
    for (const auto& [name, value] : options_of(command_))
      known.push_back("--" + name);
    const std::string nearest = config::nearest_word(word.substr(0, word.find('=')), known);
    call_.problem = "drbdsetup: unrecognized option '" + word + "'";
    if (!nearest.empty()) call_.problem += "; did you mean '" + nearest + "'?";
    call_.problem += "\n" + usage_of(command_);
  }

  const SetupCommand& command_;
  SetupCall& call_;
  std::span<const std::string> words_;
  std::size_t at_ = 0;
};

bool read_minor(SetupCall& call, const std::string& word) {
  const Result<std::uint32_t> number = control::parse_minor(word);
  if (!number) {
    call.problem = "Cannot determine minor device number of device '" + word +
                   "';\n\tgive a number or /dev/drbdN";
    return false;
  }
  call.minor = *number;
  call.request.object = std::to_string(*number);
  call.shown = call.request.object;
  return true;
}

bool read_address(SetupCall& call, const std::string& word) {
  const Result<io::Address> address = control::parse_address(word);
  if (!address) {
    call.problem = "'" + word + "': not an address (" + address.error().where() +
                   ");\n\tgive ipv4:IP:PORT or ipv6:[IP]:PORT";
    return false;
  }
  call.request.arguments.push_back(control::address_text(*address));
  return true;
}

// A minor is written as the daemon wants it; other objects stay words. A resource may be called
// "drbd0": only digits and device paths name a minor.
bool read_any(SetupCall& call, const std::vector<std::string>& positions) {
  const std::string word = positions.empty() ? "all" : positions.front();
  const bool digits = word.find_first_not_of("0123456789") == std::string::npos;
  if (!word.empty() && (digits || word.starts_with("/dev/"))) return read_minor(call, word);
  call.request.object = word;
  call.shown = word;
  return true;
}

std::size_t positions_of_object(const SetupCall& call, const std::vector<std::string>& words) {
  switch (call.command->object) {
    case none: return 0;
    case any: return words.empty() ? 0 : 1;
    case resource_or_address: return words.size() < 2 ? 1 : 2;
    case resource:
    case minor:
    case any_named: break;
  }
  return 1;
}

bool read_object(SetupCall& call, const std::vector<std::string>& words, std::size_t used) {
  if (used == 2) {
    call.shown = "??";
    return read_address(call, words[0]) && read_address(call, words[1]);
  }
  switch (call.command->object) {
    case none: return true;
    case any:
    case any_named: return read_any(call, words);
    case minor: return read_minor(call, words[0]);
    default: break;
  }
  call.request.object = words[0];
  call.shown = words[0];
  return true;
}

bool read_arguments(SetupCall& call, std::span<const std::string> words) {
  if (call.command->name == "connect") {
    return read_address(call, words[0]) && read_address(call, words[1]);
  }
  if (call.command->name == "new-minor") {
    const Result<std::uint32_t> number = control::parse_minor(words[0]);
    if (!number) {
      call.problem = "'" + words[0] + "' is not a minor number";
      return false;
    }
    call.request.arguments = {std::to_string(*number), words[1]};
    return true;
  }
  call.request.arguments.insert(call.request.arguments.end(), words.begin(), words.end());
  return true;
}

}  // namespace

std::span<const SetupCommand> setup_commands() noexcept { return commands; }

const SetupCommand* find_setup_command(std::string_view name) noexcept {
  for (const SetupCommand& command : commands) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

std::vector<std::pair<std::string, std::string>> options_of(const SetupCommand& command) {
  std::vector<std::pair<std::string, std::string>> found;
  for (const std::string_view flag : command.flags) {
    if (!flag.empty()) found.emplace_back(flag, takes_value(flag) ? "=..." : "");
  }
  if (command.section == OptionSection::global) return found;
  for (const Option& option : control::all_options()) {
    if (option.section != command.section || option.ignored) continue;
    found.emplace_back(option.name, value_of(option));
  }
  return found;
}

std::string usage_of(const SetupCommand& command) {
  constexpr std::size_t width = 80;
  std::string text = "USAGE: drbdsetup " + std::string(command.name) +
                     std::string(object_words(command.object)) +
                     std::string(command.argument_names);
  std::size_t column = text.size();
  for (const auto& [name, value] : options_of(command)) {
    const std::string word = "[--" + name + value + "]";
    const bool fits = column + 1 + word.size() <= width;
    text += (fits ? " " : "\n    ") + word;
    column = (fits ? column + 1 : 4) + word.size();
  }
  return text;
}

std::string unknown_command(const std::string& word) {
  std::vector<std::string> known;
  for (const SetupCommand& command : commands)
    known.emplace_back(command.name);
  const std::string nearest = config::nearest_word(word, known);
  std::string text = "drbdsetup: unknown command '" + word + "'";
  if (!nearest.empty()) text += "; did you mean '" + nearest + "'?";
  return text;
}

SetupCall parse_setup_call(std::span<const std::string> arguments) {
  SetupCall call;
  std::vector<std::string> words(arguments.begin(), arguments.end());
  if (words.empty()) {
    call.problem = std::string(general_usage) + "\ntry 'drbdsetup help'";
    return call;
  }
  if (find_setup_command(words[0]) == nullptr && words.size() > 1 &&
      find_setup_command(words[1]) != nullptr) {
    std::swap(words[0], words[1]);
  }
  call.command = find_setup_command(words[0]);
  if (call.command == nullptr) {
    call.problem = unknown_command(words[0]);
    return call;
  }
  call.request.command = call.command->name;
  Reader reader(*call.command, call);
  reader.read(std::span<const std::string>(words).subspan(1));
  if (!call.problem.empty()) return call;
  const std::vector<std::string>& positions = reader.positions;
  const std::size_t used = positions_of_object(call, positions);
  if (positions.size() != used + call.command->arguments) {
    call.problem =
        (positions.size() < used + call.command->arguments ? "Missing argument for command '"
                                                           : "Too many arguments for command '") +
        std::string(call.command->name) + "'\n" + usage_of(*call.command);
    return call;
  }
  if (read_object(call, positions, used)) {
    read_arguments(call, std::span<const std::string>(positions).subspan(used));
  }
  return call;
}

}  // namespace replicator::command
