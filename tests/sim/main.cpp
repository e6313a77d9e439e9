// The simulation program: runs seeds, in up to a few processes, and says which failed and how to
// replay them.
//   tests/sim --seeds N [--first S] [--jobs J]   a campaign
//   … --kind one-volume|volumes|two-primaries|split-brain|ha   of one kind only, whatever the seed
//   tests/sim --seed S [--trace]                 one history, with its events
//   tests/sim --determinism N                    each seed twice: equal trace hashes
//   tests/sim --sabotage NAME|all [--seeds N]    the mistake must be caught within N seeds
//   tests/sim --replay FILE                      the seeds of a regressions file
// Exit status: 0 fine, 10 safety, 11 liveness, 12 crash or ensure, 13 simulator error, 14
// sanitizer, 15 an error line nobody expected, 16 not deterministic, 17 a sabotage survived, 18 a
// required mark was not reached.
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/sim/campaign.hpp"

namespace {

int usage() {
  std::fprintf(stderr,
               "usage: sim --seeds N [--first S] [--jobs J] [--kind K] | --seed S [--trace] | "
               "--determinism N | --sabotage NAME|all [--seeds N] | --replay FILE\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace replicator::sim;
  // Every history takes and frees the same memory: keep it.
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  CampaignOptions options;
  bool one_seed = false;
  std::string sabotage;
  std::string replay;
  std::uint64_t determinism = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto number = [&]() -> std::uint64_t {
      return ++i < argc ? std::strtoull(argv[i], nullptr, 0) : 0;
    };
    if (word == "--seeds") {
      options.seeds = number();
    } else if (word == "--first") {
      options.first = number();
    } else if (word == "--kind" && i + 1 < argc) {
      options.subject = subject_by_name(argv[++i]);
      if (!options.subject) return usage();
    } else if (word == "--jobs") {
      options.jobs = static_cast<std::uint32_t>(number());
    } else if (word == "--seed") {
      options.first = number();
      one_seed = true;
    } else if (word == "--trace") {
      options.trace = true;
    } else if (word == "--keep-going") {
      options.keep_going = true;
    } else if (word == "--determinism") {
      determinism = number();
    } else if (word == "--sabotage" && i + 1 < argc) {
      sabotage = argv[++i];
    } else if (word == "--replay" && i + 1 < argc) {
      replay = argv[++i];
    } else {
      return usage();
    }
  }
  if (!replay.empty()) return replay_file(replay);
  if (determinism != 0) return check_determinism(options.first, determinism);
  if (!sabotage.empty() && !one_seed) return run_sabotage(sabotage, options);
  if (one_seed) return run_one(options, sabotage);
  return run_campaign(options);
}
