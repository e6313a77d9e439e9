// The commands of a cluster with a CIB: each reads its words and says its exit code. They are
// Pacemaker's, as far as agents and scripts use them.
#pragma once

#include <string>
#include <vector>

namespace ha::cli {

using Arguments = std::vector<std::string>;

int cibadmin(const Arguments& arguments);       // cibadmin.cpp
int crm_attribute(const Arguments& arguments);  // attributes.cpp
int crm_master(const Arguments& arguments);
int attrd_updater(const Arguments& arguments);
int crm_node(const Arguments& arguments);  // cluster.cpp
int crm_resource(const Arguments& arguments);
int crmadmin(const Arguments& arguments);
int meatclient(const Arguments& arguments);
int stonith_admin(const Arguments& arguments);

}  // namespace ha::cli
