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

Version version_from(std::string_view admin_epoch, std::string_view epoch,
                     std::string_view num_updates) noexcept {
  return {number(admin_epoch), number(epoch), number(num_updates)};
}

replicator::Result<Cib> Cib::parse(std::string_view text) {
  replicator::Result<Element> root = parse_xml(text);
  if (!root) return tl::unexpected(root.error());
  if (root->name != "cib") {
    return replicator::failure(replicator::Fault::malformed, "not a cib element");
  }
  return Cib(std::move(*root));
}

Version Cib::version() const noexcept {
  return version_from(root_.value("admin_epoch"), root_.value("epoch"), root_.value("num_updates"));
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
