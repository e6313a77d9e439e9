// Whole screens of drbdmon as text.
#include "monitor/frame.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "monitor/pages.hpp"

namespace replicator::monitor {
namespace {

Model empty() {
  Model model;
  model.node = "alfa";
  model.complete = true;
  return model;
}

void add(Model& model, const std::string& name, const char* connection = "Connected",
         const char* disk = "UpToDate") {
  Resource& resource = model.resources[name];
  resource.values = {{"role", "Secondary"}, {"suspended", "no"}};
  resource.volumes[0] = {{"disk", disk}, {"minor", "0"}, {"size", "98264"}};
  Connection& peer = resource.connections["bravo"];
  const bool connected = std::string_view(connection) == "Connected";
  peer.values = {{"connection", connection}, {"role", connected ? "Primary" : "Unknown"}};
  peer.volumes[0] = {{"replication", connected ? "Established" : "Off"},
                     {"peer-disk", connected ? "UpToDate" : "DUnknown"}};
}

void start_resync(Model& model, const std::string& name) {
  model.resources[name].volumes[0]["disk"] = "Inconsistent";
  Values& peer = model.resources[name].connections["bravo"].volumes[0];
  peer["replication"] = "SyncTarget";
  peer["done"] = "45.20";
  peer["dbdt1"] = "30.12";
  peer["eta"] = "3725";
  peer["resync-suspended"] = "no";
}

std::string picture(const Model& model, const View& view, Size size) {
  const std::vector<Line> lines = frame(model, view, size, "12:34:56");
  EXPECT_EQ(lines.size(), size.height);
  for (const Line& line : lines) {
    std::size_t length = 0;
    for (const Span& span : line)
      length += span.text.size();
    EXPECT_LE(length, size.width);
  }
  return text_of(lines);
}

TEST(MonitorFrame, Usual) {
  Model model = empty();
  add(model, "r0");
  add(model, "r1");
  start_resync(model, "r1");
  add(model, "r2", "Connecting");
  model.events.push_back({"12:00:01", "r2 connection Connected->Connecting"});
  EXPECT_EQ(picture(model, {}, {80, 16}),
            R"( drbdmon alfa  3 resources  ! 1  % 1                                   12:34:56
  resource          role                connection     disk
> r0                Secondary/Primary   Connected      UpToDate/UpToDate
 %r1                Secondary/Primary   SyncTarget     Inconsistent/UpToDate
    [==================>.....................]  45.2%   30.1 MiB/s  1:02:05 left
 !r2                Secondary/Unknown   Connecting     UpToDate/DUnknown





  events
  12:00:01 r2 connection Connected->Connecting


q quit  h help  Enter details  o order  p primary  s secondary  c connect
)");
}

TEST(MonitorFrame, Narrow) {
  Model model = empty();
  add(model, "a-resource-with-a-long-name");
  add(model, "r1");
  start_resync(model, "r1");
  add(model, "r2", "Connecting");
  add(model, "r3", "Connected", "Diskless");
  EXPECT_EQ(picture(model, {}, {40, 10}), R"( drbdmon alfa  4 resources  ! 2  % 1
  resource     rol state
> a-resource-~ S/P UpToDate/UpToDate
 %r1           S/P SyncTarget
    [=>..] 45.2% 30.1 MiB/s 1:02:05 left
 !r2           S/U Connecting
 !r3           S/P Diskless/UpToDate


q quit  h help  Enter details  o order
)");
}

TEST(MonitorFrame, Wide) {
  Model model = empty();
  add(model, std::string(70, 'n'));
  add(model, "two");
  model.resources["two"].volumes[1] = {{"disk", "Failed"}, {"minor", "7"}};
  model.resources["two"].values["suspended"] = "user";
  const std::string text = picture(model, {}, {200, 60});
  EXPECT_NE(text.find("> " + std::string(63, 'n') + "~ Secondary/Primary   Connected      UpTo"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\n !two "), std::string::npos) << text;
  EXPECT_NE(text.find(" 2 volumes suspended:user\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\n    /0 minor 0 "), std::string::npos) << text;
  EXPECT_NE(text.find("\n !  /1 minor 7 "), std::string::npos) << text;
  EXPECT_NE(text.find(" Off            Failed/DUnknown\n"), std::string::npos) << text;
}

TEST(MonitorFrame, TheCursorIsInSightAmongMany) {
  Model model = empty();
  for (int i = 0; i < 100; ++i)
    add(model, fmt::format("r{:02}", i));
  for (const int chosen : {0, 1, 49, 98, 99}) {
    View view;
    view.selected = fmt::format("r{:02}", chosen);
    for (const Size size : {Size{40, 10}, Size{80, 24}, Size{200, 60}, Size{80, 4}}) {
      const std::string text = picture(model, view, size);
      EXPECT_NE(text.find("\n> " + view.selected), std::string::npos) << chosen << "\n" << text;
    }
  }
  View last;
  last.selected = "r99";
  EXPECT_EQ(picture(model, last, {40, 8}), R"( drbdmon alfa  100 resources   12:34:56
  resource     rol state
  r95          S/P UpToDate/UpToDate
  r96          S/P UpToDate/UpToDate
  r97          S/P UpToDate/UpToDate
  r98          S/P UpToDate/UpToDate
> r99          S/P UpToDate/UpToDate
q quit  h help  Enter details  o order
)");
}

TEST(MonitorFrame, NoResources) {
  EXPECT_EQ(picture(empty(), {}, {40, 6}), R"( drbdmon alfa  0 resources     12:34:56
  resource     rol state
  no resources are configured


q quit  h help  Enter details  o order
)");
}

TEST(MonitorFrame, NoDaemon) {
  Model model = empty();
  add(model, "r0");
  model = without_daemon(std::move(model), "the daemon does not answer; trying again", "12:34:55");
  EXPECT_EQ(picture(model, {}, {40, 6}), R"( drbdmon alfa                  12:34:56
  resource     rol state
  the daemon does not answer; trying
  again

q quit  h help  Enter details  o order
)");
}

TEST(MonitorFrame, AQuestionNamesTheCommandAndIsNeverCut) {
  Model model = empty();
  add(model, "r0");
  View view;
  view.mode = Mode::confirm;
  view.verb = "secondary";
  view.resource = "r0";
  EXPECT_EQ(picture(model, view, {40, 7}), R"( drbdmon alfa  1 resource      12:34:56
  resource     rol state
> r0           S/P UpToDate/UpToDate


drbdadm secondary r0: y runs it, any
other key does not
)");
  view.verb = "invalidate";
  view.typed = "ye";
  const std::string text = picture(model, view, {80, 7});
  EXPECT_NE(
      text.find("drbdadm invalidate r0: throws the data of this node away. Type yes and Enter, or\n"
                "Esc: ye_\n"),
      std::string::npos)
      << text;
}

TEST(MonitorFrame, TheOutcomeOfACommand) {
  View view;
  view.verb = "primary";
  view.resource = "r0";
  view = finished(view, "0: State change failed: (-1) Multiple primaries\n\x1b[2Jx\n", 11);
  EXPECT_EQ(picture(empty(), view, {60, 8}),
            R"( drbdmon alfa  0 resources                         12:34:56
  drbdadm primary r0
0: State change failed: (-1) Multiple primaries
?[2Jx
exit code 11


q back  j k scroll
)");
}

TEST(MonitorFrame, Details) {
  Model model = empty();
  add(model, "r1");
  start_resync(model, "r1");
  Resource& resource = model.resources["r1"];
  resource.values["write-ordering"] = "flush";
  resource.values["may_promote"] = "no";
  resource.connections["bravo"].path = {
      {"local", "ipv4:10.0.0.1:7788"}, {"peer", "ipv4:10.0.0.2:7788"}, {"established", "yes"}};
  resource.volumes[0]["backing_dev"] = "/dev/sdb";
  resource.volumes[0]["written"] = "2048";
  resource.connections["bravo"].volumes[0]["out-of-sync"] = "51200";
  View view;
  view.mode = Mode::details;
  view.selected = "r1";
  EXPECT_EQ(picture(model, view, {80, 14}),
            R"( drbdmon alfa  1 resource  % 1                                         12:34:56
  r1
role Secondary, suspended no, may be promoted: no, write-ordering flush
peer bravo: Connected, role Primary, ap-in-flight 0, rs-in-flight 0
  path ipv4:10.0.0.1:7788 - ipv4:10.0.0.2:7788, established: yes
volume 0: minor 0, 96.0 MiB, disk Inconsistent on /dev/sdb
  read 0 KiB, written 2.0 MiB, al-writes 0, bm-writes 0
  upper-pending 0, lower-pending 0, al-suspended no, blocked no
  peer: disk UpToDate, replication SyncTarget, resync-suspended no
  sent 0 KiB, received 0 KiB, out of sync 50.0 MiB, pending 0, unacked 0
  [==================>.......................]  45.2%   30.1 MiB/s  1:02:05 left


q back  j k scroll
)");
  model.resources.clear();
  EXPECT_NE(picture(model, view, {80, 14}).find("r1 is gone"), std::string::npos);
}

TEST(MonitorFrame, AnySizeWillDo) {
  Model model = empty();
  add(model, "r0");
  start_resync(model, "r0");
  for (const Mode mode :
       {Mode::list, Mode::details, Mode::help, Mode::confirm, Mode::running, Mode::result}) {
    View view;
    view.mode = mode;
    view.verb = "invalidate";
    view.resource = "r0";
    view.selected = "r0";
    for (std::size_t width = 1; width < 100; width += 3) {
      for (std::size_t height = 1; height < 30; height += 2)
        picture(model, view, {width, height});
    }
  }
}

TEST(MonitorFrame, OnceIsTheWholeListWithoutCursorAndKeys) {
  Model model = empty();
  add(model, "r0");
  for (int i = 10; i < 60; ++i)
    add(model, fmt::format("r{}", i));
  const std::string text = text_of(whole_list(model, {}, 80, "12:34:56"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 53);
  EXPECT_EQ(text.find('>'), std::string::npos);
  EXPECT_EQ(text.find("quit"), std::string::npos);
  EXPECT_NE(text.find("\n  r59 "), std::string::npos);
}

TEST(MonitorFrame, ProgressInWords) {
  Values peer = {{"done", "99.99"}, {"dbdt1", "0.00"}};
  EXPECT_EQ(text_of({progress_line(peer, 0, 60)}),
            "[=========================>] 99.9% 0.0 MiB/s no end in sight\n");
  peer["resync-suspended"] = "user,peer";
  EXPECT_EQ(text_of({progress_line(peer, 0, 20)}), " 99.9% 0.0 MiB/s paused (user,peer)\n");
}

TEST(MonitorLines, Amounts) {
  EXPECT_EQ(amount(0), "0 KiB");
  EXPECT_EQ(amount(1023), "1023 KiB");
  EXPECT_EQ(amount(1024), "1.0 MiB");
  EXPECT_EQ(amount(1ULL << 30U), "1.0 TiB");
  EXPECT_EQ(duration(0), "0:00:00");
  EXPECT_EQ(duration(359999), "99:59:59");
  EXPECT_EQ(bar(0, 6), "[>...]");
  EXPECT_EQ(bar(100, 6), "[====]");
  EXPECT_EQ(bar(1e9, 6), "[====]");
  EXPECT_EQ(bar(50, 2), "");
}

}  // namespace
}  // namespace replicator::monitor
