// The one check of every packet's length, before anything of it is read (P1, P5): exact for most,
// bounded for those with a variable tail. Unknown packets and packets on the wrong socket are
// protocol errors.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "protocol/header.hpp"
#include "protocol/packet.hpp"

namespace replicator {

Status check_length(Packet command, Socket socket, std::uint32_t length, int agreed_version,
                    std::uint32_t agreed_features) noexcept;

}  // namespace replicator
