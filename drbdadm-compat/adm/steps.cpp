#include "adm/steps.hpp"

#include "control/status_json.hpp"

namespace replicator::adm {
namespace {

using config::LocalResource;
using config::LocalVolume;
using config::Section;

Step setup(std::vector<std::string> arguments) {
  return Step{Tool::drbdsetup, std::move(arguments)};
}

void append(Step& step, const std::vector<std::string>& words) {
  step.arguments.insert(step.arguments.end(), words.begin(), words.end());
}

std::string minor_word(const LocalVolume& volume) { return std::to_string(volume.minor); }

}  // namespace

control::OptionMap option_map(const Section& section, const Locals& all) {
  control::OptionMap map;
  for (const config::Setting& setting : section.settings) {
    std::string value = setting.value;
    if (setting.name == "resync-after") {
      const auto minor = config::resync_after_minor(all, value);
      if (!minor) continue;  // not on this host: nothing to wait for
      value = std::to_string(*minor);
    }
    map[setting.name] = std::move(value);
  }
  return map;
}

std::vector<std::string> option_words(const Section& section, const Locals& all) {
  const control::OptionMap map = option_map(section, all);
  std::vector<std::string> words;
  for (const config::Setting& setting : section.settings) {
    const auto found = map.find(setting.name);
    if (found != map.end()) words.push_back("--" + setting.name + "=" + found->second);
  }
  return words;
}

std::string address_word(const config::Address& address) {
  return address.family + ":" + address.endpoint();
}

Step new_resource_step(const LocalResource& resource, const Locals& all) {
  Step step = setup({"new-resource", resource.name()});
  append(step, option_words(resource.options, all));
  return step;
}

Step new_minor_step(const LocalResource& resource, const LocalVolume& volume) {
  return setup({"new-minor", resource.name(), minor_word(volume), std::to_string(volume.number)});
}

Step attach_step(const LocalVolume& volume, const Locals& all) {
  Step step = setup({"attach", minor_word(volume), volume.disk, volume.meta_disk,
                     control::index_text(volume.meta_index)});
  append(step, option_words(volume.options, all));
  return step;
}

Step connect_step(const LocalResource& resource, const Locals& all) {
  Step step = setup({"connect", resource.name(), address_word(*resource.local_address),
                     address_word(*resource.peer_address)});
  if (!resource.peer_name.empty()) step.arguments.push_back("--_name=" + resource.peer_name);
  append(step, option_words(resource.net, all));
  return step;
}

Step disconnect_step(const LocalResource& resource) {
  return setup(
      {"disconnect", address_word(*resource.local_address), address_word(*resource.peer_address)});
}

Step disk_options_step(const LocalVolume& volume, const Locals& all) {
  Step step = setup({"disk-options", minor_word(volume), "--set-defaults"});
  append(step, option_words(volume.options, all));
  return step;
}

Step net_options_step(const LocalResource& resource, const Locals& all) {
  Step step = setup({"net-options", address_word(*resource.local_address),
                     address_word(*resource.peer_address), "--set-defaults"});
  append(step, option_words(resource.net, all));
  return step;
}

Step resource_options_step(const LocalResource& resource, const Locals& all) {
  Step step = setup({"resource-options", resource.name(), "--set-defaults"});
  append(step, option_words(resource.options, all));
  return step;
}

std::vector<Step> resize_steps(const LocalVolume& volume) {
  std::vector<Step> steps{minor_step("resize", volume)};
  const config::Setting* size = volume.options.find("size");
  if (size != nullptr) steps.back().arguments.push_back("--size=" + size->value);
  if (!volume.diskless()) steps.push_back(metadata_step("check-resize", volume));
  return steps;
}

Step wait_step(std::string_view command, const LocalResource& resource, const LocalVolume& volume) {
  Step step = minor_step(command, volume);
  for (const char* name :
       {"wfc-timeout", "degr-wfc-timeout", "outdated-wfc-timeout", "wait-after-sb"}) {
    if (const config::Setting* setting = resource.startup.find(name)) {
      step.arguments.push_back("--" + setting->name + "=" + setting->value);
    }
  }
  return step;
}

Step minor_step(std::string_view command, const LocalVolume& volume) {
  return setup({std::string(command), minor_word(volume)});
}

Step metadata_step(std::string_view command, const LocalVolume& volume) {
  const bool flexible = volume.meta_index.kind == MetaDiskIndex::Kind::flexible;
  return Step{
      Tool::drbdmeta,
      {minor_word(volume), "v08", volume.meta_disk,
       flexible ? "flex-external" : control::index_text(volume.meta_index), std::string(command)}};
}

}  // namespace replicator::adm
