#include "config/lexer.hpp"

namespace replicator::config {
namespace {

bool is_word_character(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' ||
         c == '.' || c == '_' || c == '-';
}
bool is_control(char c) noexcept {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == '\x7f';
}

// Bytes that would spoil a terminal become question marks.
std::string visible(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (is_control(c)) c = '?';
  }
  return result;
}

}  // namespace

std::string shortened(std::string_view text) {
  return text.size() <= 20 ? visible(text) : visible(text.substr(0, 20)) + "...";
}

void Lexer::skip_blanks() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '#') {
      const std::size_t end = text_.find('\n', at_);
      at_ = end == std::string_view::npos ? text_.size() : end;
      continue;
    }
    if (c == '\n') ++line_;
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') return;
    ++at_;
  }
}

Token Lexer::bad(std::string message) {
  at_ = text_.size();
  return {TokenKind::bad, std::move(message), line_};
}

Token Lexer::too_long(std::string_view token) {
  return bad("Token too long >>>" + shortened(token) + "<<<");
}

Token Lexer::next() {
  skip_blanks();
  if (at_ >= text_.size()) return {TokenKind::end, "end of file", line_};
  const char c = text_[at_];
  if (c == '"') return string();
  if (std::string_view("{};[]:").find(c) != std::string_view::npos) {
    ++at_;
    return {TokenKind::punctuation, std::string(1, c), line_};
  }
  if (is_word_character(c)) return word();
  if (skipping_) {
    ++at_;
    return {TokenKind::punctuation, std::string(1, c), line_};
  }
  return bad("Parse error: unexpected character '" + visible(text_.substr(at_, 1)) +
             "';\n\tquote names and values that contain it");
}

Token Lexer::word() {
  const std::size_t begin = at_;
  while (at_ < text_.size() && is_word_character(text_[at_]))
    ++at_;
  const std::string_view found = text_.substr(begin, at_ - begin);
  if (found.size() > longest_word) return too_long(found);
  return {TokenKind::word, std::string(found), line_};
}

Token Lexer::string() {
  const std::size_t begin = at_++;
  std::string value;
  while (at_ < text_.size()) {
    char c = text_[at_++];
    if (c == '"') {
      if (value.size() > longest_string) return too_long(value);
      return {TokenKind::string, std::move(value), line_};
    }
    if (c == '\\' && at_ < text_.size()) c = text_[at_++];
    if (c == '\n') break;
    if (is_control(c) && c != '\r') {
      return bad("Parse error: control character in a double quoted string");
    }
    if (value.size() <= longest_string) value += c;
  }
  return bad("Unterminated double quoted string\n\twe don't allow embedded newlines\n\t>>>" +
             shortened(text_.substr(begin, at_ - begin)) + "<<<");
}

Token Lexer::until(char stop) {
  const std::size_t begin = at_;
  while (at_ < text_.size() && text_[at_] != stop && text_[at_] != '\n' &&
         at_ - begin <= longest_word) {
    ++at_;
  }
  if (at_ >= text_.size() || text_[at_] != stop) {
    return bad(std::string("Parse error: '") + stop + "' expected,\n\tafter '" +
               shortened(text_.substr(begin, at_ - begin)) + "'");
  }
  Token token{TokenKind::string, std::string(text_.substr(begin, at_ - begin)), line_};
  ++at_;
  return token;
}

}  // namespace replicator::config
