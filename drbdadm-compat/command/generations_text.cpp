#include "command/generations_text.hpp"

#include <fmt/format.h>

namespace replicator::command {

std::string get_gi_text(const control::GenerationShow& shown) {
  const auto& id = shown.generations;
  return fmt::format("{:016X}:{:016X}:{:016X}:{:016X}:{:d}:{:d}:{:d}:{:d}:{:d}:{:d}:{:d}\n", id[0],
                     id[1], id[2], id[3], shown.consistent, shown.was_up_to_date, shown.primary,
                     shown.connected, shown.full_sync, shown.peer_outdated, shown.crashed_primary);
}

std::string under_legend(const std::string& line) {
  return "\n"
         "       +--<  Current data generation UUID  >-\n"
         "       |               +--<  Bitmap's base data generation UUID  >-\n"
         "       |               |                 +--<  younger history UUID  >-\n"
         "       |               |                 |         +-<  older history  >-\n"
         "       V               V                 V         V\n" +
         line +
         "\n"
         "                                                                    ^ ^ ^ ^ ^ ^ ^\n"
         "                                      -<  Data consistency flag  >--+ | | | | | |\n"
         "                             -<  Data was/is currently up-to-date  >--+ | | | | |\n"
         "                                  -<  Node was/is currently primary  >--+ | | | |\n"
         "                                  -<  Node was/is currently connected  >--+ | | |\n"
         "         -<  Node was in the progress of setting all bits in the bitmap  >--+ | |\n"
         "                        -<  The peer's disk was out-dated or inconsistent  >--+ |\n"
         "      -<  This node was a crashed primary, and has not seen its peer since   >--+\n"
         "\n";
}

std::string show_gi_text(const control::GenerationShow& shown) {
  std::string line = get_gi_text(shown);
  line.pop_back();
  return under_legend(line);
}

}  // namespace replicator::command
