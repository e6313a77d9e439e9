// A cluster configuration with the status its nodes reported: sections by name and the version that
// decides which of two copies is newer (H17).
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "ha/config/element.hpp"

namespace ha::config {

struct Version {
  std::int64_t admin_epoch = 0;  // raised by hand, to win over everything
  std::int64_t epoch = 0;        // raised by each change of the configuration
  std::int64_t num_updates = 0;  // raised by each change of the status
  auto operator<=>(const Version&) const = default;
};

// From the three attributes; what is no number counts as 0.
[[nodiscard]] Version version_from(std::string_view admin_epoch, std::string_view epoch,
                                   std::string_view num_updates) noexcept;

class Cib {
 public:
  explicit Cib(Element root) : root_(std::move(root)) {}

  [[nodiscard]] static replicator::Result<Cib> parse(std::string_view text);

  [[nodiscard]] const Element& root() const noexcept { return root_; }
  [[nodiscard]] Element& root() noexcept { return root_; }
  [[nodiscard]] Version version() const noexcept;

  // A section of the configuration (crm_config, nodes, resources, …); an empty element when there
  // is none.
  [[nodiscard]] const Element& section(std::string_view name) const noexcept;
  [[nodiscard]] const Element& status() const noexcept;

 private:
  Element root_;
};

}  // namespace ha::config
