// Texts of the kernel and of nft, as they were seen on real machines, and bent ones.
#include "doctor/parse.hpp"

#include <gtest/gtest.h>

namespace replicator::doctor {
namespace {

TEST(DoctorParse, FindsAModuleInTheListsOfDepmod) {
  constexpr std::string_view list =
      "kernel/drivers/block/ublk_drv.ko.xz:\n"
      "kernel/drivers/block/drbd/drbd.ko: kernel/lib/lru_cache.ko kernel/lib/libcrc32c.ko\n";
  EXPECT_TRUE(lists_module(list, "ublk_drv"));
  EXPECT_TRUE(lists_module(list, "drbd"));
  EXPECT_FALSE(lists_module(list, "lru_cache"));
  EXPECT_FALSE(lists_module(list, "ublk"));
  EXPECT_TRUE(lists_module("kernel/fs/fuse/fuse.ko", "fuse"));
  EXPECT_FALSE(lists_module("", "fuse"));
}

TEST(DoctorParse, ReadsListeningSockets) {
  constexpr std::string_view file =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
      "inode\n"
      "   0: 01004D0A:1E6D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 "
      "4711 1 0 100 0 0 10 0\n"
      "   1: 0100007F:1E6D 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 "
      "12 1\n"
      "   2: 0100007F 00000000:0000 0A\n";
  const std::vector<Listener> all = parse_listeners(file, false);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0], (Listener{"10.77.0.1", 7789, 4711}));
  EXPECT_TRUE(takes(all[0], "10.77.0.1", 7789));
  EXPECT_FALSE(takes(all[0], "10.77.0.2", 7789));
  EXPECT_FALSE(takes(all[0], "10.77.0.1", 7790));
  const std::vector<Listener> six = parse_listeners(
      "   0: 00000000000000000000000000000000:1E6D 00000000000000000000000000000000:0000 0A "
      "00000000:00000000 00:00000000 00000000 0 0 9 1",
      true);
  ASSERT_EQ(six.size(), 1U);
  EXPECT_EQ(six[0], (Listener{"::", 7789, 9}));
  EXPECT_TRUE(takes(six[0], "10.77.0.1", 7789));
  EXPECT_TRUE(takes(six[0], "fd00::1", 7789));
  EXPECT_FALSE(takes(Listener{"0.0.0.0", 7789, 0}, "fd00::1", 7789));
}

TEST(DoctorParse, ReadsWhatADaemonHasForItself) {
  EXPECT_EQ(locked_kib("VmPeak:\t  10 kB\nVmLck:\t   4321 kB\n"), 4321U);
  EXPECT_EQ(locked_kib("VmLck:\t"), 0U);
  EXPECT_EQ(locked_kib(""), 0U);
  EXPECT_TRUE(is_io_flusher("7 (a) b) S 1 7 7 0 -1 1572864 0 0"));
  EXPECT_FALSE(is_io_flusher("7 (polluxd) S 1 7 7 0 -1 4194560 0 0"));
  EXPECT_FALSE(is_io_flusher("7 polluxd"));
}

std::string ruleset(const std::string& policy, const std::string& expressions) {
  return R"({"nftables":[{"metainfo":{"version":"1.0.6"}},)"
         R"({"chain":{"family":"inet","table":"filter","name":"input","type":"filter",)"
         R"("hook":"input","prio":0,"policy":")" +
         policy + R"("}},{"rule":{"family":"inet","table":"filter","chain":"input","expr":[)" +
         expressions + "]}}]}";
}

std::string tcp_port(const char* field, const char* right) {
  return std::string(R"({"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":")") +
         field + R"("}},"right":)" + right + "}}";
}

struct Row {
  const char* what;
  std::string rules;
  std::size_t hints;
};

TEST(DoctorParse, HintsAtPacketFiltersThatCloseThePort) {
  const std::string established =
      R"({"match":{"op":"in","left":{"ct":{"key":"state"}},"right":["established","related"]}})";
  const std::string loopback =
      R"({"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"lo"}})";
  const std::string source =
      R"({"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":"10.77.0.2"}})";
  const std::string icmp =
      R"({"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"protocol"}},"right":"icmp"}})";
  const std::string accept = R"(,{"accept":null})";
  const std::string drop = R"(,{"drop":null})";
  const Row rows[] = {
      {"another port only", ruleset("drop", tcp_port("dport", "22") + accept), 1},
      {"the port", ruleset("drop", tcp_port("dport", "7789") + accept), 0},
      {"a range", ruleset("drop", tcp_port("dport", R"({"range":[7788,7799]})") + accept), 0},
      {"a range beside", ruleset("drop", tcp_port("dport", R"({"range":[7790,7799]})") + accept),
       1},
      {"a set", ruleset("drop", tcp_port("dport", R"({"set":[22,7789]})") + accept), 0},
      {"a named set may hold it", ruleset("drop", tcp_port("dport", R"("@open")") + accept), 0},
      {"established", ruleset("drop", established + accept), 1},
      {"loopback", ruleset("drop", loopback + accept), 1},
      {"ping", ruleset("drop", icmp + accept), 1},
      {"all of the peer", ruleset("drop", source + accept), 0},
      {"open", ruleset("accept", tcp_port("dport", "22") + accept), 0},
      {"dropped", ruleset("accept", tcp_port("dport", "7789") + drop), 1},
      {"answers dropped", ruleset("accept", tcp_port("sport", "7789") + drop), 1},
      {"another dropped", ruleset("accept", tcp_port("dport", "7790") + drop), 0},
      {"not JSON", "nonsense", 0},
      {"not a list", R"({"nftables":{"chain":[]}})", 0},
      {"odd types", R"({"nftables":[{"rule":{"expr":[1,{"match":7},{"drop":null}]}},[],3]})", 0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    EXPECT_EQ(filter_hints(row.rules, 7789).size(), row.hints);
  }
  const std::vector<FilterHint> hints =
      filter_hints(ruleset("drop", tcp_port("dport", "22") + accept), 7789);
  ASSERT_EQ(hints.size(), 1U);
  EXPECT_EQ(hints[0].where, "table inet filter, chain input");
  EXPECT_TRUE(hints[0].by_policy);
}

}  // namespace
}  // namespace replicator::doctor
