// drbdadm's surroundings in memory: notes which steps were run and answers as told.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "adm/drbdadm.hpp"
#include "adm/step.hpp"
#include "tests/support/memory_files.hpp"

namespace replicator::test {

class RecordingTools final : public adm::Tools {
 public:
  MemoryFiles memory;
  config::HostFacts facts{"alfa", {"127.0.0.1", "10.77.0.1"}};
  std::vector<control::ResourceShow> shown;
  std::vector<ResourceStatus> states;
  std::map<std::string, metatool::DiskFacts> disks;  // by path
  std::map<std::string, int> codes;                  // by the text of a step; 0 otherwise
  std::string start_problem;
  std::vector<std::string> ran;
  unsigned starts = 0;
  bool devices_left = false;
  std::vector<std::string> handlers;                             // commands that were run
  std::vector<std::pair<std::string, std::string>> environment;  // of the last one
  int handler_code = 0;
  std::map<std::string, std::string> remembered;

  int drbdsetup(std::span<const std::string> arguments) override {
    return note(adm::Tool::drbdsetup, arguments);
  }
  int drbdmeta(std::span<const std::string> arguments) override {
    return note(adm::Tool::drbdmeta, arguments);
  }
  std::string start_daemon() override {
    ++starts;
    return start_problem;
  }
  bool devices_wait() override { return devices_left; }
  std::vector<control::ResourceShow> running() override { return shown; }
  std::vector<ResourceStatus> status() override { return states; }
  metatool::DiskFacts look_at_disk(const config::LocalVolume& volume) override {
    return disks[volume.disk];
  }
  config::HostFacts host() override { return facts; }
  config::Files& files() override { return memory; }
  int run_handler(const std::string& command,
                  const std::vector<std::pair<std::string, std::string>>& told) override {
    handlers.push_back(command);
    environment.assign(told.begin(), told.end());
    return handler_code;
  }
  void remember_config(const std::string& object, const std::string& path) override {
    remembered[object] = path;
  }
  std::string remembered_config(const std::string& object) override {
    const auto found = remembered.find(object);
    return found == remembered.end() ? std::string() : found->second;
  }
  std::string random_identifier() override { return "0123456789ABCDEF"; }
  // Waits end after so many pauses.
  int begin_wait(std::span<const std::string> arguments) override {
    note(adm::Tool::drbdsetup, arguments);
    return ++waits;
  }
  bool wait_ended(int /*handle*/) override { return pauses >= pauses_of_a_wait; }
  void end_wait(int handle) override { ended.push_back(handle); }
  bool terminal() override { return has_terminal; }
  std::string line_or_pause(unsigned /*milliseconds*/) override {
    ++pauses;
    const auto found = typed.find(pauses);
    return found == typed.end() ? std::string() : found->second;
  }
  int waits = 0;
  unsigned pauses = 0;
  unsigned pauses_of_a_wait = 0;
  std::vector<int> ended;
  bool has_terminal = false;
  std::map<unsigned, std::string> typed;  // by the number of pauses before

 private:
  int note(adm::Tool tool, std::span<const std::string> arguments) {
    adm::Step step{tool, {arguments.begin(), arguments.end()}};
    ran.push_back(adm::text(step));
    const auto found = codes.find(ran.back());
    return found == codes.end() ? 0 : found->second;
  }
};

// One run of drbdadm, with what it printed.
struct AdmRun {
  int code = 0;
  std::string out;
  std::string err;
};

inline AdmRun run_adm(RecordingTools& tools, const std::vector<std::string>& words) {
  char* out = nullptr;
  char* err = nullptr;
  std::size_t out_size = 0;
  std::size_t err_size = 0;
  adm::Console console;
  console.out = ::open_memstream(&out, &out_size);
  console.err = ::open_memstream(&err, &err_size);
  AdmRun run;
  run.code = adm::run_drbdadm(words, tools, console);
  std::fclose(console.out);
  std::fclose(console.err);
  run.out.assign(out, out_size);
  run.err.assign(err, err_size);
  std::free(out);
  std::free(err);
  return run;
}

}  // namespace replicator::test
