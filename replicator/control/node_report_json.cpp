#include "control/node_report_json.hpp"

#include <fmt/core.h>

#include <charconv>
#include <utility>

#include "control/json_values.hpp"

namespace replicator::control {

namespace {

constexpr const char* format_name = "pollux split-brain report";
constexpr std::uint64_t format_version = 1;
constexpr std::uint64_t most_volumes = 65'536;
// What a device can have at most, far beyond the 1 PiB that the meta data allows.
constexpr std::uint64_t most_blocks = 1ULL << 40U;

// By its name, so that people can read it too. The enumerators are dense from 0 to `last`.
template <class E>
E read_name(ObjectReader& reader, const char* member, std::uint8_t last) {
  const std::string word = reader.text(member);
  for (std::uint8_t value = 0; value <= last; ++value) {
    if (word == name(static_cast<E>(value))) return static_cast<E>(value);
  }
  reader.reject();
  return E{};
}

Role read_role(ObjectReader& reader, const char* member) {
  return read_name<Role>(reader, member, 2);
}

std::uint64_t read_generation(const Json& item, bool& sound) {
  std::uint64_t value = 0;
  const std::string digits = item.is_string() ? item.get<std::string>() : std::string();
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() != 16 || error != std::errc() || end != digits.data() + digits.size()) {
    sound = false;
  }
  return value;
}

Json generations_json(const GenerationSet& set) {
  return Json::array({generation_text(set.current), generation_text(set.bitmap),
                      generation_text(set.history[0]), generation_text(set.history[1])});
}

GenerationSet read_generations(ObjectReader& reader, const char* member) {
  GenerationSet set;
  const Json& list = reader.array(member);
  if (list.size() != 4) {
    reader.reject();
    return set;
  }
  bool sound = true;
  set.current = read_generation(list[0], sound);
  set.bitmap = read_generation(list[1], sound);
  set.history[0] = read_generation(list[2], sound);
  set.history[1] = read_generation(list[3], sound);
  if (!sound) reader.reject();
  return set;
}

WallTime read_time(ObjectReader& reader, const char* member) {
  const std::optional<WallTime> time = parse_iso(reader.text(member));
  if (time) return *time;
  reader.reject();
  return {};
}

Json account_json(const PeerAccount& account) {
  return {{"time", iso_text(account.time)},
          {"generations", generations_json(account.generations)},
          {"marked-blocks", account.dirty_blocks},
          {"crashed-primary", account.crashed_primary}};
}

PeerAccount read_account(ObjectReader reader) {
  PeerAccount account;
  account.time = read_time(reader, "time");
  account.generations = read_generations(reader, "generations");
  account.dirty_blocks = reader.number("marked-blocks");
  account.crashed_primary = reader.flag("crashed-primary");
  return account;
}

Json note_json(const GenerationNote& note) {
  Json json = {{"time", iso_text(note.time)},
               {"what", text(note.cause)},
               {"before", generations_json(note.before)},
               {"after", generations_json(note.after)},
               {"role", std::string(name(note.role))},
               {"connected", note.connected},
               {"marked-blocks", note.dirty_blocks}};
  if (note.peer) json["peer"] = account_json(*note.peer);
  return json;
}

GenerationNote read_note(ObjectReader reader) {
  GenerationNote note;
  note.time = read_time(reader, "time");
  const std::optional<GenerationCause> cause = parse_cause(reader.text("what"));
  if (cause) note.cause = *cause;
  else reader.reject();
  note.before = read_generations(reader, "before");
  note.after = read_generations(reader, "after");
  note.role = read_role(reader, "role");
  note.connected = reader.flag("connected");
  note.dirty_blocks = reader.number("marked-blocks");
  if (reader.has("peer")) note.peer = read_account(reader.object("peer"));
  return note;
}

Json runs_json(const std::vector<BlockRun>& runs) {
  Json list = Json::array();
  for (const BlockRun& run : runs)
    list.push_back(Json::array({run.first, run.count}));
  return list;
}

// Ascending, apart from each other, below the end.
std::vector<BlockRun> read_runs(ObjectReader& reader, const char* member, std::uint64_t blocks) {
  std::vector<BlockRun> runs;
  std::uint64_t free_from = 0;
  for (const Json& item : reader.array(member)) {
    const bool pair = item.is_array() && item.size() == 2 && item[0].is_number_unsigned() &&
                      item[1].is_number_unsigned();
    BlockRun run;
    if (pair) run = BlockRun{item[0].get<std::uint64_t>(), item[1].get<std::uint64_t>()};
    if (!pair || run.first < free_from || run.count == 0 || run.first >= blocks ||
        run.count > blocks - run.first) {
      reader.reject();
      return {};
    }
    runs.push_back(run);
    free_from = run.end() + 1;
  }
  return runs;
}

Json volume_json(const VolumeReport& volume) {
  Json journal = Json::array();
  for (const GenerationNote& note : volume.journal)
    journal.push_back(note_json(note));
  Json json = {{"volume", volume.volume},
               {"minor", volume.minor},
               {"size-kib", volume.size_kib},
               {"role", std::string(name(volume.state.role))},
               {"connection", std::string(name(volume.state.connection))},
               {"disk", std::string(name(volume.state.disk))},
               {"peer-disk", std::string(name(volume.state.peer_disk))},
               {"has-meta-data", volume.has_meta_data},
               {"crashed-primary", volume.crashed_primary},
               {"generations", generations_json(volume.generations)},
               {"marked-blocks", volume.marked_blocks},
               {"undo", volume.undo.on},
               {"undo-max-kib", volume.undo.max_kib},
               {"undo-room-kib", volume.undo.room_kib},
               {"marked", runs_json(volume.marked)},
               {"journal", std::move(journal)}};
  if (volume.told) json["peer-told"] = account_json(*volume.told);
  return json;
}

VolumeReport read_volume(ObjectReader reader) {
  VolumeReport volume;
  volume.volume = reader.number32("volume");
  volume.minor = reader.number32("minor");
  volume.size_kib = reader.number("size-kib", most_blocks * 4);
  volume.state.role = read_role(reader, "role");
  volume.state.connection = read_name<ConnectionState>(reader, "connection", 23);
  volume.state.disk = read_name<DiskState>(reader, "disk", 8);
  volume.state.peer_disk = read_name<DiskState>(reader, "peer-disk", 8);
  volume.has_meta_data = reader.flag("has-meta-data");
  volume.crashed_primary = reader.flag("crashed-primary");
  volume.generations = read_generations(reader, "generations");
  volume.marked_blocks = reader.number("marked-blocks", most_blocks);
  volume.undo.on = reader.flag("undo");
  volume.undo.max_kib = reader.number("undo-max-kib");
  volume.undo.room_kib = reader.number("undo-room-kib");
  volume.marked = read_runs(reader, "marked", ceil_div(volume.size_kib, 4));
  for (const Json& item : reader.array("journal"))
    volume.journal.push_back(read_note(reader.nested(item)));
  if (reader.has("peer-told")) volume.told = read_account(reader.object("peer-told"));
  return volume;
}

template <class T>
Result<T> sound_or_malformed(bool sound, T value, const char* what) {
  if (!sound) return failure(Fault::malformed, what);
  return value;
}

}  // namespace

std::string generation_text(std::uint64_t generation) { return fmt::format("{:016X}", generation); }

std::string encode_report(const NodeReport& report) {
  Json volumes = Json::array();
  for (const VolumeReport& volume : report.volumes)
    volumes.push_back(volume_json(volume));
  return dump_json({{"format", format_name},
                    {"version", format_version},
                    {"node", report.node},
                    {"resource", report.resource},
                    {"peer-name", report.peer_name},
                    {"time", iso_text(report.time)},
                    {"running", report.running},
                    {"volumes", std::move(volumes)}});
}

Result<NodeReport> decode_report(std::string_view bytes) {
  if (bytes.size() > max_report_bytes) return failure(Fault::out_of_range, "report too long");
  const Json json = parse_json(bytes);
  bool sound = true;
  ObjectReader reader(json, sound);
  if (reader.text("format") != format_name || reader.number("version") != format_version) {
    return failure(Fault::malformed, "not a report of 'pollux explain split-brain --export'");
  }
  NodeReport report;
  report.node = reader.text("node");
  report.resource = reader.text("resource");
  report.peer_name = reader.text("peer-name");
  report.time = read_time(reader, "time");
  report.running = reader.flag("running");
  const Json& volumes = reader.array("volumes");
  if (volumes.size() > most_volumes) reader.reject();
  for (const Json& item : volumes) {
    if (!sound) break;
    report.volumes.push_back(read_volume(reader.nested(item)));
  }
  return sound_or_malformed(sound, std::move(report), "damaged report");
}

std::string encode_runs(const BitmapRuns& page) {
  return dump_json({{"next", page.next}, {"marked", runs_json(page.runs)}});
}

Result<BitmapRuns> decode_runs(std::string_view bytes) {
  const Json json = parse_json(bytes);
  bool sound = true;
  ObjectReader reader(json, sound);
  BitmapRuns page;
  page.next = reader.number("next", most_blocks);
  page.runs = read_runs(reader, "marked", most_blocks);
  return sound_or_malformed(sound, std::move(page), "damaged list of ranges");
}

std::string encode_note(const GenerationNote& note) { return dump_json(note_json(note)); }

Result<GenerationNote> decode_note(std::string_view line) {
  const Json json = parse_json(line);
  bool sound = true;
  GenerationNote note = read_note(ObjectReader(json, sound));
  return sound_or_malformed(sound, std::move(note), "damaged line");
}

}  // namespace replicator::control
