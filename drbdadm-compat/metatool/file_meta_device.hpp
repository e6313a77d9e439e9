// A block device, or a regular file, opened so that nobody else uses it meanwhile: a mounted file
// system, a device-mapper table and a running daemon hold the same claim.
#pragma once

#include <memory>
#include <string>

#include "metatool/meta_device.hpp"

namespace replicator::metatool {

struct OpenRequest {
  std::string path;
  bool accept_file = false;  // a regular file will do
  bool share = false;        // read only, whoever else uses it
};

// Fault::unsupported: neither a block device nor an accepted file. Fault::busy: in use.
// Fault::io_error with errno: anything else.
Result<std::unique_ptr<MetaDevice>> open_meta_device(const OpenRequest& request);

}  // namespace replicator::metatool
