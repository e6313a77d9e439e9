// The client's half of NBD for tests: builds options and requests as bytes, takes replies apart.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/nbd/wire.hpp"

namespace replicator::test {

using ByteString = std::vector<std::byte>;

inline void append(ByteString& to, ConstBytes bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}
inline void append_text(ByteString& to, std::string_view text) {
  append(to, std::as_bytes(std::span(text)));
}
template <int bytes>
void append_number(ByteString& to, std::uint64_t value) {
  for (int i = bytes - 1; i >= 0; --i)
    to.push_back(static_cast<std::byte>(value >> (8 * static_cast<unsigned>(i))));
}
inline ByteString pattern(std::size_t size, unsigned seed) {
  ByteString data(size);
  for (std::size_t i = 0; i < size; ++i)
    data[i] = static_cast<std::byte>((i * 31U + i / 251U + seed) & 0xffU);
  return data;
}

inline ByteString client_flags(std::uint32_t flags = 3) {
  ByteString out;
  append_number<4>(out, flags);
  return out;
}
inline ByteString option(nbd::Option code, const ByteString& data = {}) {
  ByteString out;
  append_number<8>(out, nbd::option_magic);
  append_number<4>(out, static_cast<std::uint32_t>(code));
  append_number<4>(out, data.size());
  append(out, data);
  return out;
}
inline ByteString name_and_infos(std::string_view name,
                                 const std::vector<std::uint16_t>& infos = {}) {
  ByteString out;
  append_number<4>(out, name.size());
  append_text(out, name);
  append_number<2>(out, infos.size());
  for (const std::uint16_t info : infos)
    append_number<2>(out, info);
  return out;
}
inline ByteString name_and_queries(std::string_view name, const std::vector<std::string>& queries) {
  ByteString out;
  append_number<4>(out, name.size());
  append_text(out, name);
  append_number<4>(out, queries.size());
  for (const std::string& query : queries) {
    append_number<4>(out, query.size());
    append_text(out, query);
  }
  return out;
}
inline ByteString request(nbd::Command command, std::uint64_t cookie, std::uint64_t offset,
                          std::uint32_t length, std::uint16_t flags = 0) {
  ByteString out(nbd::request_bytes);
  nbd::encode_request(out, nbd::Request{flags, command, cookie, offset, length});
  return out;
}

// Replies to options as one line each: "ack", "server r0/0", "info 0 size=… flags=…", "error 6
// text".
inline std::vector<std::string> option_replies(ConstBytes in) {
  std::vector<std::string> lines;
  while (!in.empty()) {
    if (in.size() < 20 || read_be64(in, 0) != nbd::option_reply_magic) {
      lines.emplace_back("garbage");
      break;
    }
    const std::uint32_t type = read_be32(in, 12);
    const std::uint32_t length = read_be32(in, 16);
    if (in.size() - 20 < length) {
      lines.emplace_back("short");
      break;
    }
    const ConstBytes data = in.subspan(20, length);
    const auto text = [&](std::size_t from) {
      return std::string(reinterpret_cast<const char*>(data.data()) + from, data.size() - from);
    };
    std::string line;
    if (type >> 31U) line = "error " + std::to_string(type & 0x7fffffffU);
    else if (type == 1) line = "ack";
    else if (type == 2) line = "server " + text(4);
    else if (type == 4) line = "context " + std::to_string(read_be32(data, 0)) + " " + text(4);
    else if (type == 3 && read_be16(data, 0) == 0)
      line = "export size=" + std::to_string(read_be64(data, 2)) +
             " flags=" + std::to_string(read_be16(data, 10));
    else if (type == 3 && read_be16(data, 0) == 1) line = "name " + text(2);
    else if (type == 3 && read_be16(data, 0) == 3)
      line = "blocks " + std::to_string(read_be32(data, 2)) + " " +
             std::to_string(read_be32(data, 6)) + " " + std::to_string(read_be32(data, 10));
    else line = "unknown";
    lines.push_back(line);
    in = in.subspan(20 + length);
  }
  return lines;
}

// One message of the transmission phase. The payload of a simple reply can only be told by who
// knows the request: `read_lengths` gives it by cookie.
struct Reply {
  std::uint64_t cookie = 0;
  std::uint32_t error = 0;
  bool structured = false;
  bool done = true;
  nbd::Chunk chunk = nbd::Chunk::none;
  std::uint64_t offset = 0;
  ByteString data;
  std::string text;
};

class ReplyParser {
 public:
  void expect_data(std::uint64_t cookie, std::uint32_t length) {
    reads_.emplace_back(cookie, length);
  }
  void feed(ConstBytes bytes) { append(in_, bytes); }
  // False when no whole message is there. Garbage fails the test.
  bool next(Reply& reply) {
    reply = Reply();
    if (in_.size() < 16) return false;
    const std::uint32_t magic = read_be32(in_, 0);
    if (magic == nbd::simple_reply_magic) return simple(reply);
    if (magic == nbd::structured_reply_magic) return structured(reply);
    ADD_FAILURE() << "neither a simple nor a structured reply";
    in_.clear();
    return false;
  }
  [[nodiscard]] bool empty() const { return in_.empty(); }

 private:
  bool simple(Reply& reply) {
    reply.error = read_be32(in_, 4);
    reply.cookie = read_be64(in_, 8);
    std::uint32_t length = 0;
    std::size_t index = 0;
    for (; index < reads_.size(); ++index) {
      if (reads_[index].first != reply.cookie) continue;
      if (reply.error == 0) length = reads_[index].second;
      break;
    }
    if (in_.size() < 16 + std::size_t{length}) return false;
    if (index < reads_.size()) reads_.erase(reads_.begin() + static_cast<std::ptrdiff_t>(index));
    const ConstBytes data = ConstBytes(in_).subspan(16, length);
    reply.data.assign(data.begin(), data.end());
    drop(16 + std::size_t{length});
    return true;
  }
  bool structured(Reply& reply) {
    if (in_.size() < 20) return false;
    const std::size_t length = read_be32(in_, 16);
    if (in_.size() < 20 + length) return false;
    reply.structured = true;
    reply.done = (read_be16(in_, 4) & nbd::chunk_done) != 0;
    reply.chunk = static_cast<nbd::Chunk>(read_be16(in_, 6));
    reply.cookie = read_be64(in_, 8);
    ConstBytes data = ConstBytes(in_).subspan(20, length);
    if (reply.chunk == nbd::Chunk::offset_data) {
      reply.offset = read_be64(data, 0);
      data = data.subspan(8);
    } else if (reply.chunk == nbd::Chunk::error) {
      reply.error = read_be32(data, 0);
      EXPECT_EQ(read_be16(data, 4), data.size() - 6);
      data = data.subspan(6);
      reply.text.assign(reinterpret_cast<const char*>(data.data()), data.size());
    }
    reply.data.assign(data.begin(), data.end());
    drop(20 + length);
    return true;
  }
  void drop(std::size_t bytes) {
    in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(bytes));
  }
  ByteString in_;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> reads_;
};

}  // namespace replicator::test
