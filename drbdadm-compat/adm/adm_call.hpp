// A drbdadm command line, understood (docs/operations.md#drbdadm): general options, the verb,
// options for the low-level command (before the verb behind `--` as DRBD 8.3 wanted them, or behind
// it), targets.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace replicator::adm {

struct AdmCall {
  std::string verb;
  std::vector<std::string> targets;
  std::vector<std::string> passed;    // options for drbdsetup or drbdmeta, as they were given
  std::vector<std::string> verbatim;  // -W: the same, not looked at
  std::string config_file;            // empty: the usual places
  std::string config_to_test;
  std::string peer;      // -P
  std::string variable;  // -n
  bool dry_run = false;
  bool plan = false;
  unsigned verbose = 0;
  bool help = false;
  bool version = false;

  std::string problem;  // not empty: for standard error, and exit with `problem_code`
  int problem_code = 0;
};

AdmCall parse_adm_call(std::span<const std::string> words);

// What a target names: RES, RES/VNR, minor-N.
struct TargetName {
  enum class Kind : std::uint8_t { resource, volume, minor } kind = Kind::resource;
  std::string resource;
  std::uint32_t number = 0;  // of the volume, or the minor
};
TargetName parse_target(std::string_view word);

}  // namespace replicator::adm
