#include "adm/help.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <vector>

#include "adm/handlers.hpp"
#include "command/setup_call.hpp"

namespace replicator::adm {
namespace {

enum class Group : std::uint8_t { everyday, scripts, handlers, experts, refused };

template <std::size_t Count>
bool has(const std::array<std::string_view, Count>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Group group_of(const Verb& verb) {
  constexpr std::array<std::string_view, 8> of_experts{
      "sh-new-minor", "new-minor",        "del-minor", "suspend-io",
      "resume-io",    "new-current-uuid", "set-gi",    "check-resize"};
  constexpr std::array<std::string_view, 2> deprecated{"state", "syncer"};
  if (refused_verb(verb)) return Group::refused;
  if (is_handler(std::string(verb.name))) return Group::handlers;
  if (has(of_experts, verb.name) || has(deprecated, verb.name)) return Group::experts;
  if (verb.name.starts_with("sh-") || verb.name == "new-resource") return Group::scripts;
  return Group::everyday;
}

// Two columns, line by line.
std::string columns(Group group) {
  std::string text;
  unsigned column = 0;
  for (const Verb& verb : verbs()) {
    if (group_of(verb) != group) continue;
    text += fmt::format("{}{:<35}{}", column == 0 ? " " : "", verb.name, column == 1 ? "\n" : "");
    column = 1 - column;
  }
  return column == 1 ? text + "\n" : text;
}

constexpr std::string_view general_options =
    "GENERAL OPTIONS:\n"
    "  --config-file=FILE, -c FILE     instead of /etc/drbd.conf; - is standard input\n"
    "  --config-to-test=FILE, -t FILE  also check this file\n"
    "  --dry-run, -d                   show the commands, run none\n"
    "  --plan, -p                      say what would happen to data, do nothing\n"
    "  --verbose, -v                   show the commands as they run\n"
    "  --sh-varname=NAME, -n NAME      with -d or -v: a line NAME=RESOURCE before each\n"
    "  --peer=HOST, -P HOST            which peer, where there are several\n"
    "  --setup-option=WORD, -W WORD    pass a word on as it is\n"
    "  --version, -V\n"
    "  --help, -h\n";

}  // namespace

bool refused_verb(const Verb& verb) noexcept {
  constexpr std::array<std::string_view, 7> names{
      "proxy-up", "proxy-down", "new-peer", "del-peer", "new-path", "del-path", "forget-peer"};
  return has(names, verb.name);
}

std::string help_text() {
  return fmt::format(
      "\nUSAGE: drbdadm [GENERAL OPTION...] [-- OPTION...] COMMAND [OPTION...] "
      "{{all|RESOURCE[/VOLUME]|minor-N}}...\n\n{}\nCOMMANDS:\n{} hidden-commands\n\n"
      "'drbdadm help COMMAND' lists its options.\n",
      general_options, columns(Group::everyday));
}

std::string help_text(const Verb& verb) {
  const bool no_target = verb.target == TargetKind::none;
  std::string text =
      fmt::format("\nUSAGE: drbdadm {} [OPTION...]{}\n\n{}", verb.name,
                  no_target ? "" : " {all|RESOURCE[/VOLUME]|minor-N}...", general_options);
  const std::vector<std::string> options = options_of(verb);
  if (options.empty()) return text + "\n";
  text += fmt::format("\nOPTIONS FOR {}:\n", verb.name);
  for (const std::string& option : options)
    text += fmt::format("  --{}\n", option);
  return text + "\n";
}

std::string hidden_commands_text() {
  return fmt::format(
      "\nFor scripts:\n\n{}\nCalled by the daemon, as the kernel does it:\n\n{}\n"
      "For those who know what they do:\n\n{}\n",
      columns(Group::scripts), columns(Group::handlers), columns(Group::experts));
}

// Agents evaluate these and choose their path by the codes: a driver of 8.4.11.
std::string version_text() {
  return "DRBDADM_BUILDTAG=Pollux\nDRBDADM_API_VERSION=1\nDRBD_KERNEL_VERSION_CODE=0x08040b\n"
         "DRBD_KERNEL_VERSION=8.4.11\nDRBDADM_VERSION_CODE=0x08040b\nDRBDADM_VERSION=8.4.11\n";
}

}  // namespace replicator::adm
