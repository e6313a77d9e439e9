// Where configuration text comes from; a seam, so that parsing needs no files.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace replicator::config {

class Files {
 public:
  virtual ~Files() = default;
  // Fault::not_found, Fault::unsupported (a directory), Fault::out_of_range (unreasonably large),
  // Fault::io_error.
  virtual Result<std::string> read(const std::string& path) = 0;
  // Names that match a shell pattern, sorted.
  virtual std::vector<std::string> glob(const std::string& pattern) = 0;
  // The one name of a file that may be reached by several.
  virtual std::string resolve(const std::string& path) = 0;
};

// The file system; "-" is standard input.
class RealFiles : public Files {
 public:
  Result<std::string> read(const std::string& path) override;
  std::vector<std::string> glob(const std::string& pattern) override;
  std::string resolve(const std::string& path) override;
};

}  // namespace replicator::config
