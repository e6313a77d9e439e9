// Does a host answer at all? Tells a dead machine or cable from a port that a firewall blocks.
#pragma once

#include <cstdint>

#include "io/address.hpp"

namespace replicator::pollux {

enum class Echo : std::uint8_t { unknown, answers, silent };

// One ICMP echo, once repeated; `unknown` when this process may not ask. Blocks for at most twice
// the patience.
Echo ask_for_echo(const io::Address& host, int patience_ms);

}  // namespace replicator::pollux
