#include "config/model.hpp"

#include <utility>

namespace replicator::config {

const Setting* Section::find(std::string_view name) const noexcept {
  for (const Setting& setting : settings) {
    if (setting.name == name) return &setting;
  }
  return nullptr;
}

void Section::set(Setting setting) {
  for (Setting& present : settings) {
    if (present.name == setting.name) {
      present = std::move(setting);
      return;
    }
  }
  settings.push_back(std::move(setting));
}

void Section::inherit(const Section& outer) {
  std::vector<Setting> merged = outer.settings;
  std::swap(merged, settings);
  for (Setting& setting : merged)
    set(std::move(setting));
}

std::string Address::endpoint() const {
  const std::string host = family == "ipv6" ? "[" + ip + "]" : ip;
  return host + ":" + std::to_string(port);
}

const Resource* Config::find(std::string_view name) const noexcept {
  for (const Resource& resource : resources) {
    if (resource.name == name) return &resource;
  }
  return nullptr;
}

const Volume* find_volume(const std::vector<Volume>& volumes, std::uint32_t number) noexcept {
  for (const Volume& volume : volumes) {
    if (volume.number == number) return &volume;
  }
  return nullptr;
}

}  // namespace replicator::config
