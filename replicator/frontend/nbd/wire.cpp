#include "frontend/nbd/wire.hpp"

#include <algorithm>
#include <cstring>

namespace replicator::nbd {

namespace {

constexpr std::size_t chunk_head_bytes = 20;

void encode_chunk_head(Bytes to, std::uint16_t flags, Chunk type, std::uint64_t cookie,
                       std::uint32_t length) noexcept {
  write_be32(to, 0, structured_reply_magic);
  write_be16(to, 4, flags);
  write_be16(to, 6, static_cast<std::uint16_t>(type));
  write_be64(to, 8, cookie);
  write_be32(to, 16, length);
}

}  // namespace

bool parse_request(ConstBytes from, Request& request) noexcept {
  if (read_be32(from, 0) != request_magic) return false;
  request.flags = read_be16(from, 4);
  request.command = static_cast<Command>(read_be16(from, 6));
  request.cookie = read_be64(from, 8);
  request.offset = read_be64(from, 16);
  request.length = read_be32(from, 24);
  return true;
}

void encode_request(Bytes to, const Request& request) noexcept {
  write_be32(to, 0, request_magic);
  write_be16(to, 4, request.flags);
  write_be16(to, 6, static_cast<std::uint16_t>(request.command));
  write_be64(to, 8, request.cookie);
  write_be64(to, 16, request.offset);
  write_be32(to, 24, request.length);
}

std::size_t encode_simple_reply(Bytes to, Error error, std::uint64_t cookie) noexcept {
  write_be32(to, 0, simple_reply_magic);
  write_be32(to, 4, static_cast<std::uint32_t>(error));
  write_be64(to, 8, cookie);
  return 16;
}

std::size_t encode_none_chunk(Bytes to, std::uint64_t cookie) noexcept {
  encode_chunk_head(to, chunk_done, Chunk::none, cookie, 0);
  return chunk_head_bytes;
}

std::size_t encode_data_chunk(Bytes to, std::uint64_t cookie, std::uint64_t offset,
                              std::uint32_t length, bool done) noexcept {
  encode_chunk_head(to, done ? chunk_done : 0, Chunk::offset_data, cookie, 8 + length);
  write_be64(to, chunk_head_bytes, offset);
  return chunk_head_bytes + 8;
}

std::size_t encode_status_chunk(Bytes to, std::uint64_t cookie, std::uint32_t length) noexcept {
  encode_chunk_head(to, chunk_done, Chunk::block_status, cookie, 12);
  write_be32(to, chunk_head_bytes, allocation_context_id);
  write_be32(to, chunk_head_bytes + 4, length);
  write_be32(to, chunk_head_bytes + 8, 0);
  return chunk_head_bytes + 12;
}

std::size_t encode_error_chunk(Bytes to, std::uint64_t cookie, Error error,
                               const char* message) noexcept {
  const std::size_t length = std::min<std::size_t>(std::strlen(message), maximum_message_bytes);
  encode_chunk_head(to, chunk_done, Chunk::error, cookie, static_cast<std::uint32_t>(6 + length));
  write_be32(to, chunk_head_bytes, static_cast<std::uint32_t>(error));
  write_be16(to, chunk_head_bytes + 4, static_cast<std::uint16_t>(length));
  copy_bytes(to.subspan(chunk_head_bytes + 6), std::as_bytes(std::span(message, length)));
  return chunk_head_bytes + 6 + length;
}

}  // namespace replicator::nbd
