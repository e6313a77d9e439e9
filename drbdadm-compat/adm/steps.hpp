// Which steps a verb consists of, for one resource or volume of the configuration
// (docs/operations.md#drbdadm). Pure: nothing is asked or done here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adm/step.hpp"
#include "config/resolve.hpp"
#include "control/messages.hpp"

namespace replicator::adm {

using Locals = std::vector<config::LocalResource>;

// Options of a section as `--name=value`, in the order of the file; `resync-after` becomes a minor.
std::vector<std::string> option_words(const config::Section& section, const Locals& all);
// The same as the control protocol has them.
control::OptionMap option_map(const config::Section& section, const Locals& all);

Step new_resource_step(const config::LocalResource& resource, const Locals& all);
Step new_minor_step(const config::LocalResource& resource, const config::LocalVolume& volume);
Step attach_step(const config::LocalVolume& volume, const Locals& all);
Step connect_step(const config::LocalResource& resource, const Locals& all);
Step disconnect_step(const config::LocalResource& resource);
Step disk_options_step(const config::LocalVolume& volume, const Locals& all);
Step net_options_step(const config::LocalResource& resource, const Locals& all);
Step resource_options_step(const config::LocalResource& resource, const Locals& all);
// The configured size, or without one all that the disks offer; then the meta data, which may have
// moved, is noted at its new place.
std::vector<Step> resize_steps(const config::LocalVolume& volume);
// wait-connect and wait-sync with the timeouts of the startup section.
Step wait_step(std::string_view command, const config::LocalResource& resource,
               const config::LocalVolume& volume);

// `drbdsetup COMMAND MINOR` and `drbdmeta MINOR v08 META_DEV INDEX COMMAND`.
Step minor_step(std::string_view command, const config::LocalVolume& volume);
Step metadata_step(std::string_view command, const config::LocalVolume& volume);

// "ipv4:10.0.0.1:7789", as drbdsetup wants it.
std::string address_word(const config::Address& address);

}  // namespace replicator::adm
