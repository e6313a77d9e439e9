// Validation of requests as a table: one line per reason to refuse, and the limits on either side.
#include "frontend/nbd/request.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace replicator::nbd {
namespace {

constexpr std::uint64_t size = 64U << 20U;
constexpr std::uint64_t huge = 1ULL << 40U;
constexpr std::uint32_t most = maximum_payload_bytes;
constexpr std::uint32_t mib = 1U << 20U;

struct Row {
  Command command;
  std::uint16_t flags;
  std::uint64_t offset;
  std::uint32_t length;
  Error error;
  bool close;
};

Session session_for(std::uint64_t bytes) {
  Session session;
  session.size = bytes;
  session.writable = true;
  session.structured = true;
  session.allocation = true;
  return session;
}

void check(const Row& row, const Session& session) {
  const Request request{row.flags, row.command, 1, row.offset, row.length};
  const Verdict verdict = validate(request, session);
  const auto what = ::testing::Message() << static_cast<int>(row.command) << " flags " << row.flags
                                         << " offset " << row.offset << " length " << row.length;
  EXPECT_EQ(verdict.error, row.error) << what << ": " << verdict.why;
  EXPECT_EQ(verdict.close, row.close) << what;
  EXPECT_EQ(verdict.error == Error::none, *verdict.why == '\0') << what;
}

TEST(nbd_request, table) {
  const auto ok = Error::none;
  const auto bad = Error::invalid;
  const Row rows[] = {
      {Command::read, 0, 0, 512, ok, false},
      {Command::read, flag_fua, 0, 4096, ok, false},
      {Command::read, flag_df, 0, mib, ok, false},
      {Command::read, flag_df, 0, mib + 512, Error::overflow, false},
      {Command::read, flag_no_hole, 0, 512, bad, false},
      {Command::read, flag_fast_zero, 0, 512, bad, false},
      {Command::read, 0x8000, 0, 512, bad, false},
      {Command::read, 0, 0, 0, bad, false},
      {Command::read, 0, 0, 1, bad, false},
      {Command::read, 0, 1, 512, bad, false},
      {Command::read, 0, size - 512, 512, ok, false},
      {Command::read, 0, size - 512, 1024, bad, false},
      {Command::read, 0, size, 512, bad, false},
      {Command::read, 0, ~0ULL - 511, 512, bad, false},
      {Command::read, 0, ~0ULL - 511, 1024, bad, false},
      {Command::read, 0, 0, most, ok, false},
      {Command::read, 0, 0, most - 512, ok, false},
      {Command::read, 0, 0, most + 512, Error::overflow, false},
      {Command::read, 0, 0, 1U << 31U, bad, false},
      {Command::read, 0, 0, ~0U, bad, false},
      {Command::write, 0, 0, 512, ok, false},
      {Command::write, flag_fua, size - 512, 512, ok, false},
      {Command::write, flag_df, 0, 512, bad, false},
      {Command::write, flag_no_hole, 0, 512, bad, false},
      {Command::write, 0, 0, 0, bad, false},
      {Command::write, 0, 0, 1, bad, false},
      {Command::write, 0, size, 512, Error::no_space, false},
      {Command::write, 0, ~0ULL - 511, 512, Error::no_space, false},
      {Command::write, 0, 0, most, ok, false},
      {Command::write, 0, 0, most + 1, bad, true},
      {Command::write, 0, 0, 1U << 31U, bad, true},
      {Command::write, 0, 0, ~0U, bad, true},
      {Command::flush, 0, 0, 0, ok, false},
      {Command::flush, flag_fua, 0, 0, ok, false},
      {Command::flush, 0, 512, 0, bad, false},
      {Command::flush, 0, 0, 512, bad, false},
      {Command::trim, flag_fua, 0, 512, ok, false},
      {Command::trim, flag_no_hole, 0, 512, bad, false},
      {Command::trim, 0, 0, most + 512, ok, false},
      {Command::trim, 0, size, 512, bad, false},
      {Command::trim, 0, 0, ~0U, bad, false},
      {Command::write_zeroes, flag_fua | flag_no_hole, 0, 512, ok, false},
      {Command::write_zeroes, flag_fast_zero, 0, 512, bad, false},
      {Command::write_zeroes, 0, 0, most + 512, ok, false},
      {Command::write_zeroes, 0, 512, 1U << 31U, Error::no_space, false},
      {Command::block_status, flag_req_one, 0, 512, ok, false},
      {Command::block_status, 0, 0, most + 512, ok, false},
      {Command::block_status, 0, 0, 0, bad, false},
      {Command::block_status, 0, size, 512, bad, false},
      {Command::block_status, 0, 0, ~0U, bad, false},
      {Command::cache, 0, 0, 512, bad, false},
      {static_cast<Command>(8), 0, 0, 512, bad, false},
      {static_cast<Command>(0xffff), 0, 0, 512, bad, false},
  };
  for (const Row& row : rows)
    check(row, session_for(size));
}

TEST(nbd_request, effects_up_to_the_largest_length_are_accepted_on_a_device_that_has_it) {
  check({Command::trim, 0, 512, 0xfffffe00U, Error::none, false}, session_for(huge));
  check({Command::write_zeroes, 0, 512, 0xfffffe00U, Error::none, false}, session_for(huge));
  check({Command::block_status, 0, 512, 0xfffffe00U, Error::none, false}, session_for(huge));
  check({Command::read, 0, 512, 0xfffffe00U, Error::overflow, false}, session_for(huge));
  check({Command::write, 0, 512, 0xfffffe00U, Error::invalid, true}, session_for(huge));
}

TEST(nbd_request, a_read_only_export_refuses_what_writes) {
  Session session = session_for(size);
  session.writable = false;
  for (const Command command : {Command::write, Command::trim, Command::write_zeroes})
    check({command, 0, 0, 512, Error::not_permitted, false}, session);
  for (const Command command : {Command::read, Command::block_status})
    check({command, 0, 0, 512, Error::none, false}, session);
  check({Command::flush, 0, 0, 0, Error::none, false}, session);
  check({Command::write, 0, 0, most + 1, Error::invalid, true}, session);
}

TEST(nbd_request, what_was_not_negotiated_is_refused) {
  Session session = session_for(size);
  session.structured = false;
  session.allocation = false;
  check({Command::read, flag_df, 0, 512, Error::invalid, false}, session);
  check({Command::block_status, 0, 0, 512, Error::invalid, false}, session);
  check({Command::read, 0, 0, most + 512, Error::invalid, false}, session);
}

TEST(nbd_request, large_blocks_are_enforced) {
  Session session = session_for(size);
  session.block_bytes = 4096;
  for (const Command command : {Command::read, Command::write, Command::trim}) {
    check({command, 0, 512, 4096, Error::invalid, false}, session);
    check({command, 0, 4096, 512, Error::invalid, false}, session);
    check({command, 0, 4096, 4096, Error::none, false}, session);
  }
}

TEST(nbd_request, an_empty_device_has_nothing_to_offer) {
  check({Command::read, 0, 0, 512, Error::invalid, false}, session_for(0));
  check({Command::write, 0, 0, 512, Error::no_space, false}, session_for(0));
}

TEST(nbd_request, faults_have_their_numbers) {
  EXPECT_EQ(error_of(Status(), Command::read), Error::none);
  EXPECT_EQ(error_of(Status(Fault::io_error, "", EIO), Command::read), Error::io);
  EXPECT_EQ(error_of(Status(Fault::io_error, "", ENOSPC), Command::write), Error::no_space);
  EXPECT_EQ(error_of(Status(Fault::read_only), Command::write), Error::not_permitted);
  EXPECT_EQ(error_of(Status(Fault::out_of_range), Command::read), Error::invalid);
  EXPECT_EQ(error_of(Status(Fault::out_of_range), Command::write), Error::no_space);
  EXPECT_EQ(error_of(Status(Fault::no_good_data), Command::read), Error::io);
  EXPECT_EQ(error_of(Status(Fault::no_disk), Command::read), Error::io);
  EXPECT_EQ(error_of(Status(Fault::canceled), Command::write), Error::shutdown);
  EXPECT_EQ(error_of(Status(Fault::unsupported), Command::write_zeroes), Error::io);
}

}  // namespace
}  // namespace replicator::nbd
