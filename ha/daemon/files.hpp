// What the failover manager reads and keeps in files: its configuration, and who this node is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ha/haresources/config.hpp"
#include "ha/membership/auth_keys.hpp"
#include "ha/membership/ha_cf.hpp"
#include "ha/words.hpp"

namespace ha::daemon {

struct Configuration {
  std::string own_node;
  membership::HaCf cf;
  membership::AuthKeys keys;
  std::vector<haresources::Group> groups;
  bool by_cib = false;                  // a CIB says what runs where, not haresources
  membership::Diagnostics diagnostics;  // with an error the rest is not to be used
};

// ha.cf, authkeys and haresources of that folder. A CIB rules where ha.cf says "crm yes", and where
// there is one and no haresources.
Configuration load(const std::string& folder, const std::string& cib_folder);

// The authkeys file alone, if it is new since `changed` (a time in nanoseconds, which follows).
bool authkeys_changed(const std::string& folder, std::int64_t& changed);
membership::AuthKeysFile load_auth_keys(const std::string& folder);

struct Identity {
  std::string uuid;  // 16 bytes
  std::uint64_t generation = 0;
};
// From hb_uuid and hb_generation in that folder, which are made when they are missing; the
// generation is one more than the last one, and on disk before it is used.
Result<Identity> load_identity(const std::string& folder);
Status store_generation(const std::string& folder, std::uint64_t generation);

// Nothing when it can't be read; a megabyte at most.
std::optional<std::string> read_text_file(const std::string& path);

std::string own_node_name();
// Of this machine, IPv4, numeric.
std::vector<std::string> own_addresses();

}  // namespace ha::daemon
