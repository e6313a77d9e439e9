// Reports and notes survive the way through text, and nothing else is taken for one.
#include "control/node_report_json.hpp"

#include <gtest/gtest.h>

namespace replicator::control {
namespace {

GenerationNote sample_note() {
  GenerationNote note;
  note.time = WallTime(1'700'000'000'123);
  note.cause = GenerationCause::split_brain_found;
  note.before = {0xFFFFFFFFFFFFFFFFULL, 2, {3, 4}};
  note.after = {5, 6, {7, 8}};
  note.role = Role::primary;
  note.connected = true;
  note.dirty_blocks = 17;
  note.peer = PeerAccount{WallTime(1'700'000'000'000), {9, 10, {11, 12}}, 99, true};
  return note;
}

NodeReport sample_report() {
  NodeReport report;
  report.node = "alfa";
  report.resource = "r0";
  report.peer_name = "bravo";
  report.time = WallTime(1'700'000'001'000);
  report.running = true;
  VolumeReport volume;
  volume.volume = 3;
  volume.minor = 7;
  volume.size_kib = 4001;
  volume.state.role = Role::secondary;
  volume.state.connection = ConnectionState::stand_alone;
  volume.state.disk = DiskState::up_to_date;
  volume.state.peer_disk = DiskState::d_unknown;
  volume.has_meta_data = true;
  volume.crashed_primary = true;
  volume.generations = {0x4B2F8211054A45BAULL, 1, {2, 4}};
  volume.marked_blocks = 3;
  volume.undo = {true, 8U << 20U, 1234};
  volume.marked = {{0, 1}, {5, 2}, {1000, 1}};
  volume.journal = {sample_note()};
  volume.told = PeerAccount{WallTime(1), {1, 2, {3, 4}}, 5, false};
  report.volumes = {volume, VolumeReport()};
  return report;
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
}

TEST(node_report_json, survives_the_round_trip) {
  const NodeReport report = sample_report();
  const std::string text = encode_report(report);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const Result<NodeReport> again = decode_report(text);
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, report);
  const Result<GenerationNote> note = decode_note(encode_note(sample_note()));
  ASSERT_TRUE(note);
  EXPECT_EQ(*note, sample_note());
  const BitmapRuns page{{{1, 2}, {9, 1}}, 10};
  const Result<BitmapRuns> same = decode_runs(encode_runs(page));
  ASSERT_TRUE(same);
  EXPECT_EQ(same->runs, page.runs);
  EXPECT_EQ(same->next, 10U);
}

TEST(node_report_json, is_written_in_words_of_people) {
  const std::string text = encode_report(sample_report());
  for (const char* part :
       {R"("format":"pollux split-brain report")", R"("connection":"StandAlone")",
        R"("disk":"UpToDate")", R"("generations":["4B2F8211054A45BA","0000000000000001")",
        R"("marked":[[0,1],[5,2],[1000,1]])", R"("time":"2023-11-14T22:13:21.000Z")",
        R"("what":"split brain found")"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
}

TEST(node_report_json, what_is_wrong_is_refused) {
  struct Row {
    const char* from;
    const char* to;
  };
  const Row rows[] = {
      {"pollux split-brain report", "something else"},
      {R"("version":1)", R"("version":2)"},
      {R"("node":"alfa")", R"("node":7)"},
      {"2023-11-14T22:13:21.000Z", "2023-11-31T22:13:21.000Z"},
      {"4B2F8211054A45BA", "4B2F8211054A45B"},
      {"4B2F8211054A45BA", "4B2F8211054A45BX"},
      {"StandAlone", "Standing"},
      {"[5,2]", "[1,2]"},        // touches the one before
      {"[5,2]", "[5,0]"},        // nothing
      {"[1000,1]", "[1001,1]"},  // beyond the end
      {"[1000,1]", "[1000,2]"},  // reaches beyond it
      {"[1000,1]", "[1000,18446744073709551615]"},
      {"[1000,1]", "[-1,1]"},
      {"[1000,1]", "[1000]"},
      {"split brain found", "split brain lost"},
      {R"("size-kib":4001)", R"("size-kib":18446744073709551615)"},
  };
  for (const Row& row : rows) {
    std::string text = encode_report(sample_report());
    replace(text, row.from, row.to);
    EXPECT_FALSE(decode_report(text)) << row.to;
  }
  const std::string text = encode_report(sample_report());
  for (std::size_t length = 0; length < text.size(); length += 7)
    EXPECT_FALSE(decode_report(text.substr(0, length)));
  EXPECT_FALSE(decode_note(""));
  EXPECT_FALSE(decode_note("{}"));
  EXPECT_FALSE(decode_runs("[]"));
}

}  // namespace
}  // namespace replicator::control
