#include "ha/membership/codec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace ha::membership {

namespace {

constexpr std::string_view net_begin = "###\n";
constexpr std::string_view net_end = "%%%\n";
constexpr std::string_view lines_begin = ">>>\n";
constexpr std::string_view lines_end = "<<<\n";
constexpr std::string_view base64_letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string to_base64(std::string_view raw) {
  std::string text;
  for (std::size_t at = 0; at < raw.size(); at += 3) {
    std::uint32_t group = 0;
    const std::size_t have = std::min<std::size_t>(3, raw.size() - at);
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8U;
      if (i < have) group |= static_cast<unsigned char>(raw[at + i]);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t letter = (group >> (18U - 6U * i)) & 63U;
      text.push_back(i <= have ? base64_letters[letter] : '=');
    }
  }
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string raw;
  for (std::size_t at = 0; at < text.size(); at += 4) {
    std::uint32_t group = 0;
    std::size_t letters = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const char c = text[at + i];
      const std::size_t value = base64_letters.find(c);
      const bool pad = c == '=' && i >= 2 && at + 4 == text.size();
      if (value == std::string_view::npos ? !pad : letters != i) return std::nullopt;
      if (!pad) ++letters;
      group = group << 6U | static_cast<std::uint32_t>(pad ? 0 : value);
    }
    for (std::size_t i = 0; i + 1 < letters; ++i)
      raw.push_back(static_cast<char>((group >> (16U - 8U * i)) & 0xffU));
  }
  return raw;
}

void append_net_string(std::string& to, std::string_view content) {
  fmt::format_to(std::back_inserter(to), "{}:{},", content.size(), content);
}

void append_net_field(std::string& to, const Field& field) {
  append_net_string(
      to, fmt::format("({}){}={}", static_cast<unsigned>(field.type), field.name, field.value));
}

std::string line_of(const Field& field) {
  if (field.type == FieldType::text) return fmt::format("{}={}\n", field.name, field.value);
  const bool binary = field.type == FieldType::binary;
  return fmt::format("({}){}={}\n", static_cast<unsigned>(field.type), field.name,
                     binary ? to_base64(field.value) : field.value);
}

// Takes "LEN:content," from the front.
std::optional<std::string_view> take_net_string(std::string_view& rest) {
  std::size_t length = 0;
  const std::size_t digits = std::min<std::size_t>(rest.size(), 6);
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + digits, length);
  if (error != std::errc()) return std::nullopt;
  const auto used = static_cast<std::size_t>(end - rest.data());
  if (used >= rest.size() || rest[used] != ':') return std::nullopt;
  rest.remove_prefix(used + 1);
  if (length >= rest.size() || rest[length] != ',') return std::nullopt;
  const std::string_view content = rest.substr(0, length);
  rest.remove_prefix(length + 1);
  return content;
}

// "(T)name=value", or "name=value" when `untyped` is allowed.
Result<Field> parse_field(std::string_view text, bool untyped) {
  Field field;
  if (text.size() >= 3 && text[0] == '(' && text[2] == ')') {
    if (text[1] < '0' || text[1] > '5') return failure(Fault::malformed, "type of a field");
    field.type = static_cast<FieldType>(text[1] - '0');
    text.remove_prefix(3);
  } else if (!untyped) {
    return failure(Fault::malformed, "field without a type");
  }
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return failure(Fault::malformed, "field without a name");
  }
  if (equals > max_name_bytes) return failure(Fault::out_of_range, "name of a field");
  field.name = text.substr(0, equals);
  field.value = text.substr(equals + 1);
  // A text with a line end in it would say two different things in the two forms of a packet.
  const bool text_breaks =
      field.type == FieldType::text &&
      field.value.find_first_of(std::string_view("\n\0", 2)) != std::string::npos;
  if (text_breaks || field.name.find('\n') != std::string::npos) {
    return failure(Fault::malformed, "line end in a field");
  }
  return field;
}

Status add_field(Message& message, Field field) {
  if (message.fields().size() >= max_fields) return Status(Fault::out_of_range, "fields");
  if (message.has(field.name)) return Status(Fault::malformed, "field given twice");
  message.add(std::move(field));
  return Status();
}

Result<Message> open_net_strings(std::string_view packet, const AuthKeys& keys) {
  Message message;
  std::string_view rest = packet.substr(net_begin.size());
  while (!rest.starts_with(net_end)) {
    const std::optional<std::string_view> content = take_net_string(rest);
    if (!content) return failure(Fault::malformed, "length of a field");
    Result<Field> field = parse_field(*content, false);
    if (!field) return failure(field.error().fault(), field.error().where());
    const Status added = add_field(message, std::move(*field));
    if (!added.ok()) return failure(added.fault(), added.where());
  }
  rest.remove_prefix(net_end.size());
  const std::string_view covered = packet.substr(0, packet.size() - rest.size());
  const std::optional<std::string_view> signature = take_net_string(rest);
  if (!signature || !rest.empty()) return failure(Fault::authentication, "no signature");
  if (!keys.verify(covered, *signature)) return failure(Fault::authentication, "signature");
  message.remove("auth");
  return message;
}

Result<Message> open_lines(std::string_view packet, const AuthKeys& keys) {
  if (packet.ends_with('\0')) packet.remove_suffix(1);
  if (!packet.ends_with(lines_end)) return failure(Fault::malformed, "no end");
  std::string_view rest = packet.substr(lines_begin.size());
  rest.remove_suffix(lines_end.size());
  Message message;
  std::string covered;
  std::optional<std::string> signature;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) return failure(Fault::malformed, "line without an end");
    const std::string_view line = rest.substr(0, end + 1);
    rest.remove_prefix(end + 1);
    Result<Field> field = parse_field(line.substr(0, end), true);
    if (!field) return failure(field.error().fault(), field.error().where());
    if (field->name == "auth" && !signature) {
      signature = std::move(field->value);
      continue;
    }
    covered += line;
    if (field->type == FieldType::binary) {
      std::optional<std::string> raw = from_base64(field->value);
      if (!raw) return failure(Fault::malformed, "base64");
      field->value = std::move(*raw);
    }
    const Status added = add_field(message, std::move(*field));
    if (!added.ok()) return failure(added.fault(), added.where());
  }
  if (!signature) return failure(Fault::authentication, "no signature");
  if (!keys.verify(covered, *signature)) return failure(Fault::authentication, "signature");
  return message;
}

}  // namespace

std::string signed_lines(const Message& message) {
  std::string lines;
  for (const Field& field : message.fields()) {
    if (field.name != "auth") lines += line_of(field);
  }
  return lines;
}

std::string encode_lines(const Message& message) {
  std::string text(lines_begin);
  for (const Field& field : message.fields())
    text += line_of(field);
  text += lines_end;
  return text;
}

std::string seal(const Message& message, const AuthKeys& keys) {
  std::string packet(net_begin);
  for (const Field& field : message.fields())
    append_net_field(packet, field);
  append_net_field(packet, Field{"auth", FieldType::text, keys.sign(signed_lines(message))});
  packet += net_end;
  append_net_string(packet, keys.sign(packet));
  return packet;
}

Result<Message> open(std::string_view packet, const AuthKeys& keys) {
  if (packet.size() > max_packet_bytes) return failure(Fault::out_of_range, "packet");
  if (packet.starts_with(net_begin)) return open_net_strings(packet, keys);
  if (packet.starts_with(lines_begin)) return open_lines(packet, keys);
  return failure(Fault::malformed, "neither form of a packet");
}

}  // namespace ha::membership
