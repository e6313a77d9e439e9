#include "ublk/requests.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

namespace replicator::shim::ublk {
namespace {

Descriptor request(std::uint32_t operation, std::uint64_t sector, std::uint32_t sectors,
                   std::uint32_t flags = 0) {
  Descriptor descriptor;
  descriptor.operation_and_flags = operation | flags;
  descriptor.first_sector = sector;
  descriptor.sectors = sectors;
  return descriptor;
}

TEST(UblkRequests, WhatTheBlockLayerAsksBecomesWhatTheVolumeDoes) {
  struct Case {
    Descriptor asked;
    Action::Kind kind;
    std::uint64_t offset;
    std::uint64_t length;
    bool force_unit_access;
    bool may_unmap;
  };
  const Case cases[] = {
      {request(operation_read, 8, 1), Action::Kind::read, 4096, 512, false, true},
      {request(operation_write, 0, 1024), Action::Kind::write, 0, 524288, false, true},
      {request(operation_write, 1, 8, flag_force_unit_access), Action::Kind::write, 512, 4096, true,
       true},
      {request(operation_flush, 0, 0), Action::Kind::flush, 0, 0, false, false},
      {request(operation_discard, 16, 524288), Action::Kind::discard, 8192, 268435456, false, true},
      {request(operation_write_zeroes, 8, 8), Action::Kind::write_zeroes, 4096, 4096, false, true},
      {request(operation_write_zeroes, 8, 8, flag_no_unmap), Action::Kind::write_zeroes, 4096, 4096,
       false, false},
      // A volume of 1 EiB, and its last sector.
      {request(operation_read, (1ULL << 51U) - 1, 1), Action::Kind::read, (1ULL << 60U) - 512, 512,
       false, true},
  };
  for (const Case& each : cases) {
    const Action action = interpret(each.asked);
    EXPECT_EQ(action.kind, each.kind) << each.asked.operation_and_flags;
    EXPECT_EQ(action.range.begin.value(), each.offset);
    EXPECT_EQ(action.range.length.value(), each.length);
    EXPECT_EQ(action.force_unit_access, each.force_unit_access);
    EXPECT_EQ(action.may_unmap, each.may_unmap);
  }
}

TEST(UblkRequests, WhatNoRequestCanBeIsRefused) {
  const Descriptor cases[] = {
      request(4, 0, 8),                              // WRITE_SAME
      request(13, 0, 8),                             // of zoned devices
      request(255, 0, 8),                            //
      request(operation_read, 0, 0),                 // nothing to read
      request(operation_write, 0, 1025),             // more than was offered
      request(operation_read, ~0ULL, 8),             // beyond all numbers
      request(operation_discard, ~0ULL >> 10U, ~0U)  //
  };
  for (const Descriptor& each : cases) {
    const Action action = interpret(each);
    EXPECT_EQ(action.kind, Action::Kind::unknown) << each.operation_and_flags;
    EXPECT_TRUE(action.range.empty() || action.kind == Action::Kind::unknown);
  }
}

TEST(UblkRequests, Answers) {
  const Action read = interpret(request(operation_read, 0, 8));
  const Action write = interpret(request(operation_write, 0, 1024));
  const Action flush = interpret(request(operation_flush, 0, 0));
  const Action discard = interpret(request(operation_discard, 0, 8));
  EXPECT_EQ(answer(read, Status()), 4096);
  EXPECT_EQ(answer(write, Status()), 524288);
  EXPECT_EQ(answer(flush, Status()), 0);
  EXPECT_EQ(answer(discard, Status()), 0);
  const struct {
    Fault fault;
    int error;
  } faults[] = {{Fault::io_error, EIO},
                {Fault::no_good_data, EIO},
                {Fault::read_only, EROFS},
                {Fault::out_of_range, EINVAL},
                {Fault::unsupported, EOPNOTSUPP},
                {Fault::not_permitted, EPERM},
                {Fault::busy, EBUSY},
                {Fault::suspended, EIO}};
  for (const auto& each : faults)
    EXPECT_EQ(answer(write, Status(each.fault)), -each.error) << text(each.fault);
}

TEST(UblkRequests, ADriverServesUsWhenItCanCopyAndRecover) {
  const std::uint64_t all =
      feature_user_recovery | feature_reissue | feature_encoded_commands | feature_user_copy;
  EXPECT_TRUE(serves_us(all));
  EXPECT_TRUE(serves_us(~0ULL));
  for (const std::uint64_t missing :
       {feature_user_recovery, feature_reissue, feature_encoded_commands, feature_user_copy})
    EXPECT_FALSE(serves_us(all & ~missing)) << missing;
  EXPECT_EQ(device_flags(all, true), all);
  EXPECT_EQ(device_flags(all, false), feature_encoded_commands | feature_user_copy);
  EXPECT_EQ(device_flags(~0ULL, true),
            all | feature_update_size | feature_safe_stop | feature_no_partition_scan);
}

TEST(UblkRequests, ParametersOfAVolume) {
  struct Case {
    std::uint64_t size;
    std::uint32_t block;
    std::uint32_t preferred;
    std::uint32_t maximum;
    bool rotational;
    std::uint64_t sectors;
    int logical;
    int physical;
    std::uint32_t request_sectors;
  };
  const Case cases[] = {
      {67067904, 512, 4096, 1U << 20U, false, 130992, 9, 12, 1024},
      {1ULL << 40U, 512, 4096, 128U << 10U, true, 1ULL << 31U, 9, 12, 256},
      {1ULL << 50U, 4096, 512, 1U << 20U, false, 1ULL << 41U, 12, 12, 1024},
  };
  for (const Case& each : cases) {
    io::BlockLimits limits;
    limits.size = ByteCount(each.size);
    limits.block_bytes = each.block;
    limits.preferred_bytes = each.preferred;
    limits.maximum_bytes = each.maximum;
    const Parameters told = parameters(limits, each.rotational);
    EXPECT_EQ(told.length, sizeof(Parameters));
    EXPECT_EQ(told.types, parameters_basic | parameters_discard);
    EXPECT_EQ(told.device_sectors, each.sectors);
    EXPECT_EQ(told.logical_block_shift, each.logical);
    EXPECT_EQ(told.physical_block_shift, each.physical);
    EXPECT_EQ(told.request_sectors_max, each.request_sectors);
    EXPECT_EQ((told.attributes & attribute_rotational) != 0, each.rotational);
    EXPECT_TRUE((told.attributes & attribute_volatile_cache) != 0);
    EXPECT_TRUE((told.attributes & attribute_force_unit_access) != 0);
    EXPECT_EQ(told.discard_segments_max, 1);
    EXPECT_GT(told.discard_sectors_max, 0U);
    EXPECT_GT(told.write_zeroes_sectors_max, 0U);
  }
}

TEST(UblkRequests, PlacesInTheCharacterDevice) {
  EXPECT_EQ(data_position(0, 0), 0x80000000U);
  EXPECT_EQ(data_position(0, 1), 0x80000000U + (32ULL << 20U));
  EXPECT_EQ(data_position(1, 0), 0x80000000U + (1ULL << 41U));
  EXPECT_EQ(descriptors_position(0), 0U);
  EXPECT_EQ(descriptors_position(1), 98304U);
  EXPECT_EQ(descriptors_bytes(1), 4096U);
  EXPECT_EQ(descriptors_bytes(170), 4096U);
  EXPECT_EQ(descriptors_bytes(171), 8192U);
  EXPECT_EQ(descriptors_bytes(4096), 98304U);
}

}  // namespace
}  // namespace replicator::shim::ublk
