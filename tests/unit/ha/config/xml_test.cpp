#include "ha/config/xml.hpp"

#include <gtest/gtest.h>

#include "ha/config/cib.hpp"

namespace ha::config {
namespace {

TEST(Xml, WhatIsUnknownComesBack) {
  const auto root = parse_xml("<cib epoch='3'><new a=\"x &amp; &lt;y&gt;\"><z/>text</new></cib>");
  ASSERT_TRUE(root);
  const auto again = parse_xml(format_xml(*root));
  ASSERT_TRUE(again);
  const Element* unknown = again->child("new");
  ASSERT_NE(unknown, nullptr);
  EXPECT_EQ(unknown->value("a"), "x & <y>");
  EXPECT_EQ(unknown->text, "text");
  EXPECT_NE(unknown->child("z"), nullptr);
}

TEST(Xml, WhatIsNotXmlIsRefused) {
  for (const char* text : {"", "hello", "<a>", "<a></b>", "<a b=c/>"})
    EXPECT_FALSE(parse_xml(text)) << text;
}

TEST(Xml, DepthIsBounded) {
  std::string deep;
  for (int i = 0; i < 100; ++i)
    deep += "<a>";
  for (int i = 0; i < 100; ++i)
    deep += "</a>";
  EXPECT_FALSE(parse_xml(deep));
}

TEST(Cib, VersionsAreOrdered) {
  const auto version = [](const char* text) { return Cib::parse(text)->version(); };
  const Version older = version("<cib admin_epoch='0' epoch='9' num_updates='7'/>");
  EXPECT_LT(older, version("<cib admin_epoch='0' epoch='10' num_updates='0'/>"));
  EXPECT_LT(older, version("<cib admin_epoch='1' epoch='0'/>"));
  EXPECT_EQ(older, version("<cib num_updates='7' epoch='9'/>"));
  EXPECT_FALSE(Cib::parse("<config/>"));
}

TEST(Cib, ReferencesLeadToWhatTheyName) {
  const auto root =
      parse_xml("<cib><rule id='r' score='5'/><x><rule id-ref='r'/><rule id-ref='q'/></x></cib>");
  ASSERT_TRUE(root);
  const Element& user = *root->child("x");
  EXPECT_EQ(resolve(user.children[0], *root)->value("score"), "5");
  EXPECT_EQ(resolve(user.children[1], *root), nullptr);
}

}  // namespace
}  // namespace ha::config
