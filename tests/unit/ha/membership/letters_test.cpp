// Long texts in parts: whole or not at all.
#include "ha/membership/letters.hpp"

#include <gtest/gtest.h>

namespace ha::membership {
namespace {

std::vector<Message> sent(const std::string& text, const std::string& to = {},
                          std::uint64_t number = 1) {
  std::vector<Message> messages = cut({"n1", to, "cib", text}, number);
  for (Message& message : messages)
    message.set("src", "n1");
  return messages;
}

TEST(Letters, ArriveWhole) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{5}, letter_part_bytes,
                                 letter_part_bytes + 1, 5 * letter_part_bytes}) {
    Letters letters("n2");
    const std::string text(size, 'x');
    const std::vector<Message> parts = sent(text);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const auto letter = letters.accept(parts[i]);
      ASSERT_EQ(letter.has_value(), i + 1 == parts.size());
      if (letter) {
        EXPECT_EQ(*letter, (Letter{"n1", "", "cib", text}));
      }
    }
  }
}

TEST(Letters, AreForWhomTheyAreFor) {
  Letters letters("n2");
  EXPECT_FALSE(letters.accept(sent("a", "n3")[0]));
  EXPECT_TRUE(letters.accept(sent("a", "n2")[0]));
}

TEST(Letters, WithAPartMissingAreNotHandedOn) {
  const std::vector<Message> first = sent(std::string(3 * letter_part_bytes, 'a'));
  const std::vector<Message> second = sent(std::string(2 * letter_part_bytes, 'b'), {}, 2);
  Letters letters("n2");
  EXPECT_FALSE(letters.accept(first[0]));
  EXPECT_FALSE(letters.accept(first[2]));
  EXPECT_FALSE(letters.accept(first[0]));
  EXPECT_FALSE(letters.accept(second[1]));
  EXPECT_FALSE(letters.accept(second[0]));
  EXPECT_TRUE(letters.accept(second[1]));
  EXPECT_FALSE(letters.accept(second[0]));
  letters.forget("n1");
  EXPECT_FALSE(letters.accept(second[1]));
}

TEST(Letters, OfNonsenseNothingComes) {
  Letters letters("n2");
  Message message = sent("x")[0];
  message.set("parts", "ffffffffffffffff");
  EXPECT_FALSE(letters.accept(message));
  message.set("parts", "1");
  message.set("part", "0");
  EXPECT_FALSE(letters.accept(message));
  EXPECT_TRUE(cut({"n1", "", "cib", std::string(max_letter_bytes + 1, 'x')}, 1).empty());
}

}  // namespace
}  // namespace ha::membership
