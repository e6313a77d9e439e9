// Reads the files that the tls options of `net` name, once, when a connection is configured.
#pragma once

#include <optional>
#include <string>

#include "engine/config.hpp"

namespace replicator {

// Fills options.tls_context, or says what is wrong, with the option and the file. Without `tls yes`
// nothing is read. `peer_name`: its certificate bears this name or its address.
std::optional<std::string> load_tls(NetOptions& options, const PeerConfig& peer,
                                    const std::string& peer_name);

}  // namespace replicator
