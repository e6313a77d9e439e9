// The haresources file: one line for a group of resources, with the node that is to have it. The
// first resource names the group.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ha/membership/diagnostic.hpp"

namespace ha::haresources {

struct Resource {
  std::string word;    // as written, "IPaddr::" in front of a bare address
  std::string script;  // "Filesystem"
  std::vector<std::string> arguments;

  bool operator==(const Resource&) const = default;
};

struct Group {
  std::string node;  // the preferred one, lower case
  std::vector<Resource> resources;
  std::uint32_t line = 0;

  [[nodiscard]] const std::string& name() const noexcept { return resources.front().word; }
  // "node1 IPaddr::10.0.0.1 httpd", as it is logged.
  [[nodiscard]] std::string text() const;
  bool operator==(const Group&) const = default;
};

struct ResourcesFile {
  std::vector<Group> groups;
  membership::Diagnostics diagnostics;
};

ResourcesFile parse_haresources(std::string_view file, std::string_view path,
                                const std::vector<std::string>& nodes);

// A script's `status` is judged by what it prints, never by its exit code.
bool says_running(std::string_view output);

}  // namespace ha::haresources
