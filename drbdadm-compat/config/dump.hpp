// Canonical text of a configuration: parses again and gives the same text. Letter for letter what
// drbdadm of DRBD 8.4 prints, apart from what docs/operations.md#drbdadm lists.
#pragma once

#include <array>
#include <string>

#include "config/model.hpp"
#include "config/resolve.hpp"

namespace replicator::config {

enum class DumpStyle : std::uint8_t {
  as_written,
  inherited  // a resource's sections with what they take from `common`
};

// The whole configuration. `locals` are its resources on `node`.
std::string dump(const Config& config, const std::vector<LocalResource>& locals,
                 const std::string& node, DumpStyle style = DumpStyle::as_written);
std::string dump_resource(const LocalResource& local, const std::string& node, DumpStyle style);
// A resource's sections in that style.
Sections shown_sections(const LocalResource& local, DumpStyle style);

struct NamedSection {
  const char* word;
  OptionSection kind;
};
// In the order in which they are shown.
inline constexpr std::array<NamedSection, 5> shown_order{{{"options", OptionSection::resource},
                                                          {"net", OptionSection::net},
                                                          {"disk", OptionSection::disk},
                                                          {"startup", OptionSection::startup},
                                                          {"handlers", OptionSection::handlers}}};

// A value as it stands in drbd.conf: quoted when it must be.
std::string quoted(const std::string& value);

}  // namespace replicator::config
