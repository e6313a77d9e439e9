// What agents are told, and what their answers mean.
#include "ha/executor/agents.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace ha::executor {
namespace {

using policy::Execution;

bool yes(const std::string&) { return true; }
bool no(const std::string&) { return false; }

Operation operation(const std::string& standard, const std::string& task) {
  Operation made;
  made.resource = "web";
  made.standard = standard;
  made.provider = standard == "ocf" ? "heartbeat" : "";
  made.type = "apache";
  made.task = task;
  made.timeout = 1500;
  made.parameters = {{"port", "80"},
                     {"OCF_CHECK_LEVEL", "10"},
                     {"CRM_meta_timeout", "1500"},
                     {"1", "first"},
                     {"2", "second"}};
  return made;
}

bool tells(const ScriptCall& call, const std::string& line) {
  return std::find(call.environment.begin(), call.environment.end(), line) !=
         call.environment.end();
}

TEST(Agents, OcfIsToldByEnvironmentAlone) {
  const auto call = agent_call(operation("ocf", "monitor"), AgentFolders(), yes);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->path, "/usr/lib/ocf/resource.d/heartbeat/apache");
  EXPECT_EQ(call->arguments, std::vector<std::string>{"monitor"});
  EXPECT_EQ(call->deadline, Duration::milliseconds(1500));
  for (const char* line : {"OCF_RESKEY_port=80", "OCF_CHECK_LEVEL=10", "OCF_ROOT=/usr/lib/ocf",
                           "OCF_RESKEY_CRM_meta_timeout=1500", "OCF_RESOURCE_INSTANCE=web",
                           "OCF_RESOURCE_TYPE=apache", "OCF_RESOURCE_PROVIDER=heartbeat",
                           "OCF_RA_VERSION_MAJOR=1", "OCF_EXIT_REASON_PREFIX=ocf-exit-reason:"}) {
    EXPECT_TRUE(tells(*call, line)) << line;
  }
}

TEST(Agents, OtherClassesHaveTheirOwnWords) {
  auto call = agent_call(operation("lsb", "monitor"), AgentFolders(), yes);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->path + " " + call->arguments[0], "/etc/init.d/apache status");
  call = agent_call(operation("systemd", "monitor"), AgentFolders(), yes);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->arguments, (std::vector<std::string>{"is-active", "apache"}));
  call = agent_call(operation("heartbeat", "start"), AgentFolders(), yes);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->arguments, (std::vector<std::string>{"first", "second", "start"}));
}

TEST(Agents, WhatIsNotThereIsSaid) {
  EXPECT_FALSE(agent_call(operation("ocf", "start"), AgentFolders(), no));
  Operation outside = operation("ocf", "start");
  outside.type = "../../../bin/sh";
  EXPECT_FALSE(agent_call(outside, AgentFolders(), yes));
  const Outcome outcome = no_agent(operation("ocf", "monitor"));
  EXPECT_EQ(outcome.result, 5);
  EXPECT_EQ(outcome.execution, Execution::not_installed);
}

Outcome ended(const std::string& standard, const std::string& task, int code,
              const std::string& output = {}, bool timed_out = false) {
  return agent_outcome(operation(standard, task), {code, timed_out, output});
}

TEST(Agents, Outcomes) {
  EXPECT_EQ(ended("ocf", "monitor", 8).result, 8);
  EXPECT_EQ(ended("ocf", "start", 6).execution, Execution::done);
  EXPECT_EQ(ended("ocf", "monitor", 190).result, 190);
  EXPECT_EQ(ended("ocf", "start", 137).execution, Execution::error);
  EXPECT_EQ(ended("ocf", "start", 137, "", true).execution, Execution::timed_out);
  EXPECT_EQ(ended("ocf", "start", 137, "", true).result, 1);
  EXPECT_EQ(ended("lsb", "monitor", 3).result, 7);
  EXPECT_EQ(ended("lsb", "monitor", 1).result, 7);
  EXPECT_EQ(ended("lsb", "monitor", 4).result, 1);
  EXPECT_EQ(ended("lsb", "stop", 0).result, 0);
  EXPECT_EQ(ended("heartbeat", "monitor", 0, "running\n").result, 0);
  EXPECT_EQ(ended("heartbeat", "monitor", 0, "stopped\n").result, 7);
}

TEST(Agents, TheLastReasonIsKept) {
  EXPECT_EQ(ended("ocf", "start", 1, "x\nocf-exit-reason:one\nocf-exit-reason:no disk\ny\n").reason,
            "no disk");
}

}  // namespace
}  // namespace ha::executor
