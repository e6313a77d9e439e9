// The difference between the configuration and what runs, as the steps that remove it
// (docs/operations.md#adjust). Pure. Data stay available where that is possible: options are
// changed in place, a disk is detached and a connection cut only when they themselves are different
// ones.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "adm/steps.hpp"
#include "control/status_json.hpp"

namespace replicator::adm {

struct AdjustOptions {
  bool skip_disk = false;
  bool skip_net = false;
};

// What must be done for all resources before the next is begun for any: a disk that waits for
// another resource's (resync-after) finds its device, a number or an address that moves from one
// resource to another is free.
enum class Stage : std::uint8_t {
  release,      // connections to cut, disks and devices to give back
  create,       // resources, and what holds for all of one
  devices,      // minors
  disks,        // options and sizes of disks that stay
  attach,       // disks
  net_options,  // of connections that stay
  connect
};
inline constexpr std::array all_stages{Stage::release, Stage::create, Stage::devices,
                                       Stage::disks,   Stage::attach, Stage::net_options,
                                       Stage::connect};

// `reasons` says why, one line for each difference (`drbdadm -vvv adjust`).
struct Adjustment {
  std::array<std::vector<Step>, all_stages.size()> stages;
  std::vector<std::string> reasons;

  std::vector<Step>& of(Stage stage) noexcept { return stages[static_cast<std::size_t>(stage)]; }
  [[nodiscard]] const std::vector<Step>& of(Stage stage) const noexcept {
    return stages[static_cast<std::size_t>(stage)];
  }
};

// `running` is null when the resource is not up.
Adjustment adjust(const config::LocalResource& wanted, const Locals& all,
                  const control::ResourceShow* running, AdjustOptions options = {});

}  // namespace replicator::adm
