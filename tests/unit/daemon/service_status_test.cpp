// The line that a service manager shows: how many, how many of them are connected and Primary.
#include "daemon/service_status.hpp"

#include <gtest/gtest.h>

namespace replicator {
namespace {

ResourceStatus resource(ConnectionState connection, Role role, std::uint64_t out_of_sync_kib) {
  ResourceStatus status;
  for (int volume = 0; volume < 2; ++volume) {
    VolumeStatus& each = status.volumes.emplace_back();
    each.state.connection = connection;
    each.state.role = role;
    each.out_of_sync_kib = out_of_sync_kib;
  }
  return status;
}

TEST(ServiceStatus, CountsResources) {
  EXPECT_EQ(service_status({}), "no resources");
  EXPECT_EQ(service_status({resource(ConnectionState::wf_connection, Role::secondary, 0)}),
            "1 resource: 0 connected, 0 Primary; 0 KiB out of sync");
  EXPECT_EQ(service_status({resource(ConnectionState::connected, Role::primary, 4),
                            resource(ConnectionState::sync_target, Role::secondary, 6),
                            resource(ConnectionState::stand_alone, Role::secondary, 0)}),
            "3 resources: 2 connected, 1 Primary; 20 KiB out of sync");
  EXPECT_EQ(service_status({ResourceStatus()}),
            "1 resource: 0 connected, 0 Primary; 0 KiB out of sync");
}

}  // namespace
}  // namespace replicator
