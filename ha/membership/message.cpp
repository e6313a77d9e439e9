#include "ha/membership/message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace ha::membership {

Message& Message::set(std::string_view name, std::string_view value, FieldType type) {
  for (Field& field : fields_) {
    if (field.name != name) continue;
    field.type = type;
    field.value = value;
    return *this;
  }
  fields_.push_back(Field{std::string(name), type, std::string(value)});
  return *this;
}

void Message::remove(std::string_view name) {
  std::erase_if(fields_, [&](const Field& field) { return field.name == name; });
}

const Field* Message::find(std::string_view name) const noexcept {
  for (const Field& field : fields_) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

std::string_view Message::text(std::string_view name) const noexcept {
  const Field* field = find(name);
  return field != nullptr && field->type == FieldType::text ? std::string_view(field->value)
                                                            : std::string_view();
}

std::optional<std::uint64_t> Message::number(std::string_view name, int base) const noexcept {
  const std::string_view digits = text(name);
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::string hex_text(std::uint64_t value) { return fmt::format("{:x}", value); }

}  // namespace ha::membership
