// The top level, resources, and the reading of files.
#include "config/parser.hpp"

#include <tuple>

#include "config/checks.hpp"
#include "config/parse_state.hpp"

namespace replicator::config {
namespace {

constexpr std::size_t most_files = 4096;

bool parse_file(ParseContext& context, const std::string& name, std::string_view text);

bool parse_global(ParseState& state) {
  const Place begin = state.place();
  Config& config = state.context.config;
  state.advance();
  if (config.global_opened) {
    state.context.diagnostics.error(begin, "conflicting use of global section 'global' ...");
    state.context.diagnostics.error(*config.global_opened,
                                    "global section 'global' first used here.");
  }
  if (!config.resources.empty()) {
    state.context.diagnostics.warning(
        begin, "You should put the global {} section\n\tin front of any resource {} section");
  }
  config.global_opened = begin;
  if (!state.take('{')) return false;
  const OptionSection kind = OptionSection::global;
  Sections sections;
  sections.of(kind) = std::move(config.global);
  if (!parse_options(state, &kind, sections)) return false;
  config.global = std::move(sections.of(kind));
  return true;
}

// `protocol C;` in front of a section.
bool parse_protocol(ParseState& state, Sections& into) {
  Setting setting{"protocol", {}, state.place()};
  state.advance();
  if (!state.take_name(setting.value, "A | B | C")) return false;
  const auto* option = control::find_option(OptionSection::net, "protocol");
  if (!control::parse_option(*option, setting.value).problem.empty()) {
    state.context.diagnostics.error(setting.place, "unknown protocol '" + shortened(setting.value) +
                                                       "', should be one of A,B,C");
  }
  into.of(OptionSection::net).set(std::move(setting));
  return state.take(';');
}

bool parse_common(ParseState& state) {
  const Place begin = state.place();
  Config& config = state.context.config;
  state.advance();
  if (config.common_opened) {
    state.context.diagnostics.error(begin, "conflicting use of common section 'common' ...");
    state.context.diagnostics.error(*config.common_opened,
                                    "common section 'common' first used here.");
  }
  config.common_opened = begin;
  if (!state.take('{')) return false;
  while (!state.token.is('}')) {
    if (is_section_word(state.token)) {
      if (!parse_section(state, "common", config.common)) return false;
    } else if (state.token.is_keyword("protocol")) {
      if (!parse_protocol(state, config.common)) return false;
    } else if (state.token.is_keyword("proxy")) {
      if (!parse_proxy(state)) return false;
    } else if (state.token.is_keyword("on") || state.token.is_keyword("floating") ||
               state.token.is_keyword("stacked-on-top-of")) {
      return state.fail("in the common section, there are no host sections allowed.");
    } else {
      return state.expected(
          {"protocol", "disk", "net", "syncer", "startup", "handlers", "options", "proxy"});
    }
  }
  state.advance();
  return true;
}

bool parse_ignore_on(ParseState& state, Resource& resource) {
  state.context.diagnostics.warning(state.place(),
                                    "ignore-on is deprecated; leave out the host's section");
  state.advance();
  std::string host;
  if (!state.take_name(host, "a host name")) return false;
  resource.ignore_on.push_back(std::move(host));
  return state.take(';');
}

bool parse_resource_item(ParseState& state, Resource& resource) {
  const Token& token = state.token;
  if (at_volume_statement(state)) {
    return parse_volume_statement(state, "resource " + resource.name,
                                  implicit_volume(state, resource.volumes));
  }
  if (is_section_word(token)) return parse_section(state, resource.name, resource.sections);
  if (token.is_keyword("protocol")) return parse_protocol(state, resource.sections);
  if (token.is_keyword("on") || token.is_keyword("floating") ||
      token.is_keyword("stacked-on-top-of")) {
    return parse_host(state, resource);
  }
  if (token.is_keyword("ignore-on")) return parse_ignore_on(state, resource);
  if (token.is_keyword("volume")) {
    return parse_volume(state, "resource " + resource.name, resource.volumes);
  }
  if (token.is_keyword("connection")) return parse_connection(state, resource, false);
  if (token.is_keyword("connection-mesh")) return parse_connection(state, resource, true);
  if (token.is_keyword("skip")) return parse_skip(state);
  if (token.is_keyword("proxy")) {
    resource.has_proxy = true;
    return parse_proxy(state);
  }
  if (token.is_keyword("template-file")) {
    return state.fail("template-file is not supported;\n\tput its options into this resource");
  }
  return state.expected({"protocol", "on", "disk", "net", "syncer", "startup", "handlers",
                         "ignore-on", "stacked-on-top-of", "options", "device", "meta-disk",
                         "volume", "floating", "connection", "connection-mesh", "proxy", "skip"});
}

bool parse_include(ParseState& state) {
  ParseContext& context = state.context;
  const Place place = state.place();
  state.advance();
  std::string name;
  if (!state.take_name(name, "a file name") || !state.take(';')) return false;
  const std::size_t slash = state.file.rfind('/');
  if (!name.starts_with('/') && slash != std::string::npos) {
    name = state.file.substr(0, slash + 1) + name;
  }
  const std::vector<std::string> found = context.files.glob(name);
  if (found.empty() && name.find_first_of("*?[") == std::string::npos) {
    context.diagnostics.error(place, "Failed to open include file '" + name + "'.");
  }
  for (const std::string& file : found) {
    if (!context.seen.insert(context.files.resolve(file)).second) continue;
    const Result<std::string> text =
        context.seen.size() > most_files ? failure(Fault::no_space) : context.files.read(file);
    if (!text) {
      context.diagnostics.error(place, "Failed to open include file '" + file + "'.");
    } else if (!parse_file(context, file, *text)) {
      return false;
    }
  }
  return true;
}

// "9.3.0" or "8.4"; missing parts are 0.
bool read_version(const std::string& text, unsigned (&version)[3]) {
  std::size_t part = 0;
  unsigned digits = 0;
  for (const char c : text) {
    if (c == '.') {
      if (digits == 0 || ++part > 2) return false;
      digits = 0;
      continue;
    }
    if (c < '0' || c > '9' || ++digits > 4) return false;
    version[part] = version[part] * 10 + static_cast<unsigned>(c - '0');
  }
  return digits > 0;
}

int compare_versions(const unsigned (&a)[3], const unsigned (&b)[3]) {
  const auto left = std::tuple(a[0], a[1], a[2]);
  const auto right = std::tuple(b[0], b[1], b[2]);
  return left < right ? -1 : left > right ? 1 : 0;
}

bool parse_version_requirement(ParseState& state, const std::string& relation) {
  const Place place = state.place();
  state.advance();
  std::string wanted_text;
  if (!state.take_name(wanted_text, "a version") || !state.take(';')) return false;
  unsigned wanted[3] = {0, 0, 0};
  if (!read_version(wanted_text, wanted)) {
    state.context.diagnostics.error(place, "'" + shortened(wanted_text) + "' is not a version");
    return true;
  }
  const int order = compare_versions(emulated_version, wanted);
  const bool holds = relation == "eq"   ? order == 0
                     : relation == "ne" ? order != 0
                     : relation == "gt" ? order > 0
                     : relation == "ge" ? order >= 0
                     : relation == "lt" ? order < 0
                                        : order <= 0;
  if (!holds) {
    state.context.diagnostics.error(place, "Validation error: drbd-module-version 8.4.11 " +
                                               relation + " " + wanted_text + " not true");
  }
  return true;
}

// "ge" of require-drbd-module-version-ge, or empty.
std::string requirement(const Token& token) {
  constexpr std::string_view prefix = "require-drbd-module-version-";
  if (token.kind != TokenKind::word || !token.text.starts_with(prefix)) return {};
  const std::string relation = token.text.substr(prefix.size());
  for (const char* known : {"eq", "ne", "gt", "ge", "lt", "le"}) {
    if (relation == known) return relation;
  }
  return {};
}

bool parse_file(ParseContext& context, const std::string& name, std::string_view text) {
  ParseState state(context, name, text);
  while (state.token.kind != TokenKind::end) {
    if (!parse_top_level(state)) return false;
  }
  return true;
}

bool read_whole(ParseContext& context, const std::string& path) {
  const Result<std::string> text = context.files.read(path);
  if (!text) {
    context.diagnostics.unreadable(text.error().fault() == Fault::unsupported
                                       ? "Cannot parse directory '" + path + "' as config file."
                                       : "Can not open '" + path + "'.");
    return false;
  }
  context.seen.insert(context.files.resolve(path));
  return parse_file(context, path, *text);
}

}  // namespace

bool parse_top_level(ParseState& state) {
  if (state.token.is_keyword("global")) return parse_global(state);
  if (state.token.is_keyword("common")) return parse_common(state);
  if (state.token.is_keyword("resource")) return parse_resource(state);
  if (state.token.is_keyword("skip")) return parse_skip(state);
  if (state.token.is_keyword("include")) return parse_include(state);
  const std::string relation = requirement(state.token);
  if (!relation.empty()) return parse_version_requirement(state, relation);
  return state.expected({"global", "common", "resource", "skip", "include"});
}

bool parse_resource(ParseState& state) {
  Resource resource;
  resource.place = state.place();
  resource.file = state.resolved;
  state.advance();
  if (!state.take_name(resource.name, "a resource name")) return false;
  if (!state.take('{')) return false;
  const Resource* first = state.context.config.find(resource.name);
  if (first != nullptr) {
    const std::string what = "resource section '" + resource.name + "'";
    state.context.diagnostics.error(resource.place, "conflicting use of " + what + " ...");
    state.context.diagnostics.error(first->place, what + " first used here.");
  }
  while (!state.token.is('}')) {
    if (state.token.kind == TokenKind::end) {
      state.context.diagnostics.error(resource.place, "resource section '" + resource.name +
                                                          "' is not closed;\n\ta '}' is missing");
      return false;
    }
    if (!parse_resource_item(state, resource)) return false;
  }
  state.advance();
  state.context.config.resources.push_back(std::move(resource));
  return true;
}

Config load(Files& files, const std::string& path, Diagnostics& diagnostics) {
  return load_with(files, path, {}, diagnostics);
}

Config load_with(Files& files, const std::string& path, const std::string& extra,
                 Diagnostics& diagnostics) {
  Config config;
  config.path = path == "-" ? "STDIN" : files.resolve(path);
  ParseContext context{files, config, diagnostics, {}};
  if (read_whole(context, path) && (extra.empty() || read_whole(context, extra))) {
    check(config, diagnostics);
  }
  return config;
}

}  // namespace replicator::config
