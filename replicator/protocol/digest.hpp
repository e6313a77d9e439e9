// Digests by the kernel's names; the only user of OpenSSL in the data path.
//   P3  comparison of secrets is constant-time
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/header.hpp"

namespace replicator {

// "md5", "sha1", "sha256", "sha384", "sha512", and "hmac(…)" spelled forms of them: what a
// challenge can be answered with.
bool digest_known(std::string_view name);
// HMAC of the message into `out` (64 bytes are enough); its length. Fault::unsupported: unknown
// name.
Result<std::size_t> hmac(std::string_view digest, std::string_view secret, ConstBytes message,
                         Bytes out);
bool equal_constant_time(ConstBytes a, ConstBytes b) noexcept;

// A digest that came with a packet; by value, so that it may wait for its block.
struct ReceivedDigest {
  std::array<std::byte, digest_bytes_max> bytes{};
  std::size_t size = 0;

  ReceivedDigest() noexcept = default;
  explicit ReceivedDigest(ConstBytes from) noexcept : size(from.size()) { copy_bytes(bytes, from); }
  [[nodiscard]] ConstBytes view() const noexcept { return ConstBytes(bytes).first(size); }
};

// An unkeyed digest of blocks, as verify-alg, csums-alg and data-integrity-alg name it. One object
// is used by one thread; its context is made once, so that hashing a block takes no memory.
class BlockDigest {
 public:
  BlockDigest() noexcept;  // none
  BlockDigest(BlockDigest&& other) noexcept;
  BlockDigest& operator=(BlockDigest&& other) noexcept;
  ~BlockDigest();

  // An empty name is "none"; Fault::unsupported: no such digest.
  static Result<BlockDigest> make(std::string_view name);
  static bool known(std::string_view name);

  [[nodiscard]] explicit operator bool() const noexcept { return bytes_ != 0; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  // Fills the first bytes() of `out`; not of "none".
  void compute(ConstBytes data, Bytes out) const noexcept;
  // `digest` is that of the data; false when it has another length.
  [[nodiscard]] bool matches(ConstBytes data, ConstBytes digest) const noexcept;

 private:
  struct Context;
  std::string name_;
  std::size_t bytes_ = 0;
  std::unique_ptr<Context> context_;  // null for checksums, which need none
};

}  // namespace replicator
