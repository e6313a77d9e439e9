// The configuration as a tree. Whoever reads it picks what it knows; what nobody knows stays where
// it is and is written back unchanged, so that an older program does not lose the settings of a
// newer one.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ha::config {

struct Element {
  std::string name;
  std::vector<std::pair<std::string, std::string>> attributes;
  std::vector<Element> children;
  std::string text;  // character data, in front of the children

  [[nodiscard]] const std::string* get(std::string_view attribute) const noexcept;
  [[nodiscard]] std::string_view value(std::string_view attribute,
                                       std::string_view otherwise = {}) const noexcept;
  void set(std::string_view attribute, std::string_view value);
  void unset(std::string_view attribute);

  [[nodiscard]] std::string_view id() const noexcept { return value("id"); }
  [[nodiscard]] const Element* child(std::string_view child_name) const noexcept;
  [[nodiscard]] Element* child(std::string_view child_name) noexcept;
  Element& child_or_new(std::string_view child_name);

  // Depth first; null when there is none.
  [[nodiscard]] const Element* find(std::string_view element_name,
                                    std::string_view element_id) const noexcept;
};

// An element with id-ref stands for the one it names; null when that does not exist.
[[nodiscard]] const Element* resolve(const Element& element, const Element& root) noexcept;

}  // namespace ha::config
