// Explanations survive the way through text, and nothing else is taken for one.
#include "control/explanation_json.hpp"

#include <gtest/gtest.h>

#include <set>

namespace replicator::control {
namespace {

ResourceExplanation sample() {
  ResourceExplanation explanation;
  explanation.link.trouble = LinkTrouble::secret_differs;
  explanation.link.detail = "a \"detail\"";
  explanation.link.time = WallTime(1'700'000'000'123);
  explanation.link.error = 111;
  explanation.link.attempts = 7;
  explanation.promotion = {PromotionReport{3, -2, "Need access to UpToDate data"},
                           PromotionReport{4, 1, "Success"}};
  explanation.log = {LogLine{WallTime(1'700'000'000'000), "info", "r0/3 \xff line"}};
  return explanation;
}

TEST(explanation_json, survives_the_round_trip) {
  ResourceExplanation explanation = sample();
  const Result<ResourceExplanation> again = decode_explanation(encode_explanation(explanation));
  ASSERT_TRUE(again);
  explanation.log[0].text = "r0/3 \xef\xbf\xbd line";  // what is not UTF-8 is replaced
  EXPECT_EQ(*again, explanation);
  EXPECT_EQ(*decode_explanation(encode_explanation(ResourceExplanation())), ResourceExplanation());
}

TEST(explanation_json, what_is_wrong_is_refused) {
  const std::string text = encode_explanation(sample());
  for (std::size_t length = 0; length < text.size(); length += 5)
    EXPECT_FALSE(decode_explanation(text.substr(0, length)));
  std::string other = text;
  other.replace(other.find("secret-differs"), 14, "secret-forgot!");
  EXPECT_FALSE(decode_explanation(other));
}

TEST(explanation_json, each_trouble_has_its_word) {
  std::set<std::string> words;
  for (std::size_t i = 0; i < link_trouble_words.size(); ++i) {
    const auto trouble = static_cast<LinkTrouble>(i);
    EXPECT_TRUE(words.insert(word(trouble)).second);
    EXPECT_EQ(parse_trouble(word(trouble)), trouble);
  }
  EXPECT_STREQ(word(LinkTrouble::handshake_refused), "handshake-refused");
  EXPECT_STREQ(word(LinkTrouble::hung_up), "hung-up");
}

}  // namespace
}  // namespace replicator::control
