#include "ha/config/cib.hpp"

#include <charconv>

#include "ha/config/xml.hpp"

namespace ha::config {
namespace {

const Element& nothing() noexcept {
  static const Element empty;
  return empty;
}

std::int64_t number(std::string_view text) noexcept {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

replicator::Result<Cib> Cib::parse(std::string_view text) {
  replicator::Result<Element> root = parse_xml(text);
  if (!root) return tl::unexpected(root.error());
  if (root->name != "cib") {
    return replicator::failure(replicator::Fault::malformed, "not a cib element");
  }
  return Cib(std::move(*root));
}

Version Cib::version() const noexcept {
  return {number(root_.value("admin_epoch")), number(root_.value("epoch")),
          number(root_.value("num_updates"))};
}

const Element& Cib::section(std::string_view name) const noexcept {
  const Element* configuration = root_.child("configuration");
  const Element* found = configuration == nullptr ? nullptr : configuration->child(name);
  return found == nullptr ? nothing() : *found;
}

const Element& Cib::status() const noexcept {
  const Element* found = root_.child("status");
  return found == nullptr ? nothing() : *found;
}

}  // namespace ha::config
