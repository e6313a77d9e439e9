// A deadline for a whole answer. That of a Stream's send() may begin again with each piece that the
// other end takes, so that one who takes a little now and then keeps a server's place for ever.
#pragma once

#include <cstdint>
#include <span>

#include "io/io.hpp"
#include "io/task.hpp"

namespace replicator::io {

// The result of the send; when it takes longer than that, the stream is shut down.
Task<std::int32_t> send_within(Clock& clock, Stream& stream, std::span<const IoSlice> slices,
                               Duration patience);

}  // namespace replicator::io
