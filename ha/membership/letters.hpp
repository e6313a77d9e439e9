// Long texts between nodes, over reliable messages that are short: a letter is cut into parts and
// handed on when all of them are there (H17: whole or not at all).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ha/membership/message.hpp"

namespace ha::membership {

inline constexpr std::size_t max_letter_bytes = std::size_t{16} << 20U;
inline constexpr std::size_t letter_part_bytes = std::size_t{24} << 10U;

struct Letter {
  std::string from;
  std::string to;  // empty: everybody
  std::string kind;
  std::string text;

  bool operator==(const Letter&) const = default;
};

// In the order in which they are to be sent; none when the letter is too long.
[[nodiscard]] std::vector<Message> cut(const Letter& letter, std::uint64_t number);

class Letters {
 public:
  explicit Letters(std::string own_name) : own_name_(std::move(own_name)) {}
  // A letter that is complete with this message, and for this node or for everybody.
  [[nodiscard]] std::optional<Letter> accept(const Message& message);
  // What this node began to say will not be finished.
  void forget(const std::string& node) { begun_.erase(node); }

 private:
  struct Begun {
    std::string number;
    std::uint64_t parts = 0;
    std::uint64_t have = 0;
    std::string text;
  };
  std::string own_name_;
  std::map<std::string, Begun, std::less<>> begun_;
};

}  // namespace ha::membership
