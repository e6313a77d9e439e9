// What keys do in drbdmon: nothing runs without being confirmed.
#include "monitor/view.hpp"

#include <gtest/gtest.h>

#include <string>

namespace replicator::monitor {
namespace {

constexpr Size size{80, 24};

Key letter(char c) { return {Key::Kind::letter, c}; }
Key special(Key::Kind kind) { return {kind, '\0'}; }

Model with_resources(std::initializer_list<const char*> names) {
  Model model;
  model.complete = true;
  for (const char* name : names)
    model.resources[name].values["role"] = "Secondary";
  return model;
}

void make_good(Model& model, const char* name) {
  Resource& resource = model.resources[name];
  resource.connections["peer"].values["connection"] = "Connected";
}

Step after(const Model& model, View view, std::string_view letters) {
  Step step;
  step.view = std::move(view);
  for (const char c : letters)
    step = pressed(model, std::move(step.view), letter(c), size);
  return step;
}

TEST(MonitorView, TheCursorMovesAndStaysInside) {
  const Model model = with_resources({"a", "b", "c"});
  View view;
  EXPECT_EQ(current(model, view), "a");
  view = after(model, view, "jj").view;
  EXPECT_EQ(current(model, view), "c");
  view = after(model, view, "jjj").view;
  EXPECT_EQ(current(model, view), "c");
  view = pressed(model, view, special(Key::Kind::up), size).view;
  EXPECT_EQ(current(model, view), "b");
  view = pressed(model, view, special(Key::Kind::first), size).view;
  EXPECT_EQ(current(model, view), "a");
  view = pressed(model, view, special(Key::Kind::page_down), size).view;
  EXPECT_EQ(current(model, view), "c");
}

TEST(MonitorView, AResourceThatGoesLeavesTheCursorAtItsNeighbour) {
  View view;
  view.selected = "b";
  EXPECT_EQ(current(with_resources({"a", "c"}), view), "c");
  EXPECT_EQ(current(with_resources({"a"}), view), "a");
  EXPECT_EQ(current(with_resources({}), view), "");
}

TEST(MonitorView, ProblemsFirst) {
  Model model = with_resources({"a", "b", "c"});
  make_good(model, "a");
  make_good(model, "c");
  View view;
  EXPECT_EQ(order_of(model, view), (std::vector<std::string_view>{"a", "b", "c"}));
  view = after(model, view, "o").view;
  EXPECT_EQ(order_of(model, view), (std::vector<std::string_view>{"b", "a", "c"}));
  EXPECT_EQ(current(model, view), "b");
}

TEST(MonitorView, ACommandIsConfirmedByY) {
  const Model model = with_resources({"r0", "r1"});
  for (const auto& [key, text] : {std::pair{'p', "drbdadm primary r1"},
                                  {'s', "drbdadm secondary r1"},
                                  {'c', "drbdadm connect r1"},
                                  {'d', "drbdadm disconnect r1"},
                                  {'v', "drbdadm verify r1"}}) {
    Step step = after(model, {}, std::string("j") + key);
    EXPECT_EQ(step.view.mode, Mode::confirm);
    EXPECT_FALSE(step.run);
    EXPECT_EQ(command_text(step.view), text);
    const Step refused = pressed(model, step.view, special(Key::Kind::enter), size);
    EXPECT_FALSE(refused.run);
    EXPECT_EQ(refused.view.mode, Mode::list);
    step = pressed(model, step.view, letter('y'), size);
    EXPECT_TRUE(step.run);
    EXPECT_EQ(step.view.mode, Mode::running);
  }
}

TEST(MonitorView, ThrowingDataAwayTakesTheWholeWord) {
  const Model model = with_resources({"r0"});
  for (const char* typed : {"", "y", "ye", "yess", "no", "Yes"}) {
    Step step = after(model, {}, std::string("i") + typed);
    EXPECT_EQ(step.view.mode, Mode::confirm) << typed;
    step = pressed(model, step.view, special(Key::Kind::enter), size);
    EXPECT_FALSE(step.run) << typed;
    EXPECT_EQ(step.view.mode, Mode::list) << typed;
  }
  Step step = after(model, {}, "iyesx");
  step = pressed(model, step.view, special(Key::Kind::backspace), size);
  step = pressed(model, step.view, special(Key::Kind::enter), size);
  EXPECT_TRUE(step.run);
  step = after(model, {}, "iyes");
  step = pressed(model, step.view, special(Key::Kind::escape), size);
  EXPECT_FALSE(step.run);
  EXPECT_EQ(step.view.mode, Mode::list);
  EXPECT_EQ(after(model, step.view, "i").view.typed, "");
}

TEST(MonitorView, WithoutResourcesThereIsNothingToRun) {
  const Step step = after(with_resources({}), {}, "psjk");
  EXPECT_EQ(step.view.mode, Mode::list);
  EXPECT_FALSE(step.run);
}

TEST(MonitorView, DetailsOfAResourceThatIsGoneRunNothing) {
  View view;
  view.mode = Mode::details;
  view.selected = "b";
  EXPECT_EQ(after(with_resources({"a", "c"}), view, "p").view.mode, Mode::details);
  EXPECT_EQ(after(with_resources({"b"}), view, "p").view.mode, Mode::confirm);
}

TEST(MonitorView, TheOutcomeIsShownUntilAKey) {
  const Model model = with_resources({"r0"});
  View view = after(model, {}, "sy").view;
  EXPECT_FALSE(after(model, view, "jpy").run);
  view = finished(view, "one\ntwo", 11);
  EXPECT_EQ(view.mode, Mode::result);
  EXPECT_EQ(view.output, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(view.exit_code, 11);
  view = pressed(model, view, special(Key::Kind::enter), size).view;
  EXPECT_EQ(view.mode, Mode::list);
}

TEST(MonitorView, PagesGoBackToWhereTheyCameFrom) {
  const Model model = with_resources({"r0"});
  View view = pressed(model, {}, special(Key::Kind::enter), size).view;
  EXPECT_EQ(view.mode, Mode::details);
  view = after(model, view, "h").view;
  EXPECT_EQ(view.mode, Mode::help);
  view = after(model, view, "q").view;
  EXPECT_EQ(view.mode, Mode::details);
  view = after(model, view, "sn").view;
  EXPECT_EQ(view.mode, Mode::details);
  const Step back = after(model, view, "q");
  EXPECT_EQ(back.view.mode, Mode::list);
  EXPECT_FALSE(back.quit);
  EXPECT_TRUE(after(model, back.view, "q").quit);
}

TEST(MonitorView, APageScrollsNoFurtherThanItsEnd) {
  const Model model = with_resources({"r0"});
  View view;
  for (int i = 0; i < 40; ++i)
    view.output.push_back(std::to_string(i));
  view.mode = Mode::result;
  view = pressed(model, view, special(Key::Kind::last), size).view;
  EXPECT_EQ(view.scroll, 41U - 20U);
  view = pressed(model, view, special(Key::Kind::up), size).view;
  EXPECT_EQ(view.scroll, 41U - 21U);
}

}  // namespace
}  // namespace replicator::monitor
