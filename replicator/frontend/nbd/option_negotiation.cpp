#include "frontend/nbd/option_negotiation.hpp"

#include <algorithm>

#include "base/ensure.hpp"

namespace replicator::nbd {

namespace {

constexpr std::string_view allocation_name = "base:allocation";
constexpr std::string_view base_wildcard = "base:";
constexpr std::uint32_t option_header_bytes = 16;

std::string_view as_text(ConstBytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Reads an option's data front to back; after the first read beyond its end it is not ok() and
// everything reads as zero or empty. Lengths are compared, never added.
class Reader {
 public:
  explicit Reader(ConstBytes data) noexcept : rest_(data) {}
  std::uint32_t number(std::size_t bytes) noexcept {
    const ConstBytes raw = take(bytes);
    std::uint32_t value = 0;
    for (const std::byte byte : raw)
      value = value << 8U | std::to_integer<std::uint32_t>(byte);
    return value;
  }
  ConstBytes string() noexcept {
    const std::uint32_t length = number(4);
    if (length > maximum_name_bytes) ok_ = false;
    return take(length);
  }
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] bool at_end() const noexcept { return ok_ && rest_.empty(); }

 private:
  ConstBytes take(std::size_t bytes) noexcept {
    if (!ok_ || bytes > rest_.size()) {
      ok_ = false;
      return {};
    }
    const ConstBytes taken = rest_.first(bytes);
    rest_ = rest_.subspan(bytes);
    return taken;
  }
  ConstBytes rest_;
  bool ok_ = true;
};

}  // namespace

OptionNegotiation::OptionNegotiation(std::string_view export_name) : export_name_(export_name) {
  ensure(export_name.size() <= maximum_name_bytes);
  put_64(greeting_magic);
  put_64(option_magic);
  put_16(handshake_fixed_newstyle | handshake_no_zeroes);
}

std::size_t OptionNegotiation::feed(ConstBytes in) {
  std::size_t used = 0;
  while (next_ == Next::receive && used < in.size()) {
    used += fill(in.subspan(used));
    if (have_ < need_) break;
    stage_complete();
    const bool between_options = stage_ == Stage::option_header && have_ == 0;
    if (between_options) break;
  }
  return used;
}

std::size_t OptionNegotiation::fill(ConstBytes in) {
  const std::size_t count = std::min<std::size_t>(need_ - have_, in.size());
  if (stage_ != Stage::skipped_data) copy_bytes(Bytes(data_).subspan(have_), in.first(count));
  have_ += static_cast<std::uint32_t>(count);
  total_ += static_cast<std::uint32_t>(count);
  if (total_ > total_limit) close();
  return count;
}

void OptionNegotiation::expect(Stage stage, std::uint32_t bytes) noexcept {
  stage_ = stage;
  have_ = 0;
  need_ = bytes;
}

void OptionNegotiation::stage_complete() {
  if (next_ == Next::close) return;
  switch (stage_) {
    case Stage::client_flags: return on_client_flags();
    case Stage::option_header: return on_option_header();
    case Stage::option_data: {
      const ConstBytes data = ConstBytes(data_).first(need_);
      expect(Stage::option_header, option_header_bytes);
      return on_option(data);
    }
    case Stage::skipped_data:
      expect(Stage::option_header, option_header_bytes);
      return reply(OptionReply::error_too_big, "option data too long");
  }
}

void OptionNegotiation::on_client_flags() {
  const std::uint32_t flags = read_be32(data_);
  fixed_newstyle_ = (flags & handshake_fixed_newstyle) != 0;
  no_zeroes_ = (flags & handshake_no_zeroes) != 0;
  if ((flags & ~(handshake_fixed_newstyle | handshake_no_zeroes)) != 0) return close();
  expect(Stage::option_header, option_header_bytes);
}

void OptionNegotiation::on_option_header() {
  if (read_be64(data_, 0) != option_magic) return close();
  option_ = static_cast<Option>(read_be32(data_, 8));
  const std::uint32_t length = read_be32(data_, 12);
  // Without fixed newstyle the client does not understand replies; one option is left to it.
  // And that option has no way to report an error.
  if (!fixed_newstyle_ && option_ != Option::export_name) return close();
  if (option_ == Option::export_name && length > maximum_name_bytes) return close();
  if (length > skip_limit) return close();
  if (length > option_limit) return expect(Stage::skipped_data, length);
  expect(Stage::option_data, length);
  if (length == 0) stage_complete();
}

void OptionNegotiation::on_option(ConstBytes data) {
  switch (option_) {
    case Option::export_name: return on_export_name(data);
    case Option::abort: reply(OptionReply::ack); return close();
    case Option::list: return on_list(data);
    case Option::info:
    case Option::go: return on_info_or_go(data);
    case Option::structured_reply: return on_structured_reply(data);
    case Option::list_meta_context:
    case Option::set_meta_context: return on_meta_context(data);
    default: return reply(OptionReply::error_unsupported, "option not supported");
  }
}

void OptionNegotiation::on_export_name(ConstBytes data) {
  if (!is_our_export(data)) return close();
  next_ = Next::open;
}

void OptionNegotiation::on_list(ConstBytes data) {
  if (!data.empty()) return reply(OptionReply::error_invalid, "no data expected");
  const auto length = static_cast<std::uint32_t>(export_name_.size());
  reply_head(OptionReply::server, 4 + length);
  put_32(length);
  put_text(export_name_);
  reply(OptionReply::ack);
}

void OptionNegotiation::on_info_or_go(ConstBytes data) {
  Reader reader(data);
  const ConstBytes name = reader.string();
  const std::uint32_t count = reader.number(2);
  wants_name_ = false;
  wants_block_size_ = false;
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    const std::uint32_t wanted = reader.number(2);
    if (!reader.ok()) break;
    if (wanted == info_name) wants_name_ = true;
    if (wanted == info_block_size) wants_block_size_ = true;
  }
  if (!reader.at_end()) return reply(OptionReply::error_invalid, "malformed option data");
  if (!is_our_export(name)) return reply(OptionReply::error_unknown, "no export of this name here");
  next_ = option_ == Option::go ? Next::open : Next::describe;
}

void OptionNegotiation::on_structured_reply(ConstBytes data) {
  if (!data.empty()) return reply(OptionReply::error_invalid, "no data expected");
  structured_ = true;
  reply(OptionReply::ack);
}

void OptionNegotiation::on_meta_context(ConstBytes data) {
  const bool setting = option_ == Option::set_meta_context;
  if (setting) allocation_ = false;  // also when this request fails
  if (!structured_) {
    return reply(OptionReply::error_invalid, "structured replies must be negotiated first");
  }
  Reader reader(data);
  const ConstBytes name = reader.string();
  const std::uint32_t count = reader.number(4);
  bool selected = !setting && count == 0;
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    const std::string_view query = as_text(reader.string());
    if (query == allocation_name || (!setting && query == base_wildcard)) selected = true;
  }
  if (!reader.at_end()) return reply(OptionReply::error_invalid, "malformed option data");
  if (!is_our_export(name)) return reply(OptionReply::error_unknown, "no export of this name here");
  if (selected) reply_context(setting ? allocation_context_id : 0);
  allocation_ = setting ? selected : allocation_;
  reply(OptionReply::ack);
}

void OptionNegotiation::answer(const Export& facts) {
  ensure(next_ == Next::open || next_ == Next::describe);
  const bool opened = next_ == Next::open;
  next_ = opened ? Next::transmit : Next::receive;
  if (option_ == Option::export_name) {
    put_64(facts.size);
    put_16(transmission_flags(facts));
    if (!no_zeroes_) output_.resize(output_.size() + 124);
    return;
  }
  reply_head(OptionReply::info, 12);
  put_16(info_export);
  put_64(facts.size);
  put_16(transmission_flags(facts));
  if (wants_name_) {
    reply_head(OptionReply::info, static_cast<std::uint32_t>(2 + export_name_.size()));
    put_16(info_name);
    put_text(export_name_);
  }
  if (wants_block_size_) {
    reply_head(OptionReply::info, 14);
    put_16(info_block_size);
    put_32(facts.minimum_block);
    put_32(facts.preferred_block);
    put_32(maximum_payload_bytes);
  }
  reply(OptionReply::ack);
}

void OptionNegotiation::refuse(OptionReply error, std::string_view why) {
  ensure(next_ == Next::open || next_ == Next::describe);
  if (option_ == Option::export_name) return close();
  next_ = Next::receive;
  reply(error, why);
}

// The empty name means "the only one there is".
bool OptionNegotiation::is_our_export(ConstBytes name) const noexcept {
  return name.empty() || as_text(name) == export_name_;
}

// Several connections see one engine, so a flush on any of them covers the writes of all.
std::uint16_t OptionNegotiation::transmission_flags(const Export& facts) const noexcept {
  unsigned flags = has_flags | send_flush | send_fua | can_multi_conn;
  flags |= facts.writable ? unsigned{send_trim | send_write_zeroes} : unsigned{read_only};
  if (structured_) flags |= send_df;
  return static_cast<std::uint16_t>(flags);
}

void OptionNegotiation::put_16(std::uint16_t value) {
  output_.resize(output_.size() + 2);
  write_be16(output_, output_.size() - 2, value);
}

void OptionNegotiation::put_32(std::uint32_t value) {
  output_.resize(output_.size() + 4);
  write_be32(output_, output_.size() - 4, value);
}

void OptionNegotiation::put_64(std::uint64_t value) {
  output_.resize(output_.size() + 8);
  write_be64(output_, output_.size() - 8, value);
}

void OptionNegotiation::put_text(std::string_view text) {
  const ConstBytes bytes = std::as_bytes(std::span(text));
  output_.insert(output_.end(), bytes.begin(), bytes.end());
}

void OptionNegotiation::reply_head(OptionReply type, std::uint32_t length) {
  put_64(option_reply_magic);
  put_32(static_cast<std::uint32_t>(option_));
  put_32(static_cast<std::uint32_t>(type));
  put_32(length);
}

void OptionNegotiation::reply(OptionReply type, std::string_view text) {
  reply_head(type, static_cast<std::uint32_t>(text.size()));
  put_text(text);
}

void OptionNegotiation::reply_context(std::uint32_t id) {
  reply_head(OptionReply::meta_context, static_cast<std::uint32_t>(4 + allocation_name.size()));
  put_32(id);
  put_text(allocation_name);
}

}  // namespace replicator::nbd
