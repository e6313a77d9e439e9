#include "config/parser.hpp"

#include <gtest/gtest.h>

#include "tests/support/memory_files.hpp"

namespace replicator::config {
namespace {

struct Parsed {
  Config config;
  Diagnostics diagnostics;
};

Parsed parse(const std::string& text) {
  test::MemoryFiles files;
  files.files["r0.res"] = text;
  Parsed parsed;
  parsed.config = load(files, "r0.res", parsed.diagnostics);
  return parsed;
}

std::string on(const char* host, int last, const char* more = "") {
  return std::string("on ") + host + " { device /dev/drbd0; disk /dev/sdb; meta-disk internal; " +
         "address 10.0.0." + std::to_string(last) + ":7788; " + more + " }\n";
}
std::string resource(const std::string& inner) {
  return "resource r0 {\n" + inner + on("alpha", 1) + on("bravo", 2) + "}\n";
}

TEST(Parser, NamesTheDefectAndItsPlace) {
  const struct {
    std::string text;
    std::string message;
    int exit;
  } rows[] = {
      {"resource r0 {\nprotocol C\n" + on("alpha", 1) + "}",
       "r0.res:3: Parse error: ';' expected,\n\tbut got 'on'\n", 10},
      {"resource r0 {\n\nprotcol C;\n}",
       "r0.res:3: Parse error: 'protocol | on | disk | net | syncer | startup | handlers | "
       "ignore-on | stacked-on-top-of | options | device | meta-disk | volume | floating | "
       "connection | connection-mesh | proxy | skip' expected,\n\tbut got 'protcol'\n"
       "\tdid you mean 'protocol'?\n",
       10},
      {resource("net {\nfoo-bar;\n}"),
       "r0.res:3: Parse error: 'an option keyword' expected,\n\tbut got 'foo-bar'\n", 10},
      {resource("net {\ntimout 5;\n}"),
       "r0.res:3: Parse error: 'an option keyword' expected,\n\tbut got 'timout'\n"
       "\tdid you mean 'timeout'?\n",
       10},
      {"\nbanana { }",
       "r0.res:2: Parse error: 'global | common | resource | skip | include' expected,\n"
       "\tbut got 'banana'\n",
       10},
      {resource("net {\ntimeout 9999;\n}"),
       "r0.res:3: Parse error: while parsing value ('9999')\nfor timeout. Value is too big.\n"
       "Allowed range is 1..600.\n",
       10},
      {resource("net {\ntimeout abc;\n}"),
       "r0.res:3: Parse error: while parsing value ('abc')\nfor timeout. Value is not a number.\n",
       10},
      {resource("disk {\non-io-error explode;\n}"),
       "r0.res:3: Parse error: while parsing value ('explode')\nfor on-io-error. Value is not "
       "valid.\nAllowed values are: pass_on | call-local-io-error | detach\n",
       10},
      {resource("net {\nallow-two-primaries maybe;\n}"),
       "r0.res:3: Parse error: while parsing value ('maybe')\nfor allow-two-primaries. Value is "
       "not 'yes' or 'no'.\n",
       10},
      {resource("protocol D;\n"), "r0.res:2: unknown protocol 'D', should be one of A,B,C\n", 10},
      {resource("net { shared-secret " + std::string(64, 'x') + "; }\n"),
       "r0.res:2: Parse error: while parsing value ('xxxxxxxxxxxxxxxxxxxx...')\n"
       "for shared-secret. Value is too long.\nmax len: 63\n",
       10},
      {"resource r0 {\n" + on("bravo", 2) + "on alpha { device /dev/drbd0; disk /dev/sdb; }\n}",
       "r0.res:3: in resource r0, on alpha { ... }: 'address' keyword missing.\n", 10},
      {"resource r0 {\n" + on("bravo", 2) +
           "on alpha { device /dev/drbd0; address 10.0.0.1:1; }\n}",
       "r0.res:3: in resource r0, on alpha { ... }: 'disk' keyword missing.\n", 10},
      {"resource r0 {\non alpha {\n address 10.0.0.1;\n}\n}",
       "r0.res:3: Parse error: ':' expected,\n\tbut got ';'\n", 10},
      {"resource r0 {\n" + on("bravo", 2) +
           "on alpha { device /dev/drbd0; disk /dev/sdb; address 10.0.0.1:99999; }\n}",
       "r0.res:3: port 99999 out of range [1..65535].\n", 10},
      {"resource r0 {\non alpha {\n address alpha.example.com:1;\n}\n}",
       "r0.res:3: Parse error: 'ssocks | sdp | ipv4 | ipv6 | <ipv4 address> ' expected,\n"
       "\tbut got 'alpha.example.com'\n",
       10},
      {"resource r0 {\n device /dev/sda;\n disk x;\n on a { address 1.1.1.1:1; }\n}",
       "r0.res:2: device name must start with /dev/drbd\n\t(/dev/ is optional, but drbd is "
       "required)\n",
       10},
      {"resource r0 {\n device /dev/drbd0 minor 5;\n disk x;\n on a { address 1.1.1.1:1; }\n}",
       "r0.res:2: explicit minor number must match with device name\n"
       "\tTry \"device /dev/drbd5 minor 5;\",\n"
       "\tor leave off either device name or explicit minor.\n"
       "\tArbitrary device names must start with /dev/drbd_\n"
       "\tmind the '_'! (/dev/ is optional, but drbd_ is required)\n",
       10},
      {"resource r0 { }\nresource r0 { }",
       "r0.res:2: conflicting use of resource section 'r0' ...\n"
       "r0.res:1: resource section 'r0' first used here.\n",
       10},
      {"resource r0 {\n net { }\n net { }\n}",
       "r0.res:3: conflicting use of net section 'r0:net' ...\n"
       "r0.res:2: net section 'r0:net' first used here.\n",
       10},
      {"common {\non alpha { }\n}",
       "r0.res:2: in the common section, there are no host sections allowed.\n", 10},
      {resource("disk { resync-after r9; }\n"),
       "r0.res:2: in resource r0:\n\tresource 'r9' mentioned in 'resync-after' option is not "
       "known.\n",
       0},
      {"include \"nosuch.conf\";", "r0.res:1: Failed to open include file 'nosuch.conf'.\n", 10},
      {"include \"nosuch*.conf\";", "", 0},
      {"\nskip {\n {", "r0.res:2: reached eof while parsing this skip block.\n", 10},
      {"resource r0 {\n" + on("alpha", 1),
       "r0.res:1: resource section 'r0' is not closed;\n\ta '}' is missing\n", 10},
      {resource("") + "global { usage-count no; }",
       "r0.res:5: You should put the global {} section\n\tin front of any resource {} section\n",
       0},
      {"require-drbd-module-version-ge 9.3.0;",
       "r0.res:1: Validation error: drbd-module-version 8.4.11 ge 9.3.0 not true\n", 10},
      {"require-drbd-module-version-ge 8.4.0;", "", 0},
      {resource("startup { become-primary-on both; }\n"),
       "r0.res:1: in resource r0:\nbecome-primary-on is set to both, but allow-two-primaries is "
       "not set.\n",
       10},
      {"resource r0 { };",
       "r0.res:1: Parse error: 'global | common | resource | skip | include' expected,\n"
       "\tbut got ';'\n",
       10},
  };
  for (const auto& row : rows) {
    const Parsed parsed = parse(row.text);
    EXPECT_EQ(parsed.diagnostics.text(), row.message) << row.text;
    EXPECT_EQ(parsed.diagnostics.exit_code(), row.exit) << row.text;
  }
}

TEST(Parser, FindsConflictsBetweenResources) {
  const Parsed parsed =
      parse(resource("") + "resource r1 {\n" + on("alpha", 1) + on("bravo", 3) + "}\n");
  EXPECT_EQ(parsed.diagnostics.text(),
            "r0.res:6: conflicting use of IP '10.0.0.1:7788' ...\n"
            "r0.res:2: IP '10.0.0.1:7788' first used here.\n"
            "r0.res:6: conflicting use of device-minor 'device-minor:alpha:0' ...\n"
            "r0.res:2: device-minor 'device-minor:alpha:0' first used here.\n"
            "r0.res:7: conflicting use of device-minor 'device-minor:bravo:0' ...\n"
            "r0.res:3: device-minor 'device-minor:bravo:0' first used here.\n");
}

TEST(Parser, FindsVolumesThatDiffer) {
  const Parsed parsed = parse(
      "resource r0 {\n"
      "on alpha { address 10.0.0.1:1; volume 0 { device minor 0; disk a; } volume 1 { device minor "
      "1; disk b; } }\n"
      "on bravo { address 10.0.0.2:1; volume 0 { device minor 0; disk a; } }\n}");
  EXPECT_EQ(parsed.diagnostics.text(),
            "r0.res:2: in resource r0, on alpha { ... }: volume 1 not defined on bravo\n");
  const Parsed mixed = parse(
      "resource r0 {\n device minor 7; disk a;\n"
      "on alpha { address 10.0.0.1:1; volume 0 { device minor 0; disk a; } }\n}");
  EXPECT_EQ(mixed.diagnostics.text(),
            "r0.res:3: in resource r0: you must not mix implicit and explicit volumes\n");
}

TEST(Parser, ReadsIncludesOnce) {
  test::MemoryFiles files;
  files.files["/etc/drbd.conf"] = "include \"drbd.d/*.res\";\ninclude \"drbd.conf\";\n";
  files.files["/etc/drbd.d/a.res"] = "include \"b.res\";\n resource a {\n" + on("alpha", 1) + "}";
  files.files["/etc/drbd.d/b.res"] = "resource b { ";
  Diagnostics diagnostics;
  const Config config = load(files, "/etc/drbd.conf", diagnostics);
  EXPECT_EQ(diagnostics.text(),
            "/etc/drbd.d/b.res:1: resource section 'b' is not closed;\n\ta '}' is missing\n");
  files.files["/etc/drbd.d/b.res"] = "resource b { }";
  Diagnostics again;
  const Config both = load(files, "/etc/drbd.conf", again);
  EXPECT_EQ(again.text(), "");
  ASSERT_EQ(both.resources.size(), 2U);
  EXPECT_EQ(both.resources[0].name, "b");
  EXPECT_EQ(both.resources[1].place, (Place{"/etc/drbd.d/a.res", 2}));
}

TEST(Parser, AnUnreadableFileIsExit20) {
  test::MemoryFiles files;
  Diagnostics diagnostics;
  const Config config = load(files, "/etc/drbd.conf", diagnostics);
  EXPECT_EQ(diagnostics.text(), "Can not open '/etc/drbd.conf'.\n");
  EXPECT_EQ(diagnostics.exit_code(), 20);
}

TEST(Parser, PutsOldSpellingsInTheirPresentPlace) {
  const Parsed parsed = parse(resource(
      "syncer { rate 10M; al-extents 257; verify-alg md5; cpu-mask 3; use-rle; after 3; }\n"
      "net { fencing resource-only; no-tcp-cork; }\nhandlers { outdate-peer \"x y\"; }\n"
      "disk { no-disk-barrier; use-bmbv; disk-drain no; }\n"));
  EXPECT_EQ(parsed.diagnostics.text(), "");
  ASSERT_EQ(parsed.config.resources.size(), 1U);
  const Sections& sections = parsed.config.resources[0].sections;
  const auto value = [&](OptionSection kind, const char* name) {
    const Setting* setting = sections.of(kind).find(name);
    return setting == nullptr ? std::string("-") : setting->value;
  };
  EXPECT_EQ(value(OptionSection::disk, "resync-rate"), "10M");
  EXPECT_EQ(value(OptionSection::disk, "resync-after"), "3");
  EXPECT_EQ(value(OptionSection::disk, "fencing"), "resource-only");
  EXPECT_EQ(value(OptionSection::disk, "disk-barrier"), "no");
  EXPECT_EQ(value(OptionSection::disk, "disk-drain"), "no");
  EXPECT_EQ(value(OptionSection::disk, "use-bmbv"), "-");
  EXPECT_EQ(value(OptionSection::net, "tcp-cork"), "no");
  EXPECT_EQ(value(OptionSection::net, "verify-alg"), "md5");
  EXPECT_EQ(value(OptionSection::net, "use-rle"), "yes");
  EXPECT_EQ(value(OptionSection::resource, "cpu-mask"), "3");
  EXPECT_EQ(value(OptionSection::handlers, "fence-peer"), "x y");
}

TEST(Parser, KeywordsMayBeNamesWhenQuotedOrWhereANameIsWanted) {
  const Parsed parsed = parse("resource timeout { }\nresource \"net\" { }\n");
  EXPECT_EQ(parsed.diagnostics.text(), "");
  EXPECT_EQ(parsed.config.resources.size(), 2U);
}

TEST(NearestWord, IsNearOrNothing) {
  EXPECT_EQ(nearest_word("protcol", {"net", "protocol"}), "protocol");
  EXPECT_EQ(nearest_word("banana", {"net", "protocol"}), "");
  EXPECT_EQ(nearest_word("x", {"y"}), "");
}

}  // namespace
}  // namespace replicator::config
