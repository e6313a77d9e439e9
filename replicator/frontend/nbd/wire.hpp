// The NBD protocol's numbers and fixed layouts (doc/proto.md of the reference implementation is
// normative). Fixed newstyle negotiation, simple and structured replies; no TLS, no extended
// headers. Encoders write into memory whose size the caller has provided and return how many bytes
// they used.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"

namespace replicator::nbd {

inline constexpr std::uint64_t greeting_magic = 0x4e42444d41474943ULL;  // "NBDMAGIC"
inline constexpr std::uint64_t option_magic = 0x49484156454f5054ULL;    // "IHAVEOPT"
inline constexpr std::uint64_t option_reply_magic = 0x0003e889045565a9ULL;
inline constexpr std::uint32_t request_magic = 0x25609513U;
inline constexpr std::uint32_t simple_reply_magic = 0x67446698U;
inline constexpr std::uint32_t structured_reply_magic = 0x668e33efU;

// Both for the server's handshake flags and for the client's answer.
inline constexpr std::uint32_t handshake_fixed_newstyle = 1U << 0U;
inline constexpr std::uint32_t handshake_no_zeroes = 1U << 1U;

enum class Option : std::uint32_t {
  export_name = 1,
  abort = 2,
  list = 3,
  start_tls = 5,
  info = 6,
  go = 7,
  structured_reply = 8,
  list_meta_context = 9,
  set_meta_context = 10,
};

enum class OptionReply : std::uint32_t {
  ack = 1,
  server = 2,
  info = 3,
  meta_context = 4,
  error_unsupported = (1U << 31U) + 1,
  error_policy = (1U << 31U) + 2,
  error_invalid = (1U << 31U) + 3,
  error_unknown = (1U << 31U) + 6,
  error_shutdown = (1U << 31U) + 7,
  error_too_big = (1U << 31U) + 9,
};

inline constexpr std::uint16_t info_export = 0;
inline constexpr std::uint16_t info_name = 1;
inline constexpr std::uint16_t info_block_size = 3;

enum TransmissionFlag : std::uint16_t {
  has_flags = 1U << 0U,
  read_only = 1U << 1U,
  send_flush = 1U << 2U,
  send_fua = 1U << 3U,
  rotational = 1U << 4U,
  send_trim = 1U << 5U,
  send_write_zeroes = 1U << 6U,
  send_df = 1U << 7U,
  can_multi_conn = 1U << 8U,
};

enum class Command : std::uint16_t {
  read = 0,
  write = 1,
  disconnect = 2,
  flush = 3,
  trim = 4,
  cache = 5,
  write_zeroes = 6,
  block_status = 7,
};

enum CommandFlag : std::uint16_t {
  flag_fua = 1U << 0U,
  flag_no_hole = 1U << 1U,
  flag_df = 1U << 2U,
  flag_req_one = 1U << 3U,
  flag_fast_zero = 1U << 4U,
};

// The error numbers of the protocol. They look like Linux's but are the protocol's own.
enum class Error : std::uint32_t {
  none = 0,
  not_permitted = 1,
  io = 5,
  invalid = 22,
  no_space = 28,
  overflow = 75,
  shutdown = 108,
};

enum class Chunk : std::uint16_t {
  none = 0,
  offset_data = 1,
  block_status = 5,
  error = (1U << 15U) + 1,
};
inline constexpr std::uint16_t chunk_done = 1;

inline constexpr std::uint32_t maximum_name_bytes = 4096;
inline constexpr std::uint32_t maximum_payload_bytes = 32U << 20U;  // what we advertise
inline constexpr std::uint32_t maximum_message_bytes = 80;  // texts we put into error chunks
inline constexpr std::uint32_t allocation_context_id = 1;

struct Request {
  std::uint16_t flags = 0;
  Command command = Command::read;
  std::uint64_t cookie = 0;  // opaque
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
};
inline constexpr std::size_t request_bytes = 28;

// False when these request_bytes do not begin with the magic number. Every other value is possible
// and judged by validate() (request.hpp).
bool parse_request(ConstBytes from, Request& request) noexcept;
void encode_request(Bytes to, const Request& request) noexcept;

// Each reply's head fits into this.
inline constexpr std::size_t maximum_head_bytes = 20 + 6 + maximum_message_bytes;

std::size_t encode_simple_reply(Bytes to, Error error, std::uint64_t cookie) noexcept;
std::size_t encode_none_chunk(Bytes to, std::uint64_t cookie) noexcept;
// The head of a chunk that `length` bytes of data follow.
std::size_t encode_data_chunk(Bytes to, std::uint64_t cookie, std::uint64_t offset,
                              std::uint32_t length, bool done) noexcept;
// One extent of allocated data, which is always a legal answer.
std::size_t encode_status_chunk(Bytes to, std::uint64_t cookie, std::uint32_t length) noexcept;
std::size_t encode_error_chunk(Bytes to, std::uint64_t cookie, Error error,
                               const char* message) noexcept;

}  // namespace replicator::nbd
