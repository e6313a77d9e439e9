// A configuration as it was written: nothing inherited, nothing looked up. resolve.hpp derives what
// holds for one host; dump.hpp writes it back.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.hpp"
#include "control/option_table.hpp"

namespace replicator::config {

using control::OptionSection;

struct Setting {
  std::string name;
  std::string value;  // as written, booleans as yes or no
  Place place;
};

struct Section {
  std::optional<Place> opened;  // where `net {` and the like stand
  std::vector<Setting> settings;

  [[nodiscard]] const Setting* find(std::string_view name) const noexcept;
  void set(Setting setting);           // replaces the value of the same name, in its place
  void inherit(const Section& outer);  // what outer says and this does not; outer's come first
};

// One block's option sections.
class Sections {
 public:
  Section& of(OptionSection kind) noexcept { return list_[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] const Section& of(OptionSection kind) const noexcept {
    return list_[static_cast<std::size_t>(kind)];
  }

 private:
  std::array<Section, 6> list_;  // one for each OptionSection
};

struct Address {
  std::string family;  // ipv4, ipv6, ssocks, sdp
  std::string ip;      // without brackets
  std::uint32_t port = 0;
  Place place;

  [[nodiscard]] std::string endpoint() const;  // "10.0.0.1:7788", "[fd00::1]:7788"
};

struct Device {
  std::string name;   // "/dev/drbd0"; never empty
  bool named = true;  // false: only the minor was written
  std::uint32_t minor = 0;
  Place place;
};

struct MetaDisk {
  std::string device;  // "internal" or a path
  std::optional<std::uint32_t> slot;
  [[nodiscard]] bool internal() const noexcept { return device == "internal"; }
};

struct Volume {
  std::uint32_t number = 0;
  bool implicit = false;  // written without a `volume` block
  Place place;
  std::optional<Device> device;
  std::optional<std::string> disk;  // "none": intentionally diskless
  std::optional<MetaDisk> meta_disk;
  Sections sections;  // disk only
};

struct Host {
  std::vector<std::string> names;
  bool floating = false;
  std::string stacked_on;  // name of the lower resource, whose hosts are `names` then
  Place place;
  std::vector<Volume> volumes;
  std::optional<Address> address;
  std::optional<std::uint32_t> node_id;
  bool has_proxy = false;
  Sections sections;  // options and disk
};

struct ConnectionHost {
  std::string name;
  std::optional<Address> address;
  std::optional<std::uint32_t> port;
  Place place;
};

struct Connection {
  Place place;
  bool mesh = false;  // connection-mesh: `hosts` without addresses
  std::vector<ConnectionHost> hosts;
  std::vector<std::vector<ConnectionHost>> paths;
  Sections sections;            // net and disk
  std::vector<Volume> volumes;  // only their numbers and disk options
};

struct Resource {
  std::string name;
  Place place;
  std::string file;  // of `place`, resolved
  Sections sections;
  std::vector<Volume> volumes;  // resource-wide defaults
  std::vector<Host> hosts;
  std::vector<Connection> connections;
  std::vector<std::string> ignore_on;
  bool has_proxy = false;
};

struct Config {
  std::string path;
  std::optional<Place> global_opened;
  Section global;
  std::optional<Place> common_opened;
  Sections common;
  std::vector<Resource> resources;

  [[nodiscard]] const Resource* find(std::string_view name) const noexcept;
};

// The volume with that number, or null.
const Volume* find_volume(const std::vector<Volume>& volumes, std::uint32_t number) noexcept;

}  // namespace replicator::config
