// A heartbeat message: named fields in order. Values are bytes; only binary ones may hold anything
// but text. What the fields mean is the business of others.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ha/words.hpp"

namespace ha::membership {

// The digit of "(T)name=value".
enum class FieldType : std::uint8_t {
  text = 0,
  binary = 1,
  nested = 2,
  list = 3,
  compressed = 4,
  uncompressed = 5,
};

struct Field {
  std::string name;
  FieldType type = FieldType::text;
  std::string value;

  bool operator==(const Field&) const = default;
};

// What a packet may hold; more is refused.
inline constexpr std::size_t max_fields = 128;
inline constexpr std::size_t max_name_bytes = 64;
inline constexpr std::size_t max_packet_bytes = 65507;  // of one UDP datagram

class Message {
 public:
  Message() = default;
  explicit Message(std::string_view type) { set("t", type); }

  // Adds the field, or gives it a new value in its place.
  Message& set(std::string_view name, std::string_view value, FieldType type = FieldType::text);
  void add(Field field) { fields_.push_back(std::move(field)); }
  void remove(std::string_view name);

  [[nodiscard]] const Field* find(std::string_view name) const noexcept;
  [[nodiscard]] bool has(std::string_view name) const noexcept { return find(name) != nullptr; }
  // The value of a text field; empty when there is none.
  [[nodiscard]] std::string_view text(std::string_view name) const noexcept;
  [[nodiscard]] std::string_view type() const noexcept { return text("t"); }
  // Nothing when the field is missing or is not a number of that base that fits.
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view name, int base) const noexcept;

  [[nodiscard]] const std::vector<Field>& fields() const noexcept { return fields_; }
  bool operator==(const Message&) const = default;

 private:
  std::vector<Field> fields_;
};

std::string hex_text(std::uint64_t value);

}  // namespace ha::membership
