// Which fence devices there are, whom they reach, and how they are called.
#include "ha/fencing/devices.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "ha/policy/plan.hpp"

namespace ha::fencing {
namespace {

bool yes(const std::string&) { return true; }

std::string pair(const std::string& name, const std::string& value) {
  return "<nvpair id='" + name + "' name='" + name + "' value='" + value + "'/>";
}

config::Cib cib(const std::string& resources, const std::string& topology = {}) {
  return *config::Cib::parse(
      "<cib have-quorum='1'><configuration><crm_config/><nodes><node id='1' uname='n1'/>"
      "<node id='2' uname='n2'><instance_attributes id='a'>" +
      pair("rack", "7") + "</instance_attributes></node></nodes><resources>" + resources +
      "</resources><constraints/><fencing-topology>" + topology +
      "</fencing-topology></configuration><status/></cib>");
}

std::string device(const std::string& id, const std::string& parameters,
                   const std::string& type = "fence_x") {
  return "<primitive id='" + id + "' class='stonith' type='" + type +
         "'><instance_attributes id='" + id + "-a'>" + parameters +
         "</instance_attributes></primitive>";
}

Device made(Attributes options, Attributes parameters = {}, const std::string& type = "fence_x") {
  Device result;
  result.id = "st";
  result.type = type;
  result.options = std::move(options);
  result.parameters = std::move(parameters);
  return result;
}

TEST(FenceDevices, AreThoseOfTheConfiguration) {
  const config::Cib all =
      cib(device("low", pair("priority", "1") + pair("ipaddr", "10.0.0.1")) +
          device("high", pair("priority", "5") + pair("pcmk_host_list", "n1")) + "<clone id='c'>" +
          device("cloned", "", "null") + "</clone>" +
          "<primitive id='off' class='stonith' type='fence_x'><meta_attributes id='m'>" +
          pair("target-role", "Stopped") + "</meta_attributes></primitive>" +
          "<primitive id='web' class='ocf' provider='heartbeat' type='Dummy'/>");
  const auto cluster = policy::read_cluster(all, 1'000'000);
  const std::vector<Device> devices = devices_of(*cluster);
  ASSERT_EQ(devices.size(), 3U);
  EXPECT_EQ(devices[0].id, "high");
  EXPECT_TRUE(devices[0].parameters.empty());
  EXPECT_EQ(devices[0].options.count("pcmk_host_list"), 1U);
  EXPECT_EQ(devices[1].id, "low");
  EXPECT_EQ(devices[1].parameters.at("ipaddr"), "10.0.0.1");
  EXPECT_EQ(devices[2].id, "cloned");
}

TEST(FenceDevices, ReachWhomTheyList) {
  EXPECT_EQ(reach(made({{"pcmk_host_list", "n1,n2"}}), "n2"), Reach::yes);
  EXPECT_EQ(reach(made({{"pcmk_host_list", "n1 n3"}}), "n2"), Reach::no);
  EXPECT_EQ(reach(made({{"pcmk_host_map", "n1:4;n2:7"}}), "N2"), Reach::yes);
  EXPECT_EQ(reach(made({{"pcmk_host_map", "n1:4"}}), "n2"), Reach::no);
  EXPECT_EQ(reach(made({{"pcmk_host_check", "none"}}), "n2"), Reach::yes);
  EXPECT_EQ(reach(made({}), "n2"), Reach::ask);
  EXPECT_EQ(reach(made({}, {{"hostlist", "n1 n2"}}, "external/ssh"), "n2"), Reach::yes);
  EXPECT_EQ(reach(made({}, {{"hostlist", "n1"}}, "null"), "n2"), Reach::no);
  EXPECT_EQ(reach(made({}, {}, "null"), "n2"), Reach::yes);
  EXPECT_EQ(port_of(made({{"pcmk_host_map", "n1:4;n2:7"}}), "n2"), "7");
  EXPECT_EQ(port_of(made({}), "n2"), "n2");
  EXPECT_TRUE(lists("n1,alias\nn2,\n", "n2"));
  EXPECT_FALSE(lists("n1,alias\nn20,\n", "n2"));
}

TEST(FenceDevices, LevelsInTheirOrder) {
  const config::Cib all =
      cib("",
          "<fencing-level id='1' target='n1' index='2' devices='c'/>"
          "<fencing-level id='2' target='n1' index='1' devices='a,b'/>"
          "<fencing-level id='3' target-pattern='^n[0-9]$' index='3' devices='d'/>"
          "<fencing-level id='4' target-attribute='rack' target-value='7' index='1' devices='e'/>");
  const auto cluster = policy::read_cluster(all, 1'000'000);
  EXPECT_EQ(levels_of(*cluster, "n1"), (std::vector<Level>{{"a", "b"}, {"c"}, {"d"}}));
  EXPECT_EQ(levels_of(*cluster, "n2"), (std::vector<Level>{{"e"}, {"d"}}));
  EXPECT_TRUE(levels_of(*cluster, "other").empty());
}

TEST(FenceDevices, DelaysTimeoutsAttempts) {
  EXPECT_EQ(delay_of(made({{"pcmk_delay_base", "5s"}}), "n1").base, 5000);
  EXPECT_EQ(delay_of(made({{"pcmk_delay_base", "n1:5;n2:0"}}), "n1").base, 5000);
  EXPECT_EQ(delay_of(made({{"pcmk_delay_base", "n1:5;n2:0"}}), "n2").base, 0);
  EXPECT_EQ(delay_of(made({{"pcmk_delay_base", "2"}, {"pcmk_delay_max", "7"}}), "n1").spread, 5000);
  EXPECT_EQ(timeout_of(made({{"pcmk_reboot_timeout", "90s"}}), "reboot", 60'000), 90'000);
  EXPECT_EQ(timeout_of(made({{"pcmk_off_timeout", "90s"}}), "reboot", 60'000), 60'000);
  EXPECT_EQ(attempts_of(made({}), "reboot"), 2);
  EXPECT_EQ(attempts_of(made({{"pcmk_reboot_retries", "4"}}), "reboot"), 4);
}

TEST(FenceDevices, AgentsReadTheirOptions) {
  const auto call = fence_call(
      made({{"pcmk_host_map", "n2:7"}, {"pcmk_reboot_action", "off"}}, {{"ipaddr", "10.0.0.1"}}),
      "reboot", "n2", Folders(), yes);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->path, "/usr/sbin/fence_x");
  EXPECT_TRUE(call->arguments.empty());
  EXPECT_EQ(call->input, "ipaddr=10.0.0.1\naction=off\nnodename=n2\nport=7\n");
  const auto monitor = fence_call(made({}), "monitor", "", Folders(), yes);
  ASSERT_TRUE(monitor);
  EXPECT_EQ(monitor->input, "action=monitor\n");
  const auto none = fence_call(made({{"pcmk_host_argument", "none"}}), "off", "n2", Folders(), yes);
  EXPECT_EQ(none->input, "action=off\nnodename=n2\n");
}

TEST(FenceDevices, PluginsHaveArgumentsAndVariables) {
  const Device ssh = made({}, {{"hostlist", "n1 n2"}}, "external/ssh");
  const auto call = fence_call(ssh, "reboot", "n2", Folders(), yes);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->path, "/usr/lib/stonith/plugins/external/ssh");
  EXPECT_EQ(call->arguments, (std::vector<std::string>{"reset", "n2"}));
  EXPECT_NE(std::find(call->environment.begin(), call->environment.end(), "hostlist=n1 n2"),
            call->environment.end());
  EXPECT_EQ(fence_call(ssh, "list", "", Folders(), yes)->arguments[0], "gethosts");
  EXPECT_EQ(fence_call(ssh, "monitor", "", Folders(), yes)->arguments[0], "status");
  EXPECT_FALSE(fence_call(made({}, {}, "null"), "off", "n2", Folders(), yes));
  EXPECT_FALSE(fence_call(made({}, {}, "external/../../x"), "off", "n2", Folders(), yes));
}

TEST(FenceDevices, LinesOfHaCf) {
  const auto line = host_line("* external/ipmi n2 10.0.0.2 root a secret");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->host, "*");
  const Device device = device_of(*line, {"hostname", "ipaddr", "userid", "passwd"});
  EXPECT_EQ(device.type, "external/ipmi");
  EXPECT_EQ(device.parameters.at("ipaddr"), "10.0.0.2");
  EXPECT_EQ(device.parameters.at("passwd"), "a secret");
  const Device agent = device_of(*host_line("n1 fence_x ip=1.2.3.4 pcmk_host_list=n2"), {});
  EXPECT_EQ(agent.parameters.at("ip"), "1.2.3.4");
  EXPECT_EQ(agent.options.at("pcmk_host_list"), "n2");
  EXPECT_FALSE(host_line("n1"));
}

}  // namespace
}  // namespace ha::fencing
