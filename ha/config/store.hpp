// The configuration on disk: one file that is whole or not there, and the last good ones beside it.
//   H17  written to a new file, synced, renamed, the folder synced: a crash at any point leaves
//        the old or the new configuration; a full disk leaves the old one
// Each file ends with an XML comment that has the MD5 of what is in front of it. A file without the
// comment was written by hand and counts; one whose comment is wrong is damaged, and the newest
// good one of the older ones is used.
//   cib.xml    the present configuration, without the status
//   cib-N.xml  the last ten before it
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "ha/config/element.hpp"

namespace ha::config {

inline constexpr int kept_configurations = 10;

struct LoadedCib {
  std::optional<Element> root;
  std::vector<std::string> remarks;  // for the log: what could not be used, and why
};

// These block: they are for a helper thread, or for the start of the program.
[[nodiscard]] LoadedCib load_cib(const std::string& folder);
[[nodiscard]] replicator::Status store_cib(const std::string& folder, const std::string& text);

// What store_cib writes: the tree without its status, and the sum.
[[nodiscard]] std::string stored_text(const Element& root);
// The tree of such a text. Fault::malformed: damaged, or no configuration.
[[nodiscard]] replicator::Result<Element> parse_stored(std::string_view text);

}  // namespace ha::config
