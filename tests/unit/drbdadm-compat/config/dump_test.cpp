#include "config/dump.hpp"

#include <gtest/gtest.h>

#include "config/parser.hpp"
#include "tests/support/memory_files.hpp"

namespace replicator::config {
namespace {

const HostFacts alpha{"alpha", {"10.0.0.1"}};

struct Loaded {
  Config config;
  std::vector<LocalResource> locals;
  std::string problems;
};

Loaded load_text(const std::string& text, const HostFacts& facts = alpha) {
  test::MemoryFiles files;
  files.files["x.conf"] = text;
  Diagnostics diagnostics;
  Loaded loaded;
  loaded.config = load(files, "x.conf", diagnostics);
  loaded.locals = resolve(loaded.config, facts);
  loaded.problems = diagnostics.text();
  return loaded;
}

std::string fixture(const char* name) {
  RealFiles files;
  const auto text = files.read(std::string("tests/fixtures/conf/") + name);
  return text ? *text : std::string();
}

// Lines that name a place differ when the file does.
std::string without_places(const std::string& dump) {
  std::string result;
  std::size_t at = 0;
  while (at < dump.size()) {
    const std::size_t end = dump.find('\n', at);
    const std::string line = dump.substr(at, end - at);
    if (!line.starts_with("# defined at ")) result += line + "\n";
    at = end + 1;
  }
  return result;
}

TEST(Dump, IsIdempotentForEveryStyle) {
  for (const char* name :
       {"style-83.conf", "style-84.conf", "style-9.conf", "style-wild.conf", "empty.conf"}) {
    const std::string text = fixture(name);
    ASSERT_NE(text, "") << name;
    const Loaded first = load_text(text);
    EXPECT_EQ(first.problems, "") << name;
    const std::string once = dump(first.config, first.locals, "alpha");
    const Loaded second = load_text(once);
    EXPECT_EQ(second.problems, "") << name;
    EXPECT_EQ(without_places(dump(second.config, second.locals, "alpha")), without_places(once));
    EXPECT_EQ(first.config.resources.size(), second.config.resources.size());
    for (std::size_t i = 0; i < first.locals.size(); ++i) {
      EXPECT_EQ(without_places(dump_resource(first.locals[i], "alpha", DumpStyle::inherited)),
                without_places(dump_resource(second.locals[i], "alpha", DumpStyle::inherited)));
    }
  }
}

TEST(Dump, RewritesAnOldFile) {
  const Loaded loaded = load_text(fixture("style-83.conf"));
  EXPECT_EQ(dump(loaded.config, loaded.locals, "alpha"), R"(# x.conf
global {
    disable-ip-verification;
    usage-count no;
}

common {
    handlers {
        split-brain      "/usr/lib/drbd/notify-split-brain.sh root; echo \"x\" | cat";
    }
}

# resource mysql on alpha: not ignored, not stacked
# defined at x.conf:4
resource mysql {
    on alpha {
        device           /dev/drbd0 minor 0;
        disk             /dev/sdb1;
        meta-disk        internal;
        address          ipv4 10.0.0.1:7788;
    }
    on bravo {
        device           /dev/drbd0 minor 0;
        disk             /dev/sdb1;
        meta-disk        internal;
        address          ipv4 10.0.0.2:7788;
    }
    options {
        cpu-mask           3;
    }
    net {
        protocol           C;
        cram-hmac-alg    sha1;
        shared-secret    "se cret!";
        allow-two-primaries yes;
        tcp-cork          no;
        verify-alg       md5;
        use-rle          yes;
    }
    disk {
        on-io-error      detach;
        fencing          resource-only;
        disk-barrier      no;
        resync-rate      33M;
        al-extents       257;
    }
    startup {
        wfc-timeout       15;
        degr-wfc-timeout  60;
    }
}

)");
}

TEST(Dump, OneResourceShowsWhatItInherits) {
  const Loaded loaded = load_text(fixture("style-84.conf"));
  const std::string text = dump_resource(loaded.locals[1], "alpha", DumpStyle::inherited);
  EXPECT_NE(text.find("    net {\n        protocol           C;\n        timeout           50;\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("on-io-error      detach;\n        resync-after     data/1;\n"),
            std::string::npos)
      << text;
}

TEST(Resolve, InnerSettingsWin) {
  const Loaded loaded = load_text(fixture("style-84.conf"));
  const LocalResource& data = loaded.locals[0];
  EXPECT_EQ(data.peer_name, "bravo");
  EXPECT_EQ(data.peer_address->endpoint(), "[fd00::2]:7790");
  ASSERT_EQ(data.volumes.size(), 2U);
  EXPECT_EQ(data.volumes[0].options.find("al-extents")->value, "67");
  EXPECT_EQ(data.volumes[0].options.find("on-io-error")->value, "detach");
  EXPECT_EQ(data.volumes[1].options.find("al-extents"), nullptr);
  EXPECT_EQ(data.volumes[1].meta_disk, "/dev/vg/md");
  EXPECT_EQ(data.volumes[1].meta_index.kind, MetaDiskIndex::Kind::flexible);
  const LocalResource& web = loaded.locals[1];
  EXPECT_EQ(web.volumes[0].meta_index.slot, 3U);
  EXPECT_EQ(web.volumes[0].device, "/dev/drbd20");
  EXPECT_EQ(resync_after_minor(loaded.locals, "data/1"), 11U);
  EXPECT_EQ(resync_after_minor(loaded.locals, "data"), 10U);
  EXPECT_EQ(resync_after_minor(loaded.locals, "7"), 7U);
  EXPECT_EQ(resync_after_minor(loaded.locals, "data/7"), std::nullopt);
}

TEST(Resolve, ConnectionsGiveAddressesAndOptions) {
  const Loaded loaded = load_text(fixture("style-9.conf"));
  const LocalResource& backups = loaded.locals[0];
  EXPECT_EQ(backups.local_address->endpoint(), "192.168.1.1:7001");
  EXPECT_EQ(backups.peer_address->endpoint(), "192.168.1.2:7001");
  EXPECT_EQ(backups.net.find("ping-timeout")->value, "7");
  EXPECT_EQ(backups.volumes[0].options.find("fencing")->value, "resource-and-stonith");
  EXPECT_EQ(backups.volumes[0].meta_disk, "/dev/vg0/backups");
  EXPECT_EQ(loaded.locals[1].net.find("max-buffers")->value, "4000");
  EXPECT_EQ(loaded.locals[1].local_address->endpoint(), "10.0.0.1:7002");
}

TEST(Resolve, AConnectionHasOptionsForOneVolume) {
  const Loaded loaded = load_text(R"(
resource r {
  disk { c-plan-ahead 5; c-max-rate 1M; }
  volume 0 { device minor 1; disk a; meta-disk internal; disk { c-plan-ahead 6; } }
  volume 1 { device minor 2; disk b; meta-disk internal; }
  on alpha { address 10.0.0.1:1; }
  on bravo { address 10.0.0.2:1; }
  connection {
    host alpha; host bravo;
    disk { c-max-rate 2M; }
    volume 0 { disk { c-plan-ahead 7; } }
  }
}
)");
  EXPECT_EQ(loaded.problems, "");
  const LocalResource& local = loaded.locals[0];
  EXPECT_EQ(local.volumes[0].options.find("c-plan-ahead")->value, "7");
  EXPECT_EQ(local.volumes[1].options.find("c-plan-ahead")->value, "5");
  EXPECT_EQ(local.volumes[1].options.find("c-max-rate")->value, "2M");
}

TEST(Resolve, SelectsTheHost) {
  EXPECT_TRUE(same_host("alpha", "ALPHA"));
  EXPECT_TRUE(same_host("alpha", "alpha.example.com"));
  EXPECT_FALSE(same_host("alpha.a.com", "alpha.b.com"));
  EXPECT_FALSE(same_host("alpha", "alph"));
  const std::string text =
      "resource r { device minor 1; disk d;\n"
      " net { after-sb-0pri discard-node-bravo; }\n"
      " on alpha bravo { address 10.0.0.1:1; }\n"
      " on charlie { address 10.0.0.3:1; }\n on delta { address 10.0.0.4:1; } }\n";
  EXPECT_TRUE(load_text(text, {"echo", {}}).locals[0].ignored());
  const Loaded bravo = load_text(text, {"bravo", {}});
  EXPECT_EQ(bravo.problems, "");
  EXPECT_EQ(bravo.locals[0].net.find("after-sb-0pri")->value, "discard-local");
  EXPECT_EQ(bravo.locals[0].peer_name, "charlie");
  EXPECT_EQ(resolve(bravo.config, {"bravo", {}}, "delta")[0].peer_name, "delta");
  const Loaded charlie = load_text(text, {"charlie", {}});
  EXPECT_EQ(charlie.locals[0].net.find("after-sb-0pri")->value, "discard-remote");
}

TEST(Resolve, FloatingSectionsMatchByAddress) {
  const std::string text =
      "resource r { device minor 1; disk d;\n"
      " floating 10.0.0.1:1;\n floating ipv6 [fd00::2]:1 { disk e; }\n}\n";
  const Loaded first = load_text(text);
  EXPECT_EQ(first.problems, "");
  EXPECT_EQ(first.locals[0].peer_name, "[fd00::2]:1");
  EXPECT_EQ(first.locals[0].volumes[0].disk, "d");
  const Loaded second = load_text(text, {"x", {"fd00::2"}});
  EXPECT_EQ(second.locals[0].volumes[0].disk, "e");
  EXPECT_TRUE(load_text(text, {"x", {}}).locals[0].ignored());
}

TEST(Resolve, SaysWhyAResourceCanNotRun) {
  const Loaded loaded = load_text(
      "resource a { device minor 1; disk d; on alpha { address sci 10.0.0.1:1; } "
      "on bravo { address sci 10.0.0.2:1; } }\n"
      "resource b { device minor 2; disk e; on alpha { address 10.0.0.1:2; } }\n");
  EXPECT_EQ(unusable_because(loaded.locals[0]),
            "address family ssocks is not supported; use ipv4 or ipv6");
  EXPECT_EQ(unusable_because(loaded.locals[1]), "it has no section for a second host");
}

}  // namespace
}  // namespace replicator::config
