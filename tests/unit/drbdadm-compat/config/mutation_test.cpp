// Configurations damaged in thousands of ways: each gives messages that name a place, or a model
// whose dump is stable. The same every time: seeds are fixed.
#include <gtest/gtest.h>

#include <random>

#include "config/dump_xml.hpp"
#include "config/parser.hpp"
#include "tests/support/memory_files.hpp"

namespace replicator::config {
namespace {

constexpr const char* fixtures[] = {
    "style-83.conf",         "style-83-cluster.conf",  "style-84.conf", "style-84-options.conf",
    "style-84-volumes.conf", "style-84-floating.conf", "style-9.conf",  "style-wild.conf"};
constexpr unsigned rounds = 8000;

const std::vector<std::string>& words() {
  static const std::vector<std::string> all{"{",
                                            "}",
                                            ";",
                                            ":",
                                            "[",
                                            "]",
                                            "\"",
                                            "#",
                                            "\\",
                                            "\n",
                                            "on ",
                                            "resource ",
                                            "volume ",
                                            "net {",
                                            "disk {",
                                            "disk ",
                                            "syncer {",
                                            "common {",
                                            "global {",
                                            "floating ",
                                            "skip ",
                                            "host ",
                                            "path {",
                                            "ipv6 ",
                                            "include ",
                                            "device ",
                                            "meta-disk",
                                            "internal; ",
                                            "minor ",
                                            "99999 ",
                                            "-1 ",
                                            "yes",
                                            "protocol",
                                            "options ",
                                            "address ",
                                            "stacked-on-top-of ",
                                            "connection {",
                                            "\x01",
                                            "18446744073709551616",
                                            "connection-mesh { hosts a b; }",
                                            "ignore-on ",
                                            "\xff\xfe",
                                            "discard-node-",
                                            "resync-after ",
                                            "4294967296K",
                                            "0x10 "};
  return all;
}

class Damage {
 public:
  explicit Damage(std::uint32_t seed) : random_(seed) {}

  void to(std::string& text) {
    const std::size_t times = 1 + below(2);
    for (std::size_t i = 0; i < times && !text.empty(); ++i)
      once(text);
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  void once(std::string& text) {
    const std::size_t at = below(text.size());
    const std::size_t length = 1 + below(24);
    switch (below(6)) {
      case 0: text[at] = static_cast<char>(below(256)); break;
      case 1: text.erase(at, length); break;
      case 2: text.insert(at, words()[below(words().size())]); break;
      case 3: text.insert(below(text.size()), text.substr(at, 4 * length)); break;
      case 4: text.resize(text.size() - below(text.size() / 4 + 1)); break;
      default: exchange_lines(text); break;
    }
  }

  void exchange_lines(std::string& text) {
    const std::size_t from = text.find('\n', below(text.size()));
    if (from == std::string::npos) return;
    const std::size_t end = std::min(text.find('\n', from + 1), text.size());
    const std::string line = text.substr(from, end - from);
    text.erase(from, end - from);
    const std::size_t to = text.find('\n', below(text.size() + 1));
    text.insert(to == std::string::npos ? text.size() : to, line);
  }

  std::mt19937 random_;
};

struct Outcome {
  bool failed = false;
  std::string messages;
  std::string dump;
};

Outcome read(const std::string& text) {
  test::MemoryFiles files;
  files.files["x.conf"] = text;
  Diagnostics diagnostics;
  const Config config = load(files, "x.conf", diagnostics);
  const auto locals = resolve(config, HostFacts{"alpha", {"10.0.0.1", "127.0.0.1"}});
  Outcome outcome{diagnostics.failed(), diagnostics.text(), {}};
  for (const LocalResource& local : locals) {
    if (!local.ignored()) unusable_because(local);
  }
  dump_xml(config, locals, DumpStyle::inherited);
  // Places differ when comments and blank lines are gone.
  const std::string whole = dump(config, locals, "alpha");
  for (std::size_t at = 0; at < whole.size();) {
    const std::size_t end = whole.find('\n', at) + 1;
    if (whole.compare(at, 12, "# defined at") != 0) outcome.dump += whole.substr(at, end - at);
    at = end;
  }
  return outcome;
}

TEST(Mutation, GivesAMessageOrAStableDump) {
  RealFiles files;
  std::vector<std::string> texts;
  for (const char* name : fixtures) {
    const auto text = files.read(std::string("tests/fixtures/conf/") + name);
    ASSERT_TRUE(text) << name;
    texts.push_back(*text);
  }
  unsigned refused = 0;
  for (unsigned seed = 0; seed < rounds; ++seed) {
    std::string text = texts[seed % texts.size()];
    Damage(seed).to(text);
    const Outcome first = read(text);
    if (first.failed) {
      ++refused;
      EXPECT_TRUE(first.messages.starts_with("x.conf:")) << seed << ": " << first.messages;
      continue;
    }
    const Outcome second = read(first.dump);
    EXPECT_FALSE(second.failed) << seed << ": " << second.messages << first.dump;
    EXPECT_EQ(second.dump, first.dump) << seed;
    if (HasFailure()) return;
  }
  EXPECT_GT(refused, rounds / 4);
  EXPECT_LT(refused, rounds);
}

}  // namespace
}  // namespace replicator::config
