// One side of a possible split brain as JSON text and back: what the daemon tells `pollux explain`,
// what `--export` writes and `--peer` reads, and the lines of the generation journal. Decoding is
// total: any bytes give a value or Fault::malformed. Normative: docs/split-brain.md.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "engine/node_report.hpp"

namespace replicator::control {

// An export of a peer is a file that somebody carried here.
inline constexpr std::size_t max_report_bytes = std::size_t{256} << 20U;
// Of one reply, so that neither the daemon nor the line becomes too long.
inline constexpr std::size_t max_runs_per_reply = 10'000;

std::string encode_report(const NodeReport& report);
Result<NodeReport> decode_report(std::string_view text);

std::string encode_runs(const BitmapRuns& page);
Result<BitmapRuns> decode_runs(std::string_view text);

// Without a newline.
std::string encode_note(const GenerationNote& note);
Result<GenerationNote> decode_note(std::string_view line);

// Sixteen capital hexadecimal digits, as drbdadm show-gi has them.
std::string generation_text(std::uint64_t generation);

}  // namespace replicator::control
