#include <utility>

#include "control/json_values.hpp"
#include "control/node_report_json.hpp"
#include "pollux/split_brain_text.hpp"

namespace replicator::pollux {

namespace {

using control::Json;

Json time_json(WallTime time) { return time.known() ? Json(iso_text(time)) : Json(); }

Json ranges_json(const Runs& runs, std::uint64_t size_kib) {
  Json list = Json::array();
  for (const BlockRun& run : runs) {
    list.push_back({{"sector", run.first * sectors_per_block},
                    {"byte", run.first * block_bytes},
                    {"kib", kib_of(run, size_kib)}});
  }
  return list;
}

Json generations_json(const GenerationSet& set) {
  return {{"current", control::generation_text(set.current)},
          {"bitmap", control::generation_text(set.bitmap)},
          {"history",
           {control::generation_text(set.history[0]), control::generation_text(set.history[1])}}};
}

Json side_json(const Side& side, std::uint64_t size_kib) {
  Json json = {{"node", side.node},
               {"reported", side.reported},
               {"as-of", time_json(side.as_of)},
               {"generations", generations_json(side.generations)},
               {"crashed-primary", side.crashed_primary},
               {"connection-lost", time_json(side.connection_lost)},
               {"went-on-alone", time_json(side.went_on_alone)},
               {"because", side.because ? Json(text(*side.because)) : Json()},
               {"changed-kib", side.changed_kib}};
  if (!side.reported) return json;
  json["role"] = std::string(name(side.state.role));
  json["connection"] = std::string(name(side.state.connection));
  json["disk"] = std::string(name(side.state.disk));
  json["changed"] = ranges_json(side.changed, size_kib);
  return json;
}

Json price_json(const Price& price) {
  Json json = {{"lost-kib", price.lost_kib},
               {"copied-kib", price.copied_kib},
               {"copied-exactly", price.copied_exactly}};
  if (!price.undo_known) return json;
  json["undo"] = price.undo;
  json["kept-kib-max"] = price.kept_kib;
  return json;
}

Json volume_json(const VolumeComparison& volume) {
  Json json = {
      {"volume", volume.volume},
      {"minor", volume.minor},
      {"size-kib", volume.size_kib},
      {"verdict", text(volume.verdict)},
      {"rule", volume.rule},
      {"ancestor", volume.ancestor ? Json(control::generation_text(*volume.ancestor)) : Json()},
      {"mine", side_json(volume.mine, volume.size_kib)}};
  if (volume.theirs) json["theirs"] = side_json(*volume.theirs, volume.size_kib);
  if (volume.theirs && volume.theirs->reported) {
    json["on-both-kib"] = kib_of(volume.on_both, volume.size_kib);
    json["on-both"] = ranges_json(volume.on_both, volume.size_kib);
  }
  if (is_split_brain(volume.verdict)) {
    json["if-mine-goes"] = price_json(volume.if_mine_goes);
    json["if-theirs-goes"] = price_json(volume.if_theirs_goes);
  }
  if (volume.past) {
    json["last-split-brain"] = {{"found", time_json(volume.past->found)},
                                {"solved", time_json(volume.past->solved)},
                                {"by-hand", volume.past->by_hand},
                                {"lost-here", volume.past->lost_here}};
  }
  return json;
}

Json steps_json(const std::vector<Step>& steps) {
  Json list = Json::array();
  for (const Step& step : steps)
    list.push_back({{"node", step.node}, {"command", step.command}, {"remark", step.remark}});
  return list;
}

}  // namespace

std::string as_json(const NodeComparison& all) {
  Json volumes = Json::array();
  for (const VolumeComparison& volume : all.volumes)
    volumes.push_back(volume_json(volume));
  return control::dump_json({{"resource", all.resource},
                             {"mine", all.mine},
                             {"theirs", all.theirs},
                             {"verdict", text(overall(all))},
                             {"split-brain", is_split_brain(overall(all))},
                             {"volumes", std::move(volumes)},
                             {"commands-if-mine-goes", steps_json(all.mine_goes)},
                             {"commands-if-theirs-goes", steps_json(all.theirs_goes)}});
}

}  // namespace replicator::pollux
