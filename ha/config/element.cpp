// Lookups in the configuration tree. Elements have few attributes: searching them in order beats
// any index.
#include "ha/config/element.hpp"

#include <algorithm>

namespace ha::config {

const std::string* Element::get(std::string_view attribute) const noexcept {
  for (const auto& [key, text_of_key] : attributes) {
    if (key == attribute) return &text_of_key;
  }
  return nullptr;
}

std::string_view Element::value(std::string_view attribute,
                                std::string_view otherwise) const noexcept {
  const std::string* found = get(attribute);
  return found == nullptr ? otherwise : std::string_view(*found);
}

void Element::set(std::string_view attribute, std::string_view value) {
  for (auto& [key, text_of_key] : attributes) {
    if (key == attribute) {
      text_of_key = value;
      return;
    }
  }
  attributes.emplace_back(attribute, value);
}

void Element::unset(std::string_view attribute) {
  std::erase_if(attributes, [&](const auto& pair) { return pair.first == attribute; });
}

const Element* Element::child(std::string_view child_name) const noexcept {
  for (const Element& candidate : children) {
    if (candidate.name == child_name) return &candidate;
  }
  return nullptr;
}

Element* Element::child(std::string_view child_name) noexcept {
  for (Element& candidate : children) {
    if (candidate.name == child_name) return &candidate;
  }
  return nullptr;
}

Element& Element::child_or_new(std::string_view child_name) {
  if (Element* existing = child(child_name); existing != nullptr) return *existing;
  children.push_back({std::string(child_name), {}, {}, {}});
  return children.back();
}

const Element* Element::find(std::string_view element_name,
                             std::string_view element_id) const noexcept {
  if (name == element_name && id() == element_id) return this;
  for (const Element& candidate : children) {
    if (const Element* found = candidate.find(element_name, element_id); found != nullptr) {
      return found;
    }
  }
  return nullptr;
}

const Element* resolve(const Element& element, const Element& root) noexcept {
  const std::string* reference = element.get("id-ref");
  return reference == nullptr ? &element : root.find(element.name, *reference);
}

}  // namespace ha::config
