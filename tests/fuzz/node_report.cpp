// Whatever is handed to `pollux explain` as the other node's report, as a line of the journal, or
// by what pretends to be the daemon: a value or a fault, the same value again after encoding it,
// and comparisons that hold for any pair of them.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "control/explanation_json.hpp"
#include "control/node_report_json.hpp"
#include "pollux/split_brain_text.hpp"

namespace {

using namespace replicator;

void require(bool holds) {
  if (!holds) std::abort();
}

void report(std::string_view text) {
  const Result<NodeReport> decoded = control::decode_report(text);
  if (!decoded) return;
  const Result<NodeReport> again = control::decode_report(control::encode_report(*decoded));
  require(again && *again == *decoded);
  const pollux::NodeComparison alone = pollux::compare_nodes(*decoded, nullptr);
  const pollux::NodeComparison both = pollux::compare_nodes(*decoded, &*decoded);
  for (const pollux::VolumeComparison& volume : both.volumes) {
    require(pollux::kib_of(volume.on_both, volume.size_kib) <= volume.size_kib);
    require(volume.if_mine_goes.copied_kib <= volume.size_kib);
  }
  require(!pollux::in_words(alone, 3).empty() && !pollux::as_json(both).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  report(text);
  const Result<GenerationNote> note = control::decode_note(text);
  if (note) {
    const Result<GenerationNote> again = control::decode_note(control::encode_note(*note));
    require(again && *again == *note);
  }
  const Result<BitmapRuns> runs = control::decode_runs(text);
  if (runs) require(control::decode_runs(control::encode_runs(*runs)).has_value());
  const auto explanation = control::decode_explanation(text);
  if (explanation) {
    const auto again = control::decode_explanation(control::encode_explanation(*explanation));
    require(again && *again == *explanation);
  }
  return 0;
}
