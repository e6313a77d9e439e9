// The NBD handshake as a machine: each option's replies as a table, hostile lengths, all orders of
// options, and that the way bytes are cut into pieces makes no difference.
#include "frontend/nbd/option_negotiation.hpp"

#include <gtest/gtest.h>

#include "tests/support/nbd_client.hpp"

namespace replicator::nbd {
namespace {

using namespace replicator::test;
using Next = OptionNegotiation::Next;

constexpr std::string_view our_name = "r0/0";
constexpr std::uint16_t writable_flags = 1 + 4 + 8 + 32 + 64 + 256;
constexpr std::uint16_t structured_flag = 128;

// Plays the owner of the machine: sends output, answers questions.
struct Owner {
  explicit Owner(bool refuse_opening = false) : refuse(refuse_opening) { take_output(); }
  OptionNegotiation machine{our_name};
  ByteString sent;
  bool refuse;
  int opened = 0;
  Export facts{1U << 20U, 512, 4096, true};

  void take_output() {
    append(sent, machine.output());
    machine.output_sent();
  }
  // Returns what was left over.
  ByteString feed(const ByteString& bytes, std::size_t piece) {
    std::size_t at = 0;
    while (at < bytes.size() && machine.next() == Next::receive) {
      const std::size_t count = std::min(piece, bytes.size() - at);
      std::size_t used = 0;
      while (used < count && machine.next() == Next::receive) {
        const std::size_t taken = machine.feed(ConstBytes(bytes).subspan(at + used, count - used));
        EXPECT_GT(taken, 0U);
        used += taken;
        answer();
        take_output();
      }
      at += used;
    }
    return {bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end()};
  }
  void answer() {
    if (machine.next() != Next::open && machine.next() != Next::describe) return;
    if (refuse) return machine.refuse(OptionReply::error_policy, "not Primary");
    if (machine.next() == Next::open) ++opened;
    machine.answer(facts);
  }
  std::string replies() {
    std::string all;
    for (const std::string& line : option_replies(ConstBytes(sent).subspan(18)))
      all += (all.empty() ? "" : " | ") + line;
    return all;
  }
};

ByteString join(std::initializer_list<ByteString> parts) {
  ByteString all;
  for (const ByteString& part : parts)
    append(all, part);
  return all;
}

std::string export_line(std::uint16_t flags) {
  return "export size=1048576 flags=" + std::to_string(flags);
}

TEST(nbd_negotiation, greets) {
  Owner owner;
  ByteString expected;
  append_text(expected, "NBDMAGICIHAVEOPT");
  append_number<2>(expected, 3);
  EXPECT_EQ(owner.sent, expected);
}

TEST(nbd_negotiation, unknown_client_flags_close) {
  for (const std::uint32_t flags : {4U, 0x80000000U, 7U}) {
    Owner owner;
    owner.feed(client_flags(flags), 100);
    EXPECT_EQ(owner.machine.next(), Next::close) << flags;
  }
}

struct Case {
  const char* name;
  ByteString options;
  std::string replies;
  Next next;
};

std::vector<Case> cases() {
  const ByteString structured = option(Option::structured_reply);
  const std::string export_and_ack = export_line(writable_flags) + " | ack";
  return {
      {"list", option(Option::list), "server r0/0 | ack", Next::receive},
      {"list with data", option(Option::list, pattern(1, 0)), "error 3", Next::receive},
      {"abort", option(Option::abort), "ack", Next::close},
      {"abort with data", option(Option::abort, pattern(9, 0)), "ack", Next::close},
      {"tls", option(Option::start_tls), "error 1", Next::receive},
      {"peek", option(static_cast<Option>(4)), "error 1", Next::receive},
      {"extended headers", option(static_cast<Option>(11)), "error 1", Next::receive},
      {"unknown", option(static_cast<Option>(0xffffffff), pattern(100, 1)), "error 1",
       Next::receive},
      {"two unknown", join({option(static_cast<Option>(0)), option(static_cast<Option>(77))}),
       "error 1 | error 1", Next::receive},
      {"info", option(Option::info, name_and_infos("r0/0")), export_and_ack, Next::receive},
      {"info default", option(Option::info, name_and_infos("")), export_and_ack, Next::receive},
      {"info all", option(Option::info, name_and_infos("", {0, 1, 2, 3, 99})),
       export_line(writable_flags) + " | name r0/0 | blocks 512 4096 33554432 | ack",
       Next::receive},
      {"info unknown", option(Option::info, name_and_infos("r0/1")), "error 6", Next::receive},
      {"info prefix", option(Option::info, name_and_infos("r0/")), "error 6", Next::receive},
      {"info longer", option(Option::info, name_and_infos("r0/00")), "error 6", Next::receive},
      {"go", option(Option::go, name_and_infos("r0/0", {3})),
       export_line(writable_flags) + " | blocks 512 4096 33554432 | ack", Next::transmit},
      {"go unknown", option(Option::go, name_and_infos("x")), "error 6", Next::receive},
      {"go after unknown",
       join({option(Option::go, name_and_infos("x")), option(Option::go, name_and_infos(""))}),
       "error 6 | " + export_and_ack, Next::transmit},
      {"structured", structured, "ack", Next::receive},
      {"structured with data", option(Option::structured_reply, pattern(4, 0)), "error 3",
       Next::receive},
      {"structured go", join({structured, option(Option::go, name_and_infos(""))}),
       "ack | " + export_line(writable_flags + structured_flag) + " | ack", Next::transmit},
      {"contexts too early", option(Option::list_meta_context, name_and_queries("", {})), "error 3",
       Next::receive},
      {"set too early", option(Option::set_meta_context, name_and_queries("", {"base:allocation"})),
       "error 3", Next::receive},
      {"list contexts",
       join({structured, option(Option::list_meta_context, name_and_queries("r0/0", {}))}),
       "ack | context 0 base:allocation | ack", Next::receive},
      {"list wildcard",
       join({structured, option(Option::list_meta_context, name_and_queries("", {"base:"}))}),
       "ack | context 0 base:allocation | ack", Next::receive},
      {"list other",
       join({structured, option(Option::list_meta_context, name_and_queries("", {"qemu:"}))}),
       "ack | ack", Next::receive},
      {"set",
       join({structured,
             option(Option::set_meta_context, name_and_queries("", {"x:y", "base:allocation"}))}),
       "ack | context 1 base:allocation | ack", Next::receive},
      {"set twice the same",
       join({structured, option(Option::set_meta_context,
                                name_and_queries("", {"base:allocation", "base:allocation"}))}),
       "ack | context 1 base:allocation | ack", Next::receive},
      {"set wildcard selects nothing",
       join({structured, option(Option::set_meta_context, name_and_queries("", {"base:"}))}),
       "ack | ack", Next::receive},
      {"set nothing",
       join({structured, option(Option::set_meta_context, name_and_queries("", {}))}), "ack | ack",
       Next::receive},
      {"set unknown export",
       join({structured,
             option(Option::set_meta_context, name_and_queries("q", {"base:allocation"}))}),
       "ack | error 6", Next::receive},
  };
}

TEST(nbd_negotiation, answers_each_option_however_the_bytes_are_cut) {
  for (const Case& row : cases()) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{100000}}) {
      Owner owner;
      owner.feed(join({client_flags(), row.options}), piece);
      EXPECT_EQ(owner.replies(), row.replies) << row.name << " in pieces of " << piece;
      EXPECT_EQ(owner.machine.next(), row.next) << row.name;
      EXPECT_EQ(owner.opened, row.next == Next::transmit ? 1 : 0) << row.name;
    }
  }
}

TEST(nbd_negotiation, export_name_is_answered_with_or_without_zeroes) {
  struct Row {
    std::uint32_t flags;
    std::size_t bytes;
  };
  for (const Row row : {Row{0, 134}, Row{1, 134}, Row{2, 10}, Row{3, 10}}) {
    for (const std::string_view name : {"", "r0/0"}) {
      Owner owner;
      ByteString data;
      append_text(data, name);
      owner.feed(join({client_flags(row.flags), option(Option::export_name, data)}), 5);
      EXPECT_EQ(owner.machine.next(), Next::transmit);
      ASSERT_EQ(owner.sent.size(), 18 + row.bytes);
      EXPECT_EQ(read_be64(owner.sent, 18), 1U << 20U);
      EXPECT_EQ(read_be16(owner.sent, 26), writable_flags);
      EXPECT_TRUE(all_zero(ConstBytes(owner.sent).subspan(28)));
    }
  }
}

TEST(nbd_negotiation, export_name_can_only_be_refused_by_closing) {
  for (const bool refuse : {false, true}) {
    Owner owner(refuse);
    ByteString data;
    append_text(data, refuse ? "r0/0" : "other");
    owner.feed(join({client_flags(), option(Option::export_name, data)}), 100);
    EXPECT_EQ(owner.machine.next(), Next::close);
    EXPECT_EQ(owner.sent.size(), 18U);
    EXPECT_EQ(owner.opened, 0);
  }
}

TEST(nbd_negotiation, without_fixed_newstyle_only_the_export_name_is_understood) {
  for (const Option code : {Option::abort, Option::list, Option::go, Option::info}) {
    Owner owner;
    owner.feed(join({client_flags(0), option(code, name_and_infos(""))}), 100);
    EXPECT_EQ(owner.machine.next(), Next::close);
    EXPECT_EQ(owner.sent.size(), 18U);
  }
}

TEST(nbd_negotiation, a_volume_that_cannot_be_opened_is_refused_with_a_reason) {
  for (const Option code : {Option::info, Option::go}) {
    Owner owner(true);
    owner.feed(join({client_flags(), option(code, name_and_infos("", {3}))}), 100);
    EXPECT_EQ(owner.machine.next(), Next::receive);
    EXPECT_EQ(owner.replies(), "error 2");
    const std::string text(reinterpret_cast<const char*>(owner.sent.data()) + 38,
                           owner.sent.size() - 38);
    EXPECT_EQ(text, "not Primary");
  }
}

TEST(nbd_negotiation, a_read_only_volume_offers_no_writing) {
  Owner owner;
  owner.facts.writable = false;
  owner.feed(join({client_flags(), option(Option::go, name_and_infos(""))}), 100);
  EXPECT_EQ(owner.replies(), export_line(1 + 2 + 4 + 8 + 256) + " | ack");
}

TEST(nbd_negotiation, allocation_is_what_the_last_set_selected) {
  const auto set = [](const std::vector<std::string>& queries, std::string_view name = "") {
    return option(Option::set_meta_context, name_and_queries(name, queries));
  };
  Owner owner;
  owner.feed(join({client_flags(), option(Option::structured_reply)}), 100);
  EXPECT_FALSE(owner.machine.allocation());
  owner.feed(set({"base:allocation"}), 100);
  EXPECT_TRUE(owner.machine.allocation());
  owner.feed(option(Option::list_meta_context, name_and_queries("", {"qemu:"})), 100);
  EXPECT_TRUE(owner.machine.allocation());
  owner.feed(set({"qemu:dirty-bitmap:x"}), 100);
  EXPECT_FALSE(owner.machine.allocation());
  owner.feed(set({"base:allocation"}), 100);
  owner.feed(set({"base:allocation"}, "wrong"), 100);
  EXPECT_FALSE(owner.machine.allocation()) << "a failed request clears the selection too";
}

// Lengths that reader code likes to get wrong, as the length of an option.
TEST(nbd_negotiation, option_lengths_are_bounded) {
  struct Row {
    std::uint32_t length;
    std::string replies;
    Next next;
  };
  const Row rows[] = {
      {0, "error 1", Next::receive},
      {1, "error 1", Next::receive},
      {OptionNegotiation::option_limit - 1, "error 1", Next::receive},
      {OptionNegotiation::option_limit, "error 1", Next::receive},
      {OptionNegotiation::option_limit + 1, "error 9", Next::receive},
      {OptionNegotiation::skip_limit, "error 9", Next::receive},
      {OptionNegotiation::skip_limit + 1, "", Next::close},
      {1U << 31U, "", Next::close},
      {~0U, "", Next::close},
  };
  for (const Row& row : rows) {
    Owner owner;
    ByteString bytes = client_flags();
    append_number<8>(bytes, option_magic);
    append_number<4>(bytes, 99);
    append_number<4>(bytes, row.length);
    append(bytes, ByteString(std::min(row.length, OptionNegotiation::skip_limit)));
    owner.feed(bytes, 1000);
    EXPECT_EQ(owner.machine.next(), row.next) << row.length;
    EXPECT_EQ(owner.replies(), row.replies) << row.length;
    if (row.next != Next::receive) continue;
    owner.feed(option(Option::list), 1000);
    EXPECT_EQ(owner.replies(), row.replies + " | server r0/0 | ack") << row.length;
  }
}

// … as the length of a name or a query inside an option, with `present` bytes really there.
TEST(nbd_negotiation, inner_lengths_are_checked) {
  const std::uint32_t lengths[] = {0,    1,         4,           4095,        4096, 4097,
                                   8191, 1U << 31U, 0x7fffffffU, 0xfffffffaU, ~0U};
  for (const std::uint32_t length : lengths) {
    for (const std::uint32_t present : {0U, 1U, 4U, 4095U, 4096U, 4097U}) {
      for (const Option code : {Option::info, Option::go, Option::list_meta_context,
                                Option::set_meta_context, Option::export_name}) {
        if (code == Option::export_name) continue;
        const bool contexts = code == Option::list_meta_context || code == Option::set_meta_context;
        Owner owner;
        ByteString data;
        append_number<4>(data, length);
        append(data, ByteString(present, std::byte{'n'}));
        if (contexts) append_number<4>(data, 0);
        else append_number<2>(data, 0);
        owner.feed(join({client_flags(), option(Option::structured_reply), option(code, data)}),
                   3000);
        const bool whole = length == present && length <= maximum_name_bytes;
        const bool empty_name = whole && length == 0;
        if (!empty_name) {
          EXPECT_EQ(owner.replies(), whole ? "ack | error 6" : "ack | error 3")
              << length << " of " << present;
        }
        EXPECT_EQ(owner.machine.next(),
                  empty_name && code == Option::go ? Next::transmit : Next::receive);
      }
    }
  }
}

TEST(nbd_negotiation, counts_are_checked_against_what_is_there) {
  for (const std::uint32_t count : {1U, 2U, 0xffffU, 1U << 31U, ~0U}) {
    Owner owner;
    ByteString queries;
    append_number<4>(queries, 0);
    append_number<4>(queries, count);
    ByteString infos;
    append_number<4>(infos, 0);
    append_number<2>(infos, count & 0xffffU);
    if ((count & 0xffffU) == 0) append_number<1>(infos, 0);
    owner.feed(join({client_flags(), option(Option::structured_reply),
                     option(Option::set_meta_context, queries), option(Option::go, infos)}),
               3000);
    EXPECT_EQ(owner.replies(), "ack | error 3 | error 3") << count;
  }
}

TEST(nbd_negotiation, talking_without_end_is_cut_off) {
  Owner owner;
  owner.feed(client_flags(), 100);
  const ByteString noise = option(static_cast<Option>(99), ByteString(8000));
  std::size_t fed = 0;
  while (owner.machine.next() == Next::receive && fed < 10U << 20U) {
    owner.feed(noise, 100000);
    fed += noise.size();
  }
  EXPECT_EQ(owner.machine.next(), Next::close);
  EXPECT_LE(fed, OptionNegotiation::total_limit + noise.size());
}

TEST(nbd_negotiation, bytes_after_the_last_option_are_left_alone) {
  Owner owner;
  const ByteString rest = pattern(40, 3);
  const ByteString left =
      owner.feed(join({client_flags(), option(Option::go, name_and_infos("")), rest}), 100000);
  EXPECT_EQ(owner.machine.next(), Next::transmit);
  EXPECT_EQ(left, rest);
}

// Every order of three options leaves the machine in a state that it can explain.
TEST(nbd_negotiation, all_orders_to_depth_three) {
  const std::vector<ByteString> options = {
      option(Option::list),
      option(Option::start_tls),
      option(Option::info, name_and_infos("", {3})),
      option(Option::go, name_and_infos("nobody")),
      option(Option::go, name_and_infos("")),
      option(Option::export_name),
      option(Option::structured_reply),
      option(Option::list_meta_context, name_and_queries("", {"base:"})),
      option(Option::set_meta_context, name_and_queries("", {"base:allocation"})),
      option(Option::abort),
      option(static_cast<Option>(1000), pattern(10, 0)),
  };
  for (std::size_t a = 0; a < options.size(); ++a) {
    for (std::size_t b = 0; b < options.size(); ++b) {
      for (std::size_t c = 0; c < options.size(); ++c) {
        Owner owner;
        owner.feed(join({client_flags(), options[a], options[b], options[c]}), 11);
        const OptionNegotiation& machine = owner.machine;
        EXPECT_EQ(owner.opened, machine.next() == Next::transmit ? 1 : 0);
        EXPECT_LE(machine.allocation(), machine.structured());
        bool may_be_structured = false;
        for (const std::size_t i : {a, b, c})
          may_be_structured |= i == 6;
        EXPECT_LE(machine.structured(), may_be_structured);
      }
    }
  }
}

}  // namespace
}  // namespace replicator::nbd
