#include "config/parse_state.hpp"

namespace replicator::config {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words)
    all += (all.empty() ? "" : " | ") + word;
  return all;
}

}  // namespace

ParseState::ParseState(ParseContext& shared, std::string name, std::string_view text)
    : context(shared), file(std::move(name)), resolved(shared.files.resolve(file)), lexer_(text) {
  advance();
}

bool ParseState::fail(std::string message) {
  // A lexical error is the reason for whatever the parser misses.
  context.diagnostics.error(place(),
                            token.kind == TokenKind::bad ? token.text : std::move(message));
  return false;
}

bool ParseState::expected(const std::vector<std::string>& words, const std::string& shown) {
  std::string message = "Parse error: '" + (shown.empty() ? joined(words) : shown) +
                        "' expected,\n\tbut got '" + shortened(token.text) + "'";
  const std::string nearest =
      token.kind == TokenKind::word ? nearest_word(token.text, words) : std::string();
  if (!nearest.empty()) message += "\n\tdid you mean '" + nearest + "'?";
  return fail(std::move(message));
}

bool ParseState::take(char punctuation) {
  if (!token.is(punctuation)) return expected({std::string(1, punctuation)});
  advance();
  return true;
}

bool ParseState::take_name(std::string& into, const char* what) {
  if (!token.is_name()) return expected({what});
  into = std::move(token.text);
  advance();
  return true;
}

bool ParseState::take_number(std::uint32_t& into, const char* what, std::uint32_t least,
                             std::uint32_t most) {
  if (!token.is_name()) return expected({what});
  std::uint64_t number = 0;
  if (token.text.empty()) return expected({what});
  for (const char c : token.text) {
    if (c < '0' || c > '9') return expected({what});
    number = number > most ? number : number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (number < least || number > most) {
    context.diagnostics.error(place(), std::string(what) + " " + shortened(token.text) +
                                           " out of range [" + std::to_string(least) + ".." +
                                           std::to_string(most) + "].");
  } else {
    into = static_cast<std::uint32_t>(number);
  }
  advance();
  return true;
}

bool skip_block(ParseState& state, const Place& begin, const char* what) {
  for (unsigned depth = 1; depth > 0; state.advance()) {
    if (state.token.kind == TokenKind::bad) return state.fail({});
    if (state.token.kind == TokenKind::end) {
      state.context.diagnostics.error(
          begin, std::string("reached eof while parsing this ") + what + " block.");
      return false;
    }
    if (state.token.is('{')) ++depth;
    if (state.token.is('}')) --depth;
    if (depth == 0) state.take_any_character(false);
  }
  return true;
}

bool parse_skip(ParseState& state) {
  const Place begin = state.place();
  state.advance();
  while (state.token.is_name())
    state.advance();
  state.take_any_character(true);
  return state.take('{') && skip_block(state, begin, "skip");
}

bool parse_proxy(ParseState& state) {
  const Place begin = state.place();
  state.advance();
  while (state.token.is_name())
    state.advance();
  state.context.diagnostics.warning(begin,
                                    "proxy is not supported; 'up' of this resource is refused.");
  state.take_any_character(true);
  return state.take('{') && skip_block(state, begin, "proxy");
}

}  // namespace replicator::config
