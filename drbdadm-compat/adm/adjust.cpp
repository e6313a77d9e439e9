#include "adm/adjust.hpp"

#include "control/option_table.hpp"

namespace replicator::adm {
namespace {

using config::LocalResource;
using config::LocalVolume;
using control::ResourceShow;
using control::VolumeShow;

// Names and values that differ between two option groups of one kind.
template <class Options>
std::vector<std::string> differences(const Options& running, const config::Section& section,
                                     const Locals& all) {
  Options wanted;
  std::vector<std::string> found;
  if (const auto problem = control::apply_options(option_map(section, all), wanted)) {
    // drbdsetup will say so again, with the option's name, when the step runs.
    found.push_back(*problem);
    return found;
  }
  const std::vector<control::PrintedOption> before = control::print_options(running, true);
  const std::vector<control::PrintedOption> after = control::print_options(wanted, true);
  for (std::size_t i = 0; i < before.size() && i < after.size(); ++i) {
    if (before[i].text == after[i].text) continue;
    found.push_back("Value of '" + std::string(before[i].option->name) +
                    "' differs: r=" + before[i].text + " c=" + after[i].text);
  }
  return found;
}

const VolumeShow* find_running(const ResourceShow& running, std::uint32_t number) {
  for (const VolumeShow& volume : running.volumes) {
    if (volume.volume == number) return &volume;
  }
  return nullptr;
}

bool same_backing(const LocalVolume& wanted, const BackingConfig& running) {
  return wanted.disk == running.disk_path && wanted.meta_disk == running.meta_disk_path &&
         wanted.meta_index.kind == running.meta_index.kind &&
         wanted.meta_index.slot == running.meta_index.slot;
}

// In sectors; 0: as large as the disks allow. None: not a size, which drbdsetup will say.
std::optional<std::uint64_t> configured_size(const LocalVolume& volume) {
  const config::Setting* setting = volume.options.find("size");
  if (setting == nullptr) return 0;
  const auto* option = control::find_option(control::OptionSection::disk, "size");
  const control::ParsedOption parsed = control::parse_option(*option, setting->value);
  if (!parsed.problem.empty()) return std::nullopt;
  return static_cast<std::uint64_t>(parsed.value.number);
}

void set_size(config::Section& options, std::uint64_t sectors) {
  std::erase_if(options.settings,
                [](const config::Setting& setting) { return setting.name == "size"; });
  if (sectors != 0) options.settings.push_back({"size", std::to_string(sectors) + "s", {}});
}

class Adjuster {
 public:
  Adjuster(const LocalResource& wanted, const Locals& all, const ResourceShow* running,
           AdjustOptions options)
      : wanted_(wanted), all_(all), running_(running), options_(options) {}

  Adjustment run() {
    if (running_ == nullptr) create();
    else change_resource();
    if (!options_.skip_net) cut_connection();
    if (!options_.skip_disk) remove_volumes();
    if (!options_.skip_disk) {
      for (const LocalVolume& volume : wanted_.volumes)
        adjust_volume(volume);
    }
    if (!options_.skip_net) adjust_connection();
    return std::move(result_);
  }

 private:
  void step(Stage stage, Step one) { result_.of(stage).push_back(std::move(one)); }
  void reason(std::string line) { result_.reasons.push_back(std::move(line)); }
  void reasons(const std::vector<std::string>& lines) {
    result_.reasons.insert(result_.reasons.end(), lines.begin(), lines.end());
  }

  void create() {
    reason("resource is not up");
    step(Stage::create, new_resource_step(wanted_, all_));
  }

  void change_resource() {
    const auto found = differences(running_->options, wanted_.options, all_);
    if (found.empty()) return;
    reasons(found);
    step(Stage::create, resource_options_step(wanted_, all_));
  }

  [[nodiscard]] bool addresses_differ() const {
    return control::address_text(running_->peer.local) != address_word(*wanted_.local_address) ||
           control::address_text(running_->peer.peer) != address_word(*wanted_.peer_address);
  }

  void cut_connection() {
    if (running_ == nullptr || !running_->has_connection || !addresses_differ()) return;
    reason("addresses differ: r=" + control::address_text(running_->peer.local) + " " +
           control::address_text(running_->peer.peer) + " c=" +
           address_word(*wanted_.local_address) + " " + address_word(*wanted_.peer_address));
    step(Stage::release, Step{Tool::drbdsetup, {"disconnect", wanted_.name()}});
    cut_ = true;
  }

  void adjust_connection() {
    if (running_ == nullptr || !running_->has_connection || cut_) {
      if (!cut_) reason("no connection");
      step(Stage::connect, connect_step(wanted_, all_));
      return;
    }
    const auto found = differences(running_->net, wanted_.net, all_);
    if (found.empty()) return;
    reasons(found);
    step(Stage::net_options, net_options_step(wanted_, all_));
  }

  void remove_volume(const VolumeShow& volume) {
    const std::string minor = std::to_string(volume.minor);
    if (volume.backing) step(Stage::release, Step{Tool::drbdsetup, {"detach", minor}});
    step(Stage::release, Step{Tool::drbdsetup, {"del-minor", minor}});
  }

  void remove_volumes() {
    if (running_ == nullptr) return;
    for (const VolumeShow& volume : running_->volumes) {
      const LocalVolume* wanted = wanted_.find(volume.volume);
      if (wanted != nullptr && wanted->minor == volume.minor) continue;
      reason(wanted == nullptr ? "volume " + std::to_string(volume.volume) + " is not configured"
                               : "minor differs: r=" + std::to_string(volume.minor) +
                                     " c=" + std::to_string(wanted->minor));
      remove_volume(volume);
    }
  }

  void attach(const LocalVolume& volume) {
    if (volume.diskless()) return;
    step(Stage::attach, metadata_step("apply-al", volume));
    step(Stage::attach, attach_step(volume, all_));
  }

  void adjust_volume(const LocalVolume& volume) {
    const VolumeShow* running =
        running_ == nullptr ? nullptr : find_running(*running_, volume.number);
    if (running == nullptr || running->minor != volume.minor) {
      if (running_ != nullptr) reason("volume " + std::to_string(volume.number) + " is new");
      step(Stage::devices, new_minor_step(wanted_, volume));
      attach(volume);
      return;
    }
    if (!running->backing) {
      if (!volume.diskless()) reason("minor " + std::to_string(volume.minor) + " has no disk");
      attach(volume);
      return;
    }
    if (volume.diskless() || !same_backing(volume, *running->backing)) {
      reason("disk differs: r=" + running->backing->disk_path + " c=" + volume.disk);
      step(Stage::release, minor_step("detach", volume));
      attach(volume);
      return;
    }
    adjust_disk(volume, *running);
  }

  // A size is not an option like others: it takes effect by a resize, which may be refused (without
  // a Primary, during a resync). The options are in place before that.
  void adjust_disk(const LocalVolume& volume, const VolumeShow& running) {
    LocalVolume same_size = volume;
    set_size(same_size.options, running.disk.size_sectors);
    const auto found = differences(running.disk, same_size.options, all_);
    if (!found.empty()) {
      reasons(found);
      step(Stage::disks, disk_options_step(same_size, all_));
    }
    const std::optional<std::uint64_t> size = configured_size(volume);
    if (!size || *size == running.disk.size_sectors) return;
    reason("Value of 'size' differs: r=" + std::to_string(running.disk.size_sectors) +
           "s c=" + std::to_string(*size) + "s");
    for (Step& one : resize_steps(volume))
      step(Stage::disks, std::move(one));
  }

  const LocalResource& wanted_;
  const Locals& all_;
  const ResourceShow* running_;
  AdjustOptions options_;
  Adjustment result_;
  bool cut_ = false;
};

}  // namespace

Adjustment adjust(const LocalResource& wanted, const Locals& all, const ResourceShow* running,
                  AdjustOptions options) {
  return Adjuster(wanted, all, running, options).run();
}

}  // namespace replicator::adm
