// Clusters of two or three nodes for tests of the planner, and what it plans for them as text.
#pragma once

#include <set>
#include <string>

#include "ha/policy/plan.hpp"

namespace ha::policy {

struct SmallCluster {
  std::string options = "<nvpair id='o1' name='stonith-enabled' value='false'/>";
  std::string resources;
  std::string constraints;
  std::string defaults;       // rsc_defaults
  std::string history[3];     // of node1 to node3: lrm_resource elements
  std::string attributes[3];  // permanent, as nvpairs
  std::string transient[3];   // for as long as the node runs
  bool online[3] = {true, true, true};
  bool lost[3] = {false, false, false};  // it was a member and is gone
  int nodes = 2;
  bool quorum = true;
  Seconds now = 1'000'000;

  [[nodiscard]] std::string text() const {
    std::string cib =
        std::string("<cib crm_feature_set='3.16.1' have-quorum='") + (quorum ? "1" : "0") +
        "'><configuration><crm_config><cluster_property_set id='cib-bootstrap-options'>" + options +
        "</cluster_property_set></crm_config><nodes>";
    std::string states;
    for (int i = 0; i < nodes; ++i) {
      const std::string number = std::to_string(i + 1);
      cib += "<node id='" + number + "' uname='node" + number + "'><instance_attributes id='a" +
             number + "'>" + attributes[i] + "</instance_attributes></node>";
      const bool here = online[i] && !lost[i];
      states += "<node_state id='" + number + "' uname='node" + number + "' in_ccm='" +
                (here ? "true" : "false") + "' crmd='" + (here ? "online" : "offline") +
                "' join='" + (here ? "member" : "down") + "' expected='" +
                (online[i] ? "member" : "down") + "'><transient_attributes id='" + number +
                "'><instance_attributes id='t" + number + "'>" + transient[i] +
                "</instance_attributes></transient_attributes><lrm id='" + number +
                "'><lrm_resources>" + history[i] + "</lrm_resources></lrm></node_state>";
    }
    return cib + "</nodes><resources>" + resources + "</resources><constraints>" + constraints +
           "</constraints><rsc_defaults><meta_attributes id='d'>" + defaults +
           "</meta_attributes></rsc_defaults></configuration><status>" + states + "</status></cib>";
  }

  // What is done, as "start ip node1"; probes and marks left out.
  [[nodiscard]] std::set<std::string> plan() const {
    const auto cib = config::Cib::parse(text());
    if (!cib) return {"not a configuration"};
    const auto cluster = make_plan(*cib, now);
    std::set<std::string> done;
    for (const Action* action : cluster->plan) {
      const bool probe = action->task == "monitor" && action->interval == 0;
      if (action->is(act::pseudo) || probe) continue;
      std::string line = action->task;
      if (action->interval != 0) line += "=" + std::to_string(action->interval);
      if (action->resource != nullptr) line += " " + action->resource->id;
      if (action->node != nullptr) line += " " + action->node->name;
      done.insert(line);
    }
    return done;
  }
};

inline std::string primitive(const std::string& id, const std::string& meta = {},
                             const std::string& operations = {}) {
  return "<primitive id='" + id +
         "' class='ocf' provider='pacemaker' type='Dummy'><meta_attributes id='" + id + "-m'>" +
         meta + "</meta_attributes><operations>" + operations + "</operations></primitive>";
}

inline std::string pair(const std::string& name, const std::string& value) {
  return "<nvpair id='" + name + value + "' name='" + name + "' value='" + value + "'/>";
}

inline std::string operation(const std::string& id, const std::string& task,
                             const std::string& interval, const std::string& more = {}) {
  return "<op id='" + id + "' name='" + task + "' interval='" + interval + "' " + more + "/>";
}

inline std::string record(const std::string& resource, const std::string& task, int call,
                          int result, int expected = 0, int interval = 0, int status = 0) {
  const std::string number = std::to_string(call);
  const std::string key =
      number + ":1:" + std::to_string(expected) + ":00000000-0000-0000-0000-000000000000";
  const bool failed = result != expected;
  // Nothing has changed since: the parameters are none, and the timeout is the default.
  const std::string digest =
      md5(interval == 0 ? " <parameters/>\n" : " <parameters CRM_meta_timeout=\"20000\"/>\n");
  const std::string milliseconds = std::to_string(interval);
  const std::string id =
      failed ? resource + "_last_failure_0"
             : (interval == 0 ? resource + "_last_0" : resource + "_" + task + "_" + milliseconds);
  return "<lrm_rsc_op id='" + id + "' operation_key='" + resource + "_" + task + "_" +
         milliseconds + "' operation='" + task + "' transition-key='" + key +
         "' transition-magic='" + std::to_string(status) + ":" + std::to_string(result) + ";" +
         key + "' call-id='" + number + "' rc-code='" + std::to_string(result) + "' op-status='" +
         std::to_string(status) + "' interval='" + milliseconds +
         "' last-rc-change='999000' op-digest='" + digest + "'/>";
}

inline std::string history(const std::string& resource, const std::string& records) {
  return "<lrm_resource id='" + resource + "' class='ocf' provider='pacemaker' type='Dummy'>" +
         records + "</lrm_resource>";
}

inline std::string started(const std::string& resource) {
  return history(resource, record(resource, "start", 2, 0));
}
inline std::string stopped(const std::string& resource) {
  return history(resource, record(resource, "monitor", 1, 7, 7));
}

using Steps = std::set<std::string>;

}  // namespace ha::policy
