// Option sections, with the spellings of DRBD 8.3 put in their present place.
#include <array>

#include "config/parse_state.hpp"

namespace replicator::config {
namespace {

using control::Option;
using control::OptionType;

struct SectionWord {
  std::string_view word;
  OptionSection kind;
};
constexpr std::array section_words{SectionWord{"net", OptionSection::net},
                                   SectionWord{"disk", OptionSection::disk},
                                   SectionWord{"startup", OptionSection::startup},
                                   SectionWord{"handlers", OptionSection::handlers},
                                   SectionWord{"options", OptionSection::resource}};

struct Alias {
  OptionSection kind;  // of the section that contains it
  std::string_view old_name;
  OptionSection new_kind;
  std::string_view name;
};
constexpr std::array aliases{
    Alias{OptionSection::net, "fencing", OptionSection::disk, "fencing"},
    Alias{OptionSection::handlers, "outdate-peer", OptionSection::handlers, "fence-peer"}};
// Where the options of `syncer` are now.
constexpr std::array syncer_options{
    Alias{OptionSection::disk, "rate", OptionSection::disk, "resync-rate"},
    Alias{OptionSection::disk, "after", OptionSection::disk, "resync-after"},
    Alias{OptionSection::disk, "al-extents", OptionSection::disk, "al-extents"},
    Alias{OptionSection::disk, "c-plan-ahead", OptionSection::disk, "c-plan-ahead"},
    Alias{OptionSection::disk, "c-delay-target", OptionSection::disk, "c-delay-target"},
    Alias{OptionSection::disk, "c-fill-target", OptionSection::disk, "c-fill-target"},
    Alias{OptionSection::disk, "c-max-rate", OptionSection::disk, "c-max-rate"},
    Alias{OptionSection::disk, "c-min-rate", OptionSection::disk, "c-min-rate"},
    Alias{OptionSection::disk, "delay-probe-volume", OptionSection::disk, "delay-probe-volume"},
    Alias{OptionSection::disk, "delay-probe-interval", OptionSection::disk, "delay-probe-interval"},
    Alias{OptionSection::disk, "throttle-threshold", OptionSection::disk, "throttle-threshold"},
    Alias{OptionSection::disk, "hold-off-threshold", OptionSection::disk, "hold-off-threshold"},
    Alias{OptionSection::net, "csums-alg", OptionSection::net, "csums-alg"},
    Alias{OptionSection::net, "verify-alg", OptionSection::net, "verify-alg"},
    Alias{OptionSection::net, "use-rle", OptionSection::net, "use-rle"},
    Alias{OptionSection::resource, "cpu-mask", OptionSection::resource, "cpu-mask"},
    Alias{OptionSection::resource, "on-no-data-accessible", OptionSection::resource,
          "on-no-data-accessible"}};

struct Found {
  const Option* option = nullptr;
  bool negated = false;
};

Found find_plain(const OptionSection* kind, std::string_view name) {
  if (kind == nullptr) {
    for (const Alias& alias : syncer_options) {
      if (alias.old_name == name) return {control::find_option(alias.new_kind, alias.name)};
    }
    return {};
  }
  for (const Alias& alias : aliases) {
    if (alias.kind == *kind && alias.old_name == name) {
      return {control::find_option(alias.new_kind, alias.name)};
    }
  }
  return {control::find_option(*kind, name)};
}

Found find_spelled(const OptionSection* kind, std::string_view name) {
  const Found found = find_plain(kind, name);
  if (found.option != nullptr || !name.starts_with("no-")) return found;
  const Found positive = find_plain(kind, name.substr(3));
  if (positive.option != nullptr && positive.option->type == OptionType::boolean) {
    return {positive.option, true};
  }
  return {};
}

std::vector<std::string> known_names(const OptionSection* kind) {
  std::vector<std::string> names;
  if (kind == nullptr) {
    for (const Alias& alias : syncer_options)
      names.emplace_back(alias.old_name);
    return names;
  }
  for (const Option& option : control::all_options()) {
    if (option.section == *kind) names.emplace_back(option.name);
  }
  return names;
}

// Empty: the value is fine.
std::string value_problem(const Option& option, const std::string& value) {
  if (option.type == OptionType::resync_after) return {};  // a resource; checked when all are known
  if (option.name == "after-sb-0pri" && value.starts_with("discard-node-")) return {};
  return control::parse_option(option, value).problem;
}

void check_value(ParseState& state, const Place& place, const Option& option,
                 const std::string& value) {
  const std::string problem = value_problem(option, value);
  if (problem.empty()) return;
  state.context.diagnostics.error(place, "Parse error: while parsing value ('" + shortened(value) +
                                             "')\nfor " + std::string(option.name) + ". " +
                                             problem);
}

// `become-primary-on` takes several host names.
bool read_value(ParseState& state, const Option& option, std::string& value) {
  if (option.type == OptionType::flag || state.token.is(';')) {
    const bool bare = option.type == OptionType::flag || option.type == OptionType::boolean;
    if (!bare) return state.expected({"a value"});
    value = "yes";
    return true;
  }
  const Place place = state.place();
  if (!state.take_name(value, "a value")) return false;
  while (option.name == "become-primary-on" && state.token.is_name()) {
    value += " " + state.token.text;
    state.advance();
  }
  check_value(state, place, option, value);
  return true;
}

bool parse_option(ParseState& state, const OptionSection* kind, Sections& into) {
  const Found found = state.token.is_name() ? find_spelled(kind, state.token.text) : Found{};
  if (found.option == nullptr || state.token.kind != TokenKind::word) {
    return state.expected(known_names(kind), "an option keyword");
  }
  const Option& option = *found.option;
  Setting setting{std::string(option.name), "no", state.place()};
  state.advance();
  if (!found.negated && !read_value(state, option, setting.value)) return false;
  if (!state.take(';')) return false;
  if (!option.ignored) into.of(option.section).set(std::move(setting));
  return true;
}

const SectionWord* find_section(const Token& token) noexcept {
  for (const SectionWord& row : section_words) {
    if (token.is_keyword(row.word)) return &row;
  }
  return nullptr;
}

}  // namespace

bool is_section_word(const Token& token) noexcept {
  return find_section(token) != nullptr || token.is_keyword("syncer");
}

bool parse_options(ParseState& state, const OptionSection* kind, Sections& into) {
  while (!state.token.is('}')) {
    if (!parse_option(state, kind, into)) return false;
  }
  state.advance();
  return true;
}

bool parse_section(ParseState& state, const std::string& owner, Sections& into) {
  const SectionWord* row = find_section(state.token);
  const std::string word = state.token.text;
  const Place begin = state.place();
  state.advance();
  if (!state.take('{')) return false;
  if (row == nullptr) return parse_options(state, nullptr, into);
  std::optional<Place>& opened = into.of(row->kind).opened;
  if (opened) {
    const std::string what = word + " section '" + owner + ":" + word + "'";
    state.context.diagnostics.error(begin, "conflicting use of " + what + " ...");
    state.context.diagnostics.error(*opened, what + " first used here.");
  } else {
    opened = begin;
  }
  return parse_options(state, &row->kind, into);
}

}  // namespace replicator::config
