// Changes of a configuration: replace, create, modify, remove, versions.
#include "ha/config/edit.hpp"

#include <gtest/gtest.h>

#include "ha/config/xml.hpp"

namespace ha::config {
namespace {

Element tree() {
  return *parse_xml(
      "<cib admin_epoch='0' epoch='5' num_updates='3'><configuration><crm_config/><nodes/>"
      "<resources><group id='g'><primitive id='a' class='ocf' type='Dummy'/></group></resources>"
      "<constraints/></configuration><status><node_state id='1' uname='n1'/></status></cib>");
}

replicator::Result<Element> edited(EditKind kind, const std::string& xml,
                                   const std::string& scope = {}) {
  return apply(tree(), {kind, scope, *parse_xml(xml), false});
}

TEST(CibEdit, EachChangeOfTheConfigurationRaisesTheEpoch) {
  const auto result =
      edited(EditKind::create, "<primitive id='b' class='ocf' type='Dummy'/>", "resources");
  ASSERT_TRUE(result);
  EXPECT_EQ(version_of(*result), (Version{0, 6, 0}));
  EXPECT_NE(result->find("primitive", "b"), nullptr);
  EXPECT_NE(result->find("node_state", "1"), nullptr);
}

TEST(CibEdit, ChangesOfTheStatusRaiseNumUpdates) {
  const auto result = edited(EditKind::modify, "<node_state id='1' join='member'/>", "status");
  ASSERT_TRUE(result);
  EXPECT_EQ(version_of(*result), (Version{0, 5, 4}));
  EXPECT_EQ(result->find("node_state", "1")->value("join"), "member");
  EXPECT_EQ(result->find("node_state", "1")->value("uname"), "n1");
}

TEST(CibEdit, WhatIsThereIsNotCreated) {
  EXPECT_EQ(edited(EditKind::create, "<primitive id='a'/>", "resources").error().fault(),
            replicator::Fault::exists);
  EXPECT_EQ(edited(EditKind::create, "<primitive/>", "resources").error().fault(),
            replicator::Fault::malformed);
  EXPECT_EQ(edited(EditKind::create, "<x id='1'/>", "nowhere").error().fault(),
            replicator::Fault::not_found);
}

TEST(CibEdit, ModifyMergesByNameAndId) {
  const auto result = edited(
      EditKind::modify, "<primitive id='a' type='Stateful'><meta_attributes id='m'/></primitive>");
  ASSERT_TRUE(result);
  const Element* primitive = result->find("primitive", "a");
  EXPECT_EQ(primitive->value("type"), "Stateful");
  EXPECT_EQ(primitive->value("class"), "ocf");
  EXPECT_NE(primitive->child("meta_attributes"), nullptr);
  EXPECT_EQ(edited(EditKind::modify, "<primitive id='zzz'/>").error().fault(),
            replicator::Fault::not_found);
}

TEST(CibEdit, RemoveTakesTheObjectWhereverItIs) {
  const auto result = edited(EditKind::remove, "<primitive id='a'/>");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->find("primitive", "a"), nullptr);
  EXPECT_NE(result->find("group", "g"), nullptr);
}

TEST(CibEdit, AWholeConfigurationReplacesAndKeepsTheStatus) {
  const auto result =
      edited(EditKind::replace, "<cib admin_epoch='0' epoch='9'><configuration/><status/></cib>");
  ASSERT_TRUE(result);
  EXPECT_EQ(version_of(*result), (Version{0, 10, 0}));
  EXPECT_EQ(result->find("primitive", "a"), nullptr);
  EXPECT_NE(result->find("node_state", "1"), nullptr);
}

TEST(CibEdit, AnOlderOneIsRefused) {
  EXPECT_EQ(edited(EditKind::replace, "<cib epoch='4'><configuration/></cib>").error().fault(),
            replicator::Fault::incompatible);
  EXPECT_TRUE(edited(EditKind::replace, "<cib admin_epoch='1' epoch='0'><configuration/></cib>"));
}

TEST(CibEdit, ASectionIsReplacedWhole) {
  const auto result = edited(EditKind::replace, "<resources><primitive id='z'/></resources>");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->find("group", "g"), nullptr);
  EXPECT_NE(result->find("primitive", "z"), nullptr);
}

TEST(CibEdit, Pairs) {
  Element owner{"node", {}, {}, {}};
  Element& set = pairs_of(owner, "instance_attributes", "nodes-1");
  const std::string on = "on";
  set_pair(set, "standby", &on);
  ASSERT_NE(find_pair(owner, "instance_attributes", "standby"), nullptr);
  EXPECT_EQ(*find_pair(owner, "instance_attributes", "standby"), "on");
  EXPECT_EQ(set.children.front().id(), "nodes-1-standby");
  set_pair(set, "standby", nullptr);
  EXPECT_EQ(find_pair(owner, "instance_attributes", "standby"), nullptr);
}

}  // namespace
}  // namespace ha::config
