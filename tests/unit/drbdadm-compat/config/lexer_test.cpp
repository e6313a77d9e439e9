#include "config/lexer.hpp"

#include <gtest/gtest.h>

namespace replicator::config {
namespace {

std::string all_tokens(std::string_view text) {
  Lexer lexer(text);
  std::string result;
  for (;;) {
    const Token token = lexer.next();
    switch (token.kind) {
      case TokenKind::end: return result + "." + std::to_string(token.line);
      case TokenKind::bad: return result + "!" + std::to_string(token.line) + " " + token.text;
      case TokenKind::word: result += "w(" + token.text + ") "; break;
      case TokenKind::string: result += "s(" + token.text + ") "; break;
      case TokenKind::punctuation: result += token.text + " "; break;
    }
  }
}

TEST(Lexer, MakesTokens) {
  const std::string long_word(128, 'a');
  const struct {
    std::string text;
    std::string tokens;
  } rows[] = {
      {"", ".1"},
      {"a { b 10M; } # c\n", "w(a) { w(b) w(10M) ; } .2"},
      {"\"a b\\\"\\\\\\x\"", "s(a b\"\\x) .1"},
      {"[0]:1\r\n\tx", "[ w(0) ] : w(1) w(x) .2"},
      {"/dev/vg-a/b.c_d", "w(/dev/vg-a/b.c_d) .1"},
      {"\"#\"#x", "s(#) .1"},
      {long_word, "w(" + long_word + ") .1"},
      {long_word + "a", "!1 Token too long >>>aaaaaaaaaaaaaaaaaaaa...<<<"},
      {"\"" + std::string(256, 'b') + "\"", "!1 Token too long >>>bbbbbbbbbbbbbbbbbbbb...<<<"},
      {"a\n\n\"abc; }\n",
       "w(a) !3 Unterminated double quoted string\n\twe don't allow embedded "
       "newlines\n\t>>>\"abc; }?<<<"},
      {"\"abc",
       "!1 Unterminated double quoted string\n\twe don't allow embedded newlines\n\t"
       ">>>\"abc<<<"},
      {"a,b",
       "w(a) !1 Parse error: unexpected character ',';\n\tquote names and values that "
       "contain it"},
  };
  for (const auto& row : rows)
    EXPECT_EQ(all_tokens(row.text), row.tokens) << row.text;
}

TEST(Lexer, ReadsUpToAStop) {
  Lexer lexer("[fe80::1%eth0]:1");
  EXPECT_TRUE(lexer.next().is('['));
  EXPECT_EQ(lexer.until(']').text, "fe80::1%eth0");
  EXPECT_TRUE(lexer.next().is(':'));
  EXPECT_EQ(lexer.until(']').kind, TokenKind::bad);
  EXPECT_EQ(lexer.next().kind, TokenKind::end);
}

}  // namespace
}  // namespace replicator::config
