// Elections, joining, plans that are carried out, failures, fencing, copies of the configuration.
#include "ha/controller/controller.hpp"

#include <gtest/gtest.h>

#include "tests/unit/ha/controller/model.hpp"

namespace ha::controller {
namespace {

std::string configuration(const std::string& resources, const std::string& constraints = {},
                          bool fencing = false, int epoch = 1, const std::string& defaults = {}) {
  return "<cib admin_epoch='0' epoch='" + std::to_string(epoch) +
         "' num_updates='0' crm_feature_set='3.16.1'><configuration><crm_config>"
         "<cluster_property_set id='cib-bootstrap-options'><nvpair id='s' name='stonith-enabled' "
         "value='" +
         (fencing ? "true" : "false") +
         "'/></cluster_property_set></crm_config><nodes/><resources>" + resources +
         (fencing ? "<primitive id='st' class='stonith' type='fence_model'/>" : "") +
         "</resources><constraints>" + constraints +
         "</constraints><rsc_defaults><meta_attributes id='d'>" + defaults +
         "</meta_attributes></rsc_defaults></configuration><status/></cib>";
}

std::string dummy(const std::string& id, const std::string& meta = {}) {
  return "<primitive id='" + id +
         "' class='ocf' provider='pacemaker' type='Dummy'><meta_attributes id='" + id + "-m'>" +
         meta + "</meta_attributes><operations><op id='" + id +
         "-mon' name='monitor' interval='10s'/></operations></primitive>";
}

std::string pair(const std::string& name, const std::string& value) {
  return "<nvpair id='" + name + value + "' name='" + name + "' value='" + value + "'/>";
}

const std::string prefer_n1 = "<rsc_location id='l' rsc='web' node='n1' score='50'/>";

config::Version version(Model& model, const std::string& node) {
  return config::version_of(model.node_of(node).controller->cib());
}

TEST(Controller, OneCoordinatesAndStartsWhatIsConfiguredOnce) {
  Model model({"n1", "n2"});
  model.boot("n1", configuration(dummy("web"), prefer_n1));
  model.boot("n2");
  model.run(5000);
  EXPECT_EQ(model.coordinators(), "n1");
  EXPECT_EQ(model.where("web"), "n1");
  EXPECT_TRUE(model.node_of("n1").controller->idle());
  EXPECT_EQ(std::count(model.done.begin(), model.done.end(), "web_start_0@n1"), 1);
  // It was asked on both before it was started on one.
  EXPECT_EQ(std::count(model.done.begin(), model.done.end(), "web_monitor_0@n2"), 1);
  // Both have the same, on disk too.
  EXPECT_EQ(version(model, "n1"), version(model, "n2"));
  EXPECT_NE(model.node_of("n2").disk.find("id=\"web\""), std::string::npos);
  EXPECT_EQ(model.node_of("n2").disk.find("lrm_resource"), std::string::npos);
}

TEST(Controller, TheCoordinatorDiesAndItsServicesComeBack) {
  Model model({"n1", "n2"});
  model.boot("n1", configuration(dummy("web"), prefer_n1));
  model.boot("n2");
  model.run(5000);
  model.kill("n1");
  model.run(2000);
  EXPECT_EQ(model.coordinators(), "n2");
  EXPECT_EQ(model.where("web"), "n2");
  model.boot("n1");
  model.run(8000);
  // Whoever coordinates stays; the resource goes where it is preferred.
  EXPECT_EQ(model.coordinators(), "n2");
  EXPECT_EQ(model.where("web"), "n1");
}

TEST(Controller, NothingIsTakenOverBeforeFencingSucceeded) {
  Model model({"n1", "n2"});
  model.boot("n1", configuration(dummy("web"), prefer_n1, true));
  model.boot("n2");
  model.run(5000);
  ASSERT_EQ(model.where("web"), "n1");
  model.fencing_works = false;
  model.cut("n1", "n2");
  model.run(20000);
  EXPECT_EQ(model.where("web"), "n1");
  EXPECT_EQ(model.fencings, 0);
  const auto& log = model.node_of("n2").log;
  EXPECT_GT(std::count_if(log.begin(), log.end(),
                          [](const std::string& line) {
                            return line.find("failed attempts to fence n1") != std::string::npos;
                          }),
            2);
  // n2's device works now; n1 has none that does, as it would win else.
  model.node_of("n1").controller->was_paused(model.now());
  model.fencing_works = true;
  model.run(1200);
  EXPECT_EQ(model.fencings, 1);
  model.run(15000);
  EXPECT_EQ(model.where("web").find(' '), std::string::npos);
  EXPECT_FALSE(model.where("web").empty());
}

TEST(Controller, AnOperatorsWordIsAsGoodAsFencing) {
  Model model({"n1", "n2"});
  model.boot("n1", configuration(dummy("web"), prefer_n1, true));
  model.boot("n2");
  model.run(5000);
  model.request("n2", "<confirm node='n1'/>");
  model.run(500);
  EXPECT_EQ(model.node_of("n2").answers.back().fault, Fault::not_permitted);
  model.fencing_works = false;
  model.kill("n1");
  model.run(4000);
  EXPECT_EQ(model.where("web"), "");
  model.request("n2", "<confirm node='n1'/>");
  model.run(1000);
  EXPECT_EQ(model.node_of("n2").answers.back().fault, Fault::none);
  EXPECT_EQ(model.where("web"), "n2");
}

TEST(Controller, ANodeThatWasNeverSeenIsFencedFirst) {
  Model model({"n1", "n2"});
  model.fencing_works = false;
  model.boot("n1", configuration(dummy("web"), {}, true));
  model.run(15000);
  EXPECT_EQ(model.where("web"), "");
  model.fencing_works = true;
  model.run(70000);
  EXPECT_EQ(model.fencings, 1);
  EXPECT_EQ(model.where("web"), "n1");
}

TEST(Controller, FailuresAreCountedAndMoveTheResource) {
  Model model({"n1", "n2"});
  model.boot("n1", configuration(dummy("web", pair("migration-threshold", "2")), prefer_n1));
  model.boot("n2");
  model.run(5000);
  model.monitor_fails("n1", "web");
  model.run(2000);
  EXPECT_EQ(model.where("web"), "n1");
  const Element& cib = model.node_of("n1").controller->cib();
  const std::string* count = find_transient(cib, "n1", "fail-count-web#monitor_10000");
  ASSERT_NE(count, nullptr);
  EXPECT_EQ(*count, "1");
  model.monitor_fails("n1", "web");
  model.run(2000);
  EXPECT_EQ(model.where("web"), "n2");
  model.request("n2", "<cleanup resource='web' node='n1'/>");
  model.run(2000);
  EXPECT_EQ(model.where("web"), "n1");
  ASSERT_FALSE(model.node_of("n2").answers.empty());
  EXPECT_EQ(model.node_of("n2").answers.back().fault, Fault::none);
}

TEST(Controller, AStartThatFailsIsTriedElsewhere) {
  Model model({"n1", "n2"});
  model.boot("n1", configuration(dummy("web"), prefer_n1));
  model.boot("n2");
  model.node_of("n1").fail["web_start_0"] = 1;
  model.run(6000);
  EXPECT_EQ(model.where("web"), "n2");
  EXPECT_EQ(std::count(model.done.begin(), model.done.end(), "web_start_0@n1"), 1);
}

TEST(Controller, AStopThatFailsBlocksOrFences) {
  for (const bool fencing : {false, true}) {
    Model model({"n1", "n2"});
    model.boot("n1", configuration(dummy("web"), prefer_n1, fencing));
    model.boot("n2");
    model.run(5000);
    model.node_of("n1").fail["web_stop_0"] = 1;
    model.request("n1", "<attribute node='n1' name='standby' value='on' lifetime='reboot'/>");
    model.run(5000);
    EXPECT_EQ(model.where("web"), fencing ? "n2" : "n1");
    EXPECT_EQ(model.fencings, fencing ? 1 : 0);
  }
}

TEST(Controller, ANodeLeavesWhenItIsEmpty) {
  Model model({"n1", "n2"});
  model.boot("n1", configuration(dummy("web"), prefer_n1, true));
  model.boot("n2");
  model.run(5000);
  model.shut_down("n1");
  model.run(5000);
  EXPECT_FALSE(model.node_of("n1").up);
  EXPECT_EQ(model.where("web"), "n2");
  EXPECT_EQ(model.coordinators(), "n2");
  EXPECT_EQ(model.fencings, 0);
  EXPECT_EQ(std::count(model.done.begin(), model.done.end(), "web_stop_0@n1"), 1);
}

TEST(Controller, TheNewerConfigurationWins) {
  Model model({"n1", "n2"});
  model.boot("n1", configuration(dummy("old"), {}, false, 3));
  model.boot("n2", configuration(dummy("web"), {}, false, 7));
  model.run(6000);
  EXPECT_FALSE(model.where("web").empty());
  EXPECT_TRUE(model.where("old").empty());
  EXPECT_NE(model.node_of("n1").disk.find("id=\"web\""), std::string::npos);
}

TEST(Controller, ChangesAreStoredAndOlderOnesRefused) {
  Model model({"n1", "n2"});
  model.boot("n1", configuration(dummy("web")));
  model.boot("n2");
  model.run(5000);
  const std::int64_t epoch = version(model, "n1").epoch;
  // From a node that does not coordinate, twice from the same state.
  const std::string fresh =
      "<edit kind='replace'>" +
      configuration(dummy("web") + dummy("two"), {}, false, static_cast<int>(epoch)) + "</edit>";
  model.request("n2", fresh);
  model.request("n2", fresh);
  model.run(3000);
  const auto& answers = model.node_of("n2").answers;
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].fault, Fault::none);
  EXPECT_EQ(answers[1].fault, Fault::incompatible);
  EXPECT_EQ(version(model, "n2").epoch, epoch + 1);
  EXPECT_FALSE(model.where("two").empty());
  EXPECT_NE(model.node_of("n1").disk.find("id=\"two\""), std::string::npos);
  EXPECT_NE(model.node_of("n2").disk.find("id=\"two\""), std::string::npos);
}

TEST(Controller, AfterAPartitionOnePlansAndOneRuns) {
  Model model({"n1", "n2"});
  model.boot("n1", configuration(dummy("web"), prefer_n1));
  model.boot("n2");
  model.run(5000);
  model.cut("n1", "n2");
  model.run(5000);
  EXPECT_EQ(model.coordinators(), "n1 n2");
  EXPECT_EQ(model.where("web"), "n1 n2");  // without fencing nobody can know better
  model.mend();
  model.run(8000);
  EXPECT_EQ(model.coordinators().size(), 2U);
  EXPECT_EQ(model.where("web"), "n1");
}

TEST(Controller, OfThreeTheOneAloneStops) {
  Model model({"n1", "n2", "n3"});
  model.boot("n1", configuration(dummy("web"), prefer_n1));
  model.boot("n2");
  model.boot("n3");
  model.run(6000);
  ASSERT_EQ(model.where("web"), "n1");
  model.cut("n1", "n2");
  model.cut("n1", "n3");
  model.run(5000);
  EXPECT_EQ(model.where("web").find("n1"), std::string::npos);
  EXPECT_FALSE(model.where("web").empty());
}

TEST(Controller, PromotionFollowsTheScores) {
  Model model({"n1", "n2"});
  const std::string clone = "<clone id='ms'><meta_attributes id='ms-m'>" +
                            pair("promotable", "true") + pair("notify", "true") +
                            "</meta_attributes>" + dummy("disk") + "</clone>";
  const std::string with =
      "<rsc_colocation id='c' rsc='web' with-rsc='ms' with-rsc-role='Master' "
      "score='INFINITY'/><rsc_order id='o' first='ms' first-action='promote' "
      "then='web' then-action='start'/>";
  model.boot("n1", configuration(clone + dummy("web"), with));
  model.boot("n2");
  model.run(5000);
  EXPECT_EQ(model.where("disk"), "n1 n2");
  EXPECT_EQ(model.promoted("disk"), "");
  model.request("n2", "<attribute node='n2' name='master-disk' value='100' lifetime='reboot'/>");
  model.request("n1", "<attribute node='n1' name='master-disk' value='5' lifetime='reboot'/>");
  model.run(3000);
  EXPECT_EQ(model.promoted("disk"), "n2");
  EXPECT_EQ(model.where("web"), "n2");
  EXPECT_EQ(std::count(model.done.begin(), model.done.end(), "disk_post_notify_promote_0@n1"), 1);
  model.kill("n2");
  model.run(3000);
  EXPECT_EQ(model.promoted("disk"), "n1");
  EXPECT_EQ(model.where("web"), "n1");
}

// Crashes, cuts, failures and moves in random order: with fencing that works, a resource is never
// active twice (H1), and in the end it runs.
TEST(Controller, NeverTwice) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    Model model({"n1", "n2", "n3"}, seed);
    model.random_times = true;
    model.audit = [&] {
      ASSERT_EQ(model.where("web").find(' '), std::string::npos);
      ASSERT_EQ(model.where("db").find(' '), std::string::npos);
    };
    replicator::Prng random(seed * 77);
    const std::vector<std::string> names{"n1", "n2", "n3"};
    model.boot("n1", configuration(dummy("web") + dummy("db"), prefer_n1, true));
    model.boot("n2");
    model.boot("n3");
    model.run(4000);
    for (int i = 0; i < 12; ++i) {
      const std::string& one = names[random.next() % 3];
      const std::string& other = names[random.next() % 3];
      const bool up = model.node_of(one).up;
      switch (random.next() % 6) {
        case 0:
          if (up) model.kill(one);
          break;
        case 1:
          if (one != other && up && model.node_of(other).up) model.cut(one, other);
          break;
        case 2:
          if (up) model.monitor_fails(one, "web");
          break;
        case 3:
          if (up) model.shut_down(one);
          break;
        case 4: model.mend(); break;
        default:
          if (!up) model.boot(one);
          break;
      }
      model.run(static_cast<int>(random.next() % 1500));
    }
    model.mend();
    model.run(3000);
    for (const std::string& name : names) {
      if (!model.node_of(name).up) model.boot(name);
    }
    model.run(40000);
    EXPECT_FALSE(model.where("web").empty());
    EXPECT_FALSE(model.where("db").empty());
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace ha::controller
