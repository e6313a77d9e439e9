// One TLS 1.3 connection as a pure machine: ciphertext in, ciphertext out, plain bytes in and out.
// No sockets, no waiting. OpenSSL is behind it and nowhere else.
//   P2  both buffers are of fixed size; a peer can fill them and no more
//   P3  only TLS 1.3; the peer proves itself by a certificate of the configured authorities that
//       bears its name, or by the pre-shared key; there is no third way in
// Normative: docs/protocol.md#tls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "tls/material.hpp"

namespace replicator::tls {

enum class Side : std::uint8_t { client, server };

// Keys and rules, checked once and used by any number of sessions.
class Context {
 public:
  // Or what is wrong with the material, in words for the operator.
  static std::shared_ptr<const Context> create(const Material& material, std::string& problem);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context();

 private:
  Context() = default;
  friend class Session;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class Session {
 public:
  static constexpr std::size_t record_bytes_max = 16U << 10U;
  // Plain bytes that one round encrypts; the output holds them and what TLS adds.
  static constexpr std::size_t write_bytes_max = 8 * record_bytes_max;
  static constexpr std::size_t input_bytes = 64U << 10U;

  enum class Step : std::uint8_t {
    done,        // of the handshake; of a read: bytes were read
    needs_more,  // ciphertext of the peer
    closed,      // the peer said that nothing more comes
    failed,      // problem() tells
  };

  Session(std::shared_ptr<const Context> context, Side side);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  Step handshake();
  // At least one byte, or why not. `count` is set with Step::done.
  Step read(Bytes into, std::size_t& count);
  // Encrypts as much as one round takes; the output is empty before. False: problem() tells.
  bool write(ConstBytes plain, std::size_t& count);
  // Room in a round that was begun.
  [[nodiscard]] std::size_t write_room() const noexcept;

  // Where the peer's ciphertext goes; received() says how much came. Not empty after needs_more.
  Bytes input_room() noexcept;
  void received(std::size_t count) noexcept;
  // What has to be sent. take_output() lends it until the next but one call; from then on new
  // output goes elsewhere, so that it may be on its way meanwhile.
  [[nodiscard]] bool has_output() const noexcept;
  ConstBytes take_output() noexcept;

  [[nodiscard]] const std::string& problem() const noexcept;
  // "TLSv1.3 TLS_AES_128_GCM_SHA256", once the handshake is done.
  [[nodiscard]] std::string description() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace replicator::tls
