#include "ha/membership/letters.hpp"

#include <utility>

#include "ha/words.hpp"

namespace ha::membership {

std::vector<Message> cut(const Letter& letter, std::uint64_t number) {
  std::vector<Message> messages;
  if (letter.text.size() > max_letter_bytes) return messages;
  const std::size_t parts =
      letter.text.empty() ? 1 : (letter.text.size() + letter_part_bytes - 1) / letter_part_bytes;
  for (std::size_t part = 0; part < parts; ++part) {
    Message message("crm");
    if (!letter.to.empty()) message.set("dest", letter.to);
    message.set("kind", letter.kind);
    message.set("letter", hex_text(number));
    message.set("part", hex_text(part + 1));
    message.set("parts", hex_text(parts));
    message.set("text", letter.text.substr(part * letter_part_bytes, letter_part_bytes),
                FieldType::binary);
    messages.push_back(std::move(message));
  }
  return messages;
}

std::optional<Letter> Letters::accept(const Message& message) {
  const std::string_view to = message.text("dest");
  if (message.type() != "crm" || (!to.empty() && to != own_name_)) return std::nullopt;
  const auto part = message.number("part", 16);
  const auto parts = message.number("parts", 16);
  const Field* text = message.find("text");
  std::string from(message.text("src"));
  if (!part || !parts || text == nullptr || *part == 0 || *part > *parts) return std::nullopt;
  if (*parts > max_letter_bytes / letter_part_bytes + 1) return std::nullopt;
  const std::string_view number = message.text("letter");
  Begun& begun = begun_[from];
  if (*part == 1) begun = Begun{std::string(number), *parts, 0, {}};
  // A part is missing: its sender restarted, or it was lost for good.
  if (begun.number != number || begun.parts != *parts || begun.have + 1 != *part) {
    begun_.erase(from);
    return std::nullopt;
  }
  begun.text += text->value;
  if (++begun.have < begun.parts) return std::nullopt;
  Letter letter{from, std::string(to), std::string(message.text("kind")), std::move(begun.text)};
  begun_.erase(from);
  return letter;
}

}  // namespace ha::membership
