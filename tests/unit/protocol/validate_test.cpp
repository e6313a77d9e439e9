#include "protocol/validate.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace {

using namespace replicator;

constexpr std::uint32_t megabyte = 1U << 20U;

// Lengths from `least` to `most` are right, all others are wrong.
struct Expectation {
  Packet packet;
  Socket socket;
  std::uint32_t least;
  std::uint32_t most;
};

// docs/protocol.md#packets for one version; `room` is what a bitmap packet may carry.
std::vector<Expectation> expectations(int version, std::uint32_t features) {
  const std::uint32_t room = version >= 100 ? 4080 : 4088;
  const std::uint32_t sizes = (features & feature_wsame) != 0 ? 56 : 32;
  const std::uint32_t parameters = version >= 95 ? 148 : 132;
  constexpr Socket data = Socket::data;
  constexpr Socket meta = Socket::meta;
  return {
      {Packet::data, data, 25, 24 + 64 + megabyte},
      {Packet::data_reply, data, 25, 24 + 64 + megabyte},
      {Packet::rs_data_reply, data, 25, 24 + 64 + megabyte},
      {Packet::barrier, data, 8, 8},
      {Packet::bitmap, data, 0, room},
      {Packet::unplug_remote, data, 0, 0},
      {Packet::data_request, data, 24, 24},
      {Packet::rs_data_request, data, 24, 24},
      {Packet::sync_param, data, 4, 68},
      {Packet::protocol, data, 24, 88},
      {Packet::uuids, data, 48, 48},
      {Packet::sizes, data, sizes, sizes},
      {Packet::state, data, 4, 4},
      {Packet::sync_uuid, data, 8, 8},
      {Packet::auth_challenge, data, 64, 128},
      {Packet::auth_response, data, 0, 64},
      {Packet::state_chg_req, data, 8, 8},
      {Packet::ping, meta, 0, 0},
      {Packet::ping_ack, meta, 0, 0},
      {Packet::recv_ack, meta, 24, 24},
      {Packet::write_ack, meta, 24, 24},
      {Packet::rs_write_ack, meta, 24, 24},
      {Packet::superseded, meta, 24, 24},
      {Packet::neg_ack, meta, 24, 24},
      {Packet::neg_dreply, meta, 24, 24},
      {Packet::neg_rs_dreply, meta, 24, 24},
      {Packet::barrier_ack, meta, 8, 8},
      {Packet::state_chg_reply, meta, 4, 4},
      {Packet::ov_request, data, 24, 24},
      {Packet::ov_reply, data, 24, 88},
      {Packet::ov_result, meta, 24, 24},
      {Packet::csum_rs_request, data, 24, 88},
      {Packet::rs_is_in_sync, meta, 24, 24},
      {Packet::sync_param89, data, parameters, parameters},
      {Packet::compressed_bitmap, data, 2, room},
      {Packet::delay_probe, data, 8, 8},
      {Packet::delay_probe, meta, 8, 8},
      {Packet::out_of_sync, data, 16, 16},
      {Packet::rs_cancel, meta, 24, 24},
      {Packet::conn_st_chg_req, data, 8, 8},
      {Packet::conn_st_chg_reply, meta, 4, 4},
      {Packet::retry_write, meta, 24, 24},
      {Packet::protocol_update, data, 24, 88},
      {Packet::trim, data, 28, 28},
      {Packet::rs_thin_req, data, 24, 24},
      {Packet::rs_deallocated, data, 16, 16},
      {Packet::zeroes, data, 28, 28},
      {Packet::connection_features, data, 72, 72},
  };
}

std::set<std::uint32_t> probes(const Expectation& e) {
  std::set<std::uint32_t> lengths = {0, 1, 4, 0x7fffffff, 0x8000, 0x80000000, 0xffffffff, megabyte};
  for (std::uint32_t length = 0; length <= 200; ++length)
    lengths.insert(length);
  for (const std::uint32_t bound : {e.least, e.most}) {
    lengths.insert(bound);
    lengths.insert(bound + 1);
    lengths.insert(bound - 1);  // wraps below zero on purpose
  }
  return lengths;
}

TEST(Validate, EveryLengthOfEveryPacket) {
  for (const int version : {86, 88, 89, 94, 95, 99, 100, 101}) {
    for (const std::uint32_t features : {0U, 0xfU}) {
      for (const Expectation& e : expectations(version, features)) {
        for (const std::uint32_t length : probes(e)) {
          const bool right = length >= e.least && length <= e.most;
          const Status status = check_length(e.packet, e.socket, length, version, features);
          EXPECT_EQ(status.ok(), right) << name(e.packet) << " " << length << " at " << version;
          if (!right) {
            EXPECT_EQ(status.fault(), Fault::protocol_error);
          }
        }
      }
    }
  }
}

TEST(Validate, NothingElseOnEitherSocket) {
  for (const Socket socket : {Socket::data, Socket::meta}) {
    std::set<std::uint32_t> known;
    for (const Expectation& e : expectations(101, 0xf)) {
      if (e.socket == socket) known.insert(static_cast<std::uint32_t>(e.packet));
    }
    for (std::uint32_t code = 0; code <= 0xffff; ++code) {
      if (known.contains(code)) continue;
      const auto command = static_cast<Packet>(code);
      for (const std::uint32_t length : {0U, 4U, 8U, 24U, 28U, 72U, 4096U}) {
        EXPECT_FALSE(check_length(command, socket, length, 101, 0xf).ok()) << code << " " << length;
      }
    }
  }
}

// A receiver may keep what a length promises, except where data is read piece by piece.
TEST(Validate, WhatMustBeBufferedIsSmall) {
  for (const Expectation& e : expectations(101, 0xf)) {
    const bool data = e.packet == Packet::data || e.packet == Packet::data_reply ||
                      e.packet == Packet::rs_data_reply;
    if (!data) {
      EXPECT_LE(e.most, bitmap_packet_bytes_max) << name(e.packet);
    }
  }
}

}  // namespace
