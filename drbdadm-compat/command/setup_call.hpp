// A drbdsetup command line, understood: which command, on what, with which checked options.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/messages.hpp"
#include "control/option_table.hpp"

namespace replicator::command {

enum class SetupObject : std::uint8_t {
  none,
  resource,
  minor,
  resource_or_address,  // RES, or LOCAL REMOTE
  any,                  // resource, minor or "all"; left out: all
  any_named             // the same, never left out
};

enum class SetupAction : std::uint8_t {
  forward,  // the daemon does it
  down,
  wait,
  role,
  state,  // role, under its old name
  cstate,
  dstate,
  status,
  events2,
  sh_status,
  show,
  check_resize,
  get_gi,
  show_gi
};

struct SetupCommand {
  std::string_view name;
  SetupAction action = SetupAction::forward;
  SetupObject object = SetupObject::minor;
  unsigned arguments = 0;  // behind the object
  std::string_view argument_names = {};
  control::OptionSection section = control::OptionSection::global;  // global: none
  std::array<std::string_view, 6> flags = {};                       // beside the section's options
  bool idle_without_daemon = false;  // nothing to do, hence success, when no daemon runs
};

struct SetupCall {
  const SetupCommand* command = nullptr;
  control::Request request;
  std::optional<std::uint32_t> minor;  // when the object is one
  std::string shown;    // the object as messages name it: what was given, "??" for addresses
  std::string problem;  // not empty: usage error, for standard error
};

std::span<const SetupCommand> setup_commands() noexcept;
const SetupCommand* find_setup_command(std::string_view name) noexcept;

inline constexpr std::string_view general_usage =
    "USAGE: drbdsetup COMMAND OBJECT [ARGUMENT]... [--OPTION[=VALUE]]...";
// "USAGE: drbdsetup attach MINOR …", with every option and its range.
std::string usage_of(const SetupCommand& command);
// The options as they are written, without the dashes: name and shape of the value ("=...").
std::vector<std::pair<std::string, std::string>> options_of(const SetupCommand& command);
// What to say about a word that is no command, with the nearest one.
std::string unknown_command(const std::string& word);

// 8.4's order (COMMAND OBJECT …) and 8.3's (OBJECT COMMAND …).
SetupCall parse_setup_call(std::span<const std::string> arguments);

}  // namespace replicator::command
