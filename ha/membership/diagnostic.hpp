// What is wrong with a configuration file, in heartbeat's own words where it has some, with the
// place in front.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ha::membership {

enum class Severity : std::uint8_t { info, warning, error };

struct Diagnostic {
  Severity severity = Severity::error;
  std::string file;
  std::uint32_t line = 0;  // 0: the file as a whole
  std::string text;

  bool operator==(const Diagnostic&) const = default;
};

using Diagnostics = std::vector<Diagnostic>;

// "/etc/ha.d/ha.cf:3: Illegal directive [foo] in /etc/ha.d/ha.cf".
std::string text(const Diagnostic& diagnostic);
bool any_error(const Diagnostics& diagnostics);

// Lines of a configuration file: numbered, without comments, carriage returns and blanks at both
// ends; a no-break space counts as a blank. Empty lines are left out. With `joined`, a backslash at
// the end of a line (after comments are gone) joins the next one to it, under the first one's
// number.
struct ConfigLine {
  std::uint32_t number = 0;
  std::string text;
};
std::vector<ConfigLine> config_lines(std::string_view file, bool joined);

// Words between blanks, tabs and (where `commas`) commas.
std::vector<std::string> split_words(std::string_view line, bool commas);
std::string lower_case(std::string_view text);

}  // namespace ha::membership
