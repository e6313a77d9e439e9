// Campaigns: many seeds in a few processes. A history that ends its process (ensure, sanitizer,
// endless loop) is one failed seed, not the end of the campaign. Failed seeds are run again with
// the flight recorder on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/sim/history.hpp"

namespace replicator::sim {

struct CampaignOptions {
  std::uint64_t seeds = 200;
  std::uint64_t first = 1;
  std::optional<Subject> subject;  // of all of them
  std::uint32_t jobs = 2;
  bool trace = false;
  bool keep_going = false;  // else a campaign ends after five failures
};

// Exit statuses as in main.cpp.
int run_campaign(const CampaignOptions& options);
int run_one(const CampaignOptions& options, const std::string& sabotage);
int check_determinism(std::uint64_t first, std::uint64_t seeds);
int run_sabotage(const std::string& name, const CampaignOptions& options);
int replay_file(const std::string& path);

}  // namespace replicator::sim
