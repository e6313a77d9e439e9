// The words of drbd.conf. Total: any bytes give tokens and finally `end` or `bad`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace replicator::config {

inline constexpr std::size_t longest_word = 128;
inline constexpr std::size_t longest_string = 255;

enum class TokenKind : std::uint8_t {
  word,         // bare: a keyword where one is wanted, else a name
  string,       // quoted: never a keyword
  punctuation,  // one of { } ; [ ] :
  end,
  bad  // `text` is the message; nothing follows
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;
  unsigned line = 1;

  [[nodiscard]] bool is(char punctuation) const noexcept {
    return kind == TokenKind::punctuation && text[0] == punctuation;
  }
  [[nodiscard]] bool is_keyword(std::string_view keyword) const noexcept {
    return kind == TokenKind::word && text == keyword;
  }
  [[nodiscard]] bool is_name() const noexcept {
    return kind == TokenKind::word || kind == TokenKind::string;
  }
};

class Lexer {
 public:
  // The text must outlive the lexer.
  explicit Lexer(std::string_view text) noexcept : text_(text) {}

  Token next();
  // The characters before `stop` on this line, for forms that are not made of tokens (IPv6
  // addresses). `stop` is consumed. A missing one gives `bad`.
  Token until(char stop);
  // From now on a character that is none of the language is punctuation, not an error: in text that
  // is skipped.
  void take_any_character(bool any) noexcept { skipping_ = any; }

 private:
  void skip_blanks();
  Token bad(std::string message);
  Token string();
  Token word();
  Token too_long(std::string_view token);

  std::string_view text_;
  std::size_t at_ = 0;
  unsigned line_ = 1;
  bool skipping_ = false;
};

// A token as messages show it: at most 20 characters.
std::string shortened(std::string_view text);

}  // namespace replicator::config
