// The configuration as XML, for programs: the elements and their order are those of `drbdadm
// dump-xml` of DRBD 8.4, with DRBD 9's for connections that are written down.
#pragma once

#include <string>

#include "config/dump.hpp"

namespace replicator::config {

std::string dump_xml(const Config& config, const std::vector<LocalResource>& locals,
                     DumpStyle style = DumpStyle::as_written);
std::string dump_xml_resource(const LocalResource& local, DumpStyle style);

}  // namespace replicator::config
