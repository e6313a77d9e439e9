// Changes of a configuration, as cibadmin asks for them: pure functions from one tree to another.
//   H17  a change is whole or refused; whoever worked on an older version is refused
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ha/config/cib.hpp"

namespace ha::config {

enum class EditKind : std::uint8_t { replace, create, modify, remove };

struct Edit {
  EditKind kind = EditKind::replace;
  std::string scope;          // a section ("resources"); empty: what the content's name says
  Element content;            // the object, the section or the whole
  bool allow_create = false;  // of modify: what is not there is made
};

// What a fresh cluster begins with; any other configuration is newer.
[[nodiscard]] Element empty_cib();

// The tree with the change made. The status stays unless the scope is the status itself. The
// version is raised: num_updates by a change of the status, else epoch.
// Faults: exists (an object to be created), not_found (to be modified, or the section), malformed,
// incompatible (a whole configuration that is older than the present one).
[[nodiscard]] replicator::Result<Element> apply(const Element& root, const Edit& edit);

// The section of that name in the tree: "cib", "configuration", "status" or one of the
// configuration's. Null when there is none.
[[nodiscard]] Element* section_of(Element& root, std::string_view name) noexcept;

void set_version(Element& root, const Version& version);
[[nodiscard]] Version version_of(const Element& root) noexcept;

// The set of name-value pairs that owner keeps under that element name, made with that id when it
// has none; and one pair of it. An absent value takes the pair away.
Element& pairs_of(Element& owner, std::string_view set_name, std::string_view set_id);
void set_pair(Element& set, std::string_view name, const std::string* value);
[[nodiscard]] const std::string* find_pair(const Element& owner, std::string_view set_name,
                                           std::string_view name) noexcept;

}  // namespace ha::config
