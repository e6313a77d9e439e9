// The handshake, fixed newstyle, as a machine without I/O: bytes in, reply bytes and a decision
// out. It owns everything a client can make it remember: one option of at most `option_limit` bytes
// and the replies to one option. Nothing of the device is touched before a client names the export
// and asks for it (P2); a client that sends more than `total_limit` bytes is cut off (P6).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "frontend/nbd/wire.hpp"

namespace replicator::nbd {

// What a client is told about the device.
struct Export {
  std::uint64_t size = 0;
  std::uint32_t minimum_block = 512;
  std::uint32_t preferred_block = 4096;
  bool writable = false;
};

class OptionNegotiation {
 public:
  static constexpr std::uint32_t option_limit = 8192;     // longer ones are skipped
  static constexpr std::uint32_t skip_limit = 64 * 1024;  // still longer ones end the connection
  static constexpr std::uint32_t total_limit = 256 * 1024;

  enum class Next : std::uint8_t {
    receive,   // send output(), then feed() more
    describe,  // the client asks about the export: answer() or refuse()
    open,      // the same, and transmission begins if it is answered: the device must be open
    transmit,  // send output(); every byte not taken by feed() belongs to requests
    close,     // send output(), then close
  };

  // The name outlives this object.
  explicit OptionNegotiation(std::string_view export_name);

  // Takes bytes from the front of `in`, at most up to the end of one option, and returns how many.
  // Only while next() is `receive`.
  std::size_t feed(ConstBytes in);
  void answer(const Export& facts);
  // `why` is shown to the user of the client.
  void refuse(OptionReply error, std::string_view why);

  [[nodiscard]] Next next() const noexcept { return next_; }
  // What has to be sent now; it begins with the greeting.
  [[nodiscard]] ConstBytes output() const noexcept { return output_; }
  void output_sent() noexcept { output_.clear(); }
  [[nodiscard]] bool structured() const noexcept { return structured_; }
  [[nodiscard]] bool allocation() const noexcept { return allocation_; }

 private:
  enum class Stage : std::uint8_t { client_flags, option_header, option_data, skipped_data };

  std::size_t fill(ConstBytes in);
  void stage_complete();
  void on_client_flags();
  void on_option_header();
  void on_option(ConstBytes data);
  void on_export_name(ConstBytes data);
  void on_list(ConstBytes data);
  void on_info_or_go(ConstBytes data);
  void on_structured_reply(ConstBytes data);
  void on_meta_context(ConstBytes data);
  void expect(Stage stage, std::uint32_t bytes) noexcept;
  void close() noexcept { next_ = Next::close; }
  [[nodiscard]] bool is_our_export(ConstBytes name) const noexcept;
  [[nodiscard]] std::uint16_t transmission_flags(const Export& facts) const noexcept;

  void put_16(std::uint16_t value);
  void put_32(std::uint32_t value);
  void put_64(std::uint64_t value);
  void put_text(std::string_view text);
  void reply_head(OptionReply type, std::uint32_t length);
  void reply(OptionReply type, std::string_view text = {});
  void reply_context(std::uint32_t id);

  std::string_view export_name_;
  std::vector<std::byte> output_;
  std::array<std::byte, option_limit> data_{};
  std::uint32_t have_ = 0;  // of the present stage
  std::uint32_t need_ = 4;
  std::uint32_t total_ = 0;
  Stage stage_ = Stage::client_flags;
  Next next_ = Next::receive;
  Option option_ = Option::abort;
  bool fixed_newstyle_ = false;
  bool no_zeroes_ = false;
  bool structured_ = false;
  bool allocation_ = false;
  bool wants_name_ = false;
  bool wants_block_size_ = false;
};

}  // namespace replicator::nbd
