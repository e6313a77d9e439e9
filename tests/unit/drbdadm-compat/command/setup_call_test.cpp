// Command lines of drbdsetup, in 8.4's and 8.3's order: what is asked of the daemon, and what is
// refused before it is asked.
#include "command/setup_call.hpp"

#include <gtest/gtest.h>

#include <sstream>
#include <vector>

namespace replicator::command {
namespace {

std::vector<std::string> words(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> all;
  for (std::string word; in >> word;)
    all.push_back(word);
  return all;
}

SetupCall parse(const std::string& line) { return parse_setup_call(words(line)); }

struct Good {
  const char* line;
  control::Request request;
  const char* shown;
};

TEST(SetupCall, CommandLinesOfEveryKind) {
  const Good rows[] = {
      {"new-resource r0 --on-no-data-accessible=suspend-io",
       {"new-resource", "r0", {}, {{"on-no-data-accessible", "suspend-io"}}},
       "r0"},
      {"new-minor r0 7 1", {"new-minor", "r0", {"7", "1"}, {}}, "r0"},
      {"new-minor r0 /dev/drbd7 1", {"new-minor", "r0", {"7", "1"}, {}}, "r0"},
      {"attach 0 /dev/vdb /dev/vdb internal --resync-rate=10M",
       {"attach", "0", {"/dev/vdb", "/dev/vdb", "internal"}, {{"resync-rate", "10M"}}},
       "0"},
      {"attach /dev/drbd3 /dev/vdb /dev/vdc 2",
       {"attach", "3", {"/dev/vdb", "/dev/vdc", "2"}, {}},
       "3"},
      {"attach 0 a a internal --disk-flushes=no --disk-drain",
       {"attach", "0", {"a", "a", "internal"}, {{"disk-drain", "yes"}, {"disk-flushes", "no"}}},
       "0"},
      {"attach 0 a a internal --resync-rate 10M --resync-after -1",
       {"attach", "0", {"a", "a", "internal"}, {{"resync-after", "-1"}, {"resync-rate", "10M"}}},
       "0"},
      {"connect r0 ipv4:10.77.0.1:7789 10.77.0.2 --protocol=C --verify-alg=crc32c",
       {"connect",
        "r0",
        {"ipv4:10.77.0.1:7789", "ipv4:10.77.0.2:7788"},
        {{"protocol", "C"}, {"verify-alg", "crc32c"}}},
       "r0"},
      {"connect r0 ipv6:[fd00::1]:7789 [fd00::2]:7790 --discard-my-data --dry-run",
       {"connect",
        "r0",
        {"ipv6:[fd00::1]:7789", "ipv6:[fd00::2]:7790"},
        {{"discard-my-data", "yes"}, {"tentative", "yes"}}},
       "r0"},
      {"disconnect r0 --force", {"disconnect", "r0", {}, {{"force", "yes"}}}, "r0"},
      {"disconnect web.example", {"disconnect", "web.example", {}, {}}, "web.example"},
      {"disconnect ipv4:10.77.0.1:7789 ipv4:10.77.0.2:7789",
       {"disconnect", "", {"ipv4:10.77.0.1:7789", "ipv4:10.77.0.2:7789"}, {}},
       "??"},
      {"net-options 10.77.0.1:7789 10.77.0.2:7789 --set-defaults --timeout=30",
       {"net-options",
        "",
        {"ipv4:10.77.0.1:7789", "ipv4:10.77.0.2:7789"},
        {{"set-defaults", "yes"}, {"timeout", "30"}}},
       "??"},
      {"net-options r0 --max-buffers=4k", {"net-options", "r0", {}, {{"max-buffers", "4k"}}}, "r0"},
      {"disk-options 0 --set-defaults --c-plan-ahead=0",
       {"disk-options", "0", {}, {{"c-plan-ahead", "0"}, {"set-defaults", "yes"}}},
       "0"},
      {"primary 0", {"primary", "0", {}, {}}, "0"},
      {"primary drbd0 --force", {"primary", "0", {}, {{"force", "yes"}}}, "0"},
      {"primary 0 --overwrite-data-of-peer", {"primary", "0", {}, {{"force", "yes"}}}, "0"},
      {"/dev/drbd0 primary -o", {"primary", "0", {}, {{"force", "yes"}}}, "0"},
      {"primary 0 --force=no", {"primary", "0", {}, {{"force", "no"}}}, "0"},
      {"secondary -- 0", {"secondary", "0", {}, {}}, "0"},
      {"0 role", {"role", "0", {}, {}}, "0"},
      {"state 0", {"state", "0", {}, {}}, "0"},
      {"down r0", {"down", "r0", {}, {}}, "r0"},
      {"down all", {"down", "all", {}, {}}, "all"},
      {"down /dev/drbd12", {"down", "12", {}, {}}, "12"},
      {"down drbd12", {"down", "drbd12", {}, {}}, "drbd12"},
      {"status", {"status", "all", {}, {}}, "all"},
      {"status r0 --verbose --statistics",
       {"status", "r0", {}, {{"statistics", "yes"}, {"verbose", "yes"}}},
       "r0"},
      {"status --json --color=never",
       {"status", "all", {}, {{"color", "never"}, {"json", "yes"}}},
       "all"},
      {"show all --show-defaults", {"show", "all", {}, {{"show-defaults", "yes"}}}, "all"},
      {"sh-status r0", {"sh-status", "r0", {}, {}}, "r0"},
      {"wait-connect /dev/drbd10 --wfc-timeout=5 --degr-wfc-timeout=5 --outdated-wfc-timeout=5",
       {"wait-connect",
        "10",
        {},
        {{"degr-wfc-timeout", "5"}, {"outdated-wfc-timeout", "5"}, {"wfc-timeout", "5"}}},
       "10"},
      {"wait-sync 0 --wait-after-sb=yes", {"wait-sync", "0", {}, {{"wait-after-sb", "yes"}}}, "0"},
      {"get-gi 1048575", {"get-gi", "1048575", {}, {}}, "1048575"},
      {"ping", {"ping", "", {}, {}}, ""},
  };
  for (const Good& row : rows) {
    const SetupCall call = parse(row.line);
    EXPECT_EQ(call.problem, "") << row.line;
    ASSERT_NE(call.command, nullptr) << row.line;
    EXPECT_EQ(call.command->name, row.request.command) << row.line;
    EXPECT_EQ(call.request.command, row.request.command) << row.line;
    EXPECT_EQ(call.request.object, row.request.object) << row.line;
    EXPECT_EQ(call.request.arguments, row.request.arguments) << row.line;
    EXPECT_EQ(call.request.options, row.request.options) << row.line;
    EXPECT_EQ(call.shown, row.shown) << row.line;
  }
}

TEST(SetupCall, SaysWhatIsWrong) {
  const struct {
    const char* line;
    const char* problem;  // its first line
  } rows[] = {
      {"", "USAGE: drbdsetup COMMAND OBJECT [ARGUMENT]... [--OPTION[=VALUE]]..."},
      {"primry 0", "drbdsetup: unknown command 'primry'; did you mean 'primary'?"},
      {"xyzzy 0", "drbdsetup: unknown command 'xyzzy'"},
      {"primary", "Missing argument for command 'primary'"},
      {"primary 0 1", "Too many arguments for command 'primary'"},
      {"down", "Missing argument for command 'down'"},
      {"ping r0", "Too many arguments for command 'ping'"},
      {"attach 0 /dev/vdb internal", "Missing argument for command 'attach'"},
      {"connect r0 10.77.0.1", "Missing argument for command 'connect'"},
      {"disconnect", "Missing argument for command 'disconnect'"},
      {"primary r0", "Cannot determine minor device number of device 'r0';"},
      {"primary /dev/sda", "Cannot determine minor device number of device '/dev/sda';"},
      {"primary 1048576", "Cannot determine minor device number of device '1048576';"},
      {"down /dev/sda", "Cannot determine minor device number of device '/dev/sda';"},
      {"new-minor r0 seven 0", "'seven' is not a minor number"},
      {"connect r0 10.77.0.1:7789 bravo:7789", "'bravo:7789': not an address ("},
      {"connect r0 10.77.0.1:0 10.77.0.2", "'10.77.0.1:0': not an address (port);"},
      {"primary 0 --forse", "drbdsetup: unrecognized option '--forse'; did you mean '--force'?"},
      {"primary 0 --force=maybe", "drbdsetup: --force=maybe: Value is not 'yes' or 'no'."},
      {"primary 0 -x", "drbdsetup: unrecognized option '-x'"},
      {"primary 0 --", ""},
      {"primary 0 --=5", "drbdsetup: unrecognized option '--=5'"},
      {"secondary 0 --force", "drbdsetup: unrecognized option '--force'"},
      {"detach 0 -o", "drbdsetup: unrecognized option '-o'"},
      {"connect r0 10.0.0.1 10.0.0.2 --resync-rate=1M",
       "drbdsetup: unrecognized option '--resync-rate=1M'"},
      {"net-options r0 --timeout=601", "drbdsetup: --timeout=601: Value is too big."},
      {"net-options r0 --timeout=soon", "drbdsetup: --timeout=soon: Value is not a number."},
      {"net-options r0 --protocol=D", "drbdsetup: --protocol=D: Value is not valid."},
      {"net-options r0 --timeout", "drbdsetup: option '--timeout' requires an argument"},
      {"wait-connect 0 --wfc-timeout", "drbdsetup: option '--wfc-timeout' requires an argument"},
  };
  for (const auto& row : rows) {
    const std::string problem = parse(row.line).problem;
    EXPECT_TRUE(problem.starts_with(row.problem)) << row.line << ": " << problem;
    EXPECT_EQ(problem.empty(), row.problem[0] == '\0') << row.line;
  }
}

TEST(SetupCall, OnlyIdempotentEndsAreIdleWithoutADaemon) {
  std::vector<std::string> idle;
  for (const SetupCommand& command : setup_commands()) {
    if (command.idle_without_daemon) idle.emplace_back(command.name);
  }
  EXPECT_EQ(idle,
            (std::vector<std::string>{"detach", "disconnect", "secondary", "down", "shutdown"}));
}

TEST(SetupCall, UsageNamesEveryOptionWithItsRange) {
  EXPECT_EQ(usage_of(*find_setup_command("primary")), "USAGE: drbdsetup primary MINOR [--force]");
  EXPECT_EQ(usage_of(*find_setup_command("status")),
            "USAGE: drbdsetup status [RESOURCE | MINOR | all] [--verbose] [--statistics]\n"
            "    [--color] [--json]");
  const std::string attach = usage_of(*find_setup_command("attach"));
  for (const char* part :
       {"USAGE: drbdsetup attach MINOR DISK META_DISK INDEX", "[--resync-rate=(1 ... 4194304)]",
        "[--on-io-error={pass_on|call-local-io-error|detach}]", "[--disk-flushes={yes|no}]"}) {
    EXPECT_NE(attach.find(part), std::string::npos) << part << "\n" << attach;
  }
  std::istringstream lines(attach);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.size() <= 80 || line.find(' ', 4) == std::string::npos) << line;
  }
}

}  // namespace
}  // namespace replicator::command
