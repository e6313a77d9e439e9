// Configuration files that exist only in a test.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/files.hpp"

namespace replicator::test {

class MemoryFiles : public config::Files {
 public:
  std::map<std::string, std::string> files;

  Result<std::string> read(const std::string& path) override {
    const auto found = files.find(path);
    if (found == files.end()) return failure(Fault::not_found, "open");
    return found->second;
  }
  // A pattern here is PREFIX*SUFFIX or a plain name.
  std::vector<std::string> glob(const std::string& pattern) override {
    const std::size_t star = pattern.find('*');
    std::vector<std::string> names;
    for (const auto& [name, text] : files) {
      if (name == pattern ||
          (star != std::string::npos && name.starts_with(pattern.substr(0, star)) &&
           name.ends_with(pattern.substr(star + 1)))) {
        names.push_back(name);
      }
    }
    return names;
  }
  std::string resolve(const std::string& path) override { return path; }
};

}  // namespace replicator::test
