// A stream with TLS 1.3 around it. The handshake comes first; afterwards it is used as any stream.
// Memory is taken when it is made: nothing is allocated for what passes through.
//   P2  one deadline for the whole handshake; what is not TLS is recognised by its first byte
// Normative: docs/protocol.md#tls.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/io.hpp"
#include "io/sync.hpp"
#include "tls/session.hpp"

namespace replicator::tls {

// First byte of every TLS record that may open a conversation: an alert or a handshake.
constexpr bool looks_like_tls(ConstBytes begin) noexcept {
  return begin.size() >= 2 && (begin[0] == std::byte{0x15} || begin[0] == std::byte{0x16}) &&
         begin[1] == std::byte{0x03};
}

class TlsStream final : public io::Stream, io::Backend {
 public:
  // `clock` must outlive the stream.
  TlsStream(std::unique_ptr<io::Stream> inner, std::shared_ptr<const Context> context, Side side,
            io::Clock& clock);
  ~TlsStream() override;

  // Fault::incompatible: the peer does not speak TLS. Fault::not_permitted: TLS failed, problem()
  // tells why. timed_out, closed, io_error: the network. The peer is told where TLS has words.
  Task<Status> handshake(Instant deadline);

  using io::Stream::receive;
  using io::Stream::send;
  void receive(io::Op& op, Bytes into, Duration patience) override;
  void send(io::Op& op, std::span<const io::IoSlice> slices, Duration patience) override;
  void shutdown() noexcept override;
  [[nodiscard]] bool alive() noexcept override { return inner_->alive(); }
  [[nodiscard]] io::Address local() const noexcept override { return inner_->local(); }
  [[nodiscard]] io::Address peer() const noexcept override { return inner_->peer(); }
  [[nodiscard]] std::string problem() const override { return session_.problem(); }
  [[nodiscard]] std::string description() const { return session_.description(); }

 private:
  void forget(io::Op& op) noexcept override;
  void answer(io::Op*& op, std::int32_t result) noexcept;
  Task<void> receive_loop();
  Task<void> send_loop();
  Task<std::int32_t> receive_some(Bytes into, Duration patience);
  Task<std::int32_t> send_all(Duration patience);
  Task<std::int32_t> fill(Duration patience);
  Task<std::int32_t> drain(Duration patience);
  Task<void> refuse_plain();
  Task<void> wait_for_end();
  bool encrypt_some();
  ConstBytes next_plain();
  void consume(std::size_t count) noexcept;
  [[nodiscard]] Duration left(Instant deadline) const noexcept;

  std::unique_ptr<io::Stream> inner_;
  io::Clock& clock_;
  Session session_;

  io::Op* receiving_ = nullptr;
  Bytes into_;
  Duration receive_patience_;
  io::Event receive_asked_;

  io::Op* sending_ = nullptr;
  std::vector<io::IoSlice> slices_;
  std::size_t slice_ = 0;            // the one to go on with …
  std::size_t slice_offset_ = 0;     // … and from where
  std::vector<std::byte> gathered_;  // short slices make one record
  Duration send_patience_;
  io::Event send_asked_;

  io::Gate loops_;  // last: its frames refer to everything above
};

}  // namespace replicator::tls
