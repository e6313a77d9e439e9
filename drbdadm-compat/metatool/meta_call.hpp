// A drbdmeta command line, understood: which command, on what, with which checked options.
//   P1  every word is checked here; nothing behind it sees text from outside
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metadata/layout.hpp"
#include "metadata/meta_disk_index.hpp"

namespace replicator::metatool {

enum class MetaAction : std::uint8_t {
  get_gi,
  show_gi,
  dump_md,
  restore_md,
  verify_dump,
  apply_al,
  wipe_md,
  outdate,
  invalidate,
  dstate,
  check_resize,
  create_md,
  set_gi,
  read_dev_uuid,
  write_dev_uuid
};

struct MetaCommand {
  std::string_view name;
  MetaAction action;
  unsigned arguments = 0;
  bool writes = true;
  std::string_view usage = {};  // behind the name
  bool listed = true;           // in the usage text
};

// Only v08 is written; of the others there is a dump.
enum class MetaFormat : std::uint8_t { v07, v08, v09 };

struct MetaCall {
  const MetaCommand* command = nullptr;
  MetaFormat format = MetaFormat::v08;
  std::optional<std::uint32_t> minor;  // none: "-"
  std::string device;                  // as given
  std::string meta_device;
  MetaDiskIndex index;
  std::string index_word;  // as given
  std::vector<std::string> arguments;
  bool force = false;
  bool ignore_sanity_checks = false;
  std::uint32_t peer_max_bio_bytes = 0;
  AlStripes stripes;

  std::string warning;  // not empty: for standard error, then go on
  std::string problem;  // not empty: for standard error, then end with `exit_code`
  bool show_usage = false;
  int exit_code = 0;
};

std::span<const MetaCommand> meta_commands() noexcept;
MetaCall parse_meta_call(std::span<const std::string> arguments);
// USAGE, FORMATS and COMMANDS, as the original lists them.
std::string usage_text();

// "128", "128k", "1M" (units of 1024) in units of `unit` bytes when nothing else is said; bytes.
std::optional<std::uint64_t> parse_size(std::string_view text, std::uint64_t unit) noexcept;

}  // namespace replicator::metatool
