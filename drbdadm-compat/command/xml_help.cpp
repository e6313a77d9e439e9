#include "command/xml_help.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace replicator::command {
namespace {

using control::Option;
using control::OptionType;
using control::OptionUnit;

std::vector<std::string> arguments_of(const SetupCommand& command) {
  std::vector<std::string> names;
  switch (command.object) {
    case SetupObject::none: break;
    case SetupObject::resource: names = {"resource"}; break;
    case SetupObject::minor: names = {"minor"}; break;
    case SetupObject::resource_or_address: names = {"local_addr", "remote_addr"}; break;
    case SetupObject::any:
    case SetupObject::any_named: names = {"resource", "minor", "all"}; break;
  }
  if (command.name == "connect") names.insert(names.end(), {"local_addr", "remote_addr"});
  if (command.name == "new-minor") names.insert(names.end(), {"minor", "volume"});
  if (command.name == "attach") {
    names.insert(names.end(), {"lower_dev", "meta_data_dev", "meta_data_index"});
  }
  return names;
}

std::string arguments_text(const SetupCommand& command) {
  const bool choice =
      command.object == SetupObject::any || command.object == SetupObject::any_named;
  const char* indent = choice ? "\t\t" : "\t";
  std::string text = choice ? "\t<group>\n" : "";
  for (const std::string& name : arguments_of(command))
    text += fmt::format("{}<argument>{}</argument>\n", indent, name);
  return choice ? text + "\t</group>\n" : text;
}

const char* type_of(const Option& option) {
  switch (option.type) {
    case OptionType::flag: return "flag";
    case OptionType::boolean: return "boolean";
    case OptionType::enumeration: return "handler";
    case OptionType::text: return "string";
    case OptionType::number:
    case OptionType::resync_after: break;
  }
  return "numeric";
}

const char* unit_prefix(OptionUnit unit) {
  switch (unit) {
    case OptionUnit::kib: return "k";
    case OptionUnit::sectors: return "s";
    case OptionUnit::one: break;
  }
  return "1";
}

std::string option_text(const Option& option) {
  std::string text =
      fmt::format("\t<option name=\"{}\" type=\"{}\">\n", option.name, type_of(option));
  if (option.type == OptionType::boolean) {
    text += fmt::format("\t\t<default>{}</default>\n", option.preset != 0 ? "yes" : "no");
  }
  for (const control::EnumWord& word : option.words)
    text += fmt::format("\t\t<handler>{}</handler>\n", word.word);
  if (option.type == OptionType::number || option.type == OptionType::resync_after) {
    text += fmt::format(
        "\t\t<min>{}</min>\n\t\t<max>{}</max>\n\t\t<default>{}</default>\n"
        "\t\t<unit_prefix>{}</unit_prefix>\n",
        option.minimum, option.maximum, option.preset, unit_prefix(option.unit));
    if (!option.unit_text.empty()) text += fmt::format("\t\t<unit>{}</unit>\n", option.unit_text);
  }
  return text + "\t</option>\n";
}

// Of the command itself: whether and times.
std::string flags_text(const SetupCommand& command) {
  std::string text;
  for (const auto& [name, value] : options_of(command)) {
    const auto own = std::find(command.flags.begin(), command.flags.end(), name);
    if (own == command.flags.end()) continue;
    text += fmt::format("\t<option name=\"{}\" type=\"{}\">\n\t</option>\n", name,
                        value.empty() ? "flag" : "string");
  }
  return text;
}

}  // namespace

std::string xml_help(const SetupCommand& command) {
  std::string text = fmt::format("<command name=\"{}\">\n", command.name);
  text += arguments_text(command) + flags_text(command);
  if (command.section != control::OptionSection::global) {
    for (const Option& option : control::all_options()) {
      if (option.section == command.section && !option.ignored && option.field != nullptr) {
        text += option_text(option);
      }
    }
  }
  return text + "</command>\n";
}

}  // namespace replicator::command
