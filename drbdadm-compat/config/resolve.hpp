// What a configuration means on one host: which section is ours, who the peer is, and every setting
// with its inheritance worked out ("inner wins", per option).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/model.hpp"
#include "engine/config.hpp"

namespace replicator::config {

// Who and where we are.
struct HostFacts {
  std::string node_name;               // uname -n, or __DRBD_NODE__
  std::vector<std::string> addresses;  // of the local interfaces, numeric, without scope
};

// Host names are the same when they match without regard to case, or when one is the first label of
// the other.
bool same_host(std::string_view a, std::string_view b);

struct LocalVolume {
  std::uint32_t number = 0;
  bool implicit = false;
  std::uint32_t minor = 0;
  std::string device;
  std::string disk;  // "none" when diskless on purpose
  std::string meta_disk;
  MetaDiskIndex meta_index;
  Section options;  // disk options, merged

  [[nodiscard]] bool diskless() const noexcept { return disk == "none"; }
};

struct LocalResource {
  const Resource* resource = nullptr;
  const Host* here = nullptr;  // null: no section for this host, or told to ignore it
  const Host* peer = nullptr;
  bool stacked = false;  // this host's section is; `here` is null then
  std::string peer_name;
  std::optional<Address> local_address;
  std::optional<Address> peer_address;
  std::vector<LocalVolume> volumes;
  Section options;
  Section net;
  Section disk;
  Section startup;
  Section handlers;
  // Of the connection to the peer, for one volume each.
  std::vector<Volume> peer_volumes;

  [[nodiscard]] const std::string& name() const noexcept { return resource->name; }
  [[nodiscard]] bool ignored() const noexcept { return here == nullptr; }
  [[nodiscard]] const LocalVolume* find(std::uint32_t volume) const noexcept;
};

// One for each resource, in file order. `peer` selects the peer of resources with more than two
// hosts; empty: the first that is not us. The config must outlive the result.
std::vector<LocalResource> resolve(const Config& config, const HostFacts& facts,
                                   std::string_view peer = {});

// A host's volumes with what they inherit from the resource, by number.
std::vector<Volume> effective_volumes(const Resource& resource, const Host& host);

// The minor that resync-after names: "r1", "r1/0" or a number; none when it is not there.
std::optional<std::uint32_t> resync_after_minor(const std::vector<LocalResource>& resources,
                                                std::string_view target);

// Our own address, when no interface here has it: a connection could not be made from it.
std::optional<Address> foreign_address(const LocalResource& resource, const HostFacts& facts);
// The address of a host of that name, or none.
std::optional<Address> address_of(const Resource& resource, std::string_view host);

// Why this resource can not be brought up here, in one line; empty when it can.
std::string unusable_because(const LocalResource& resource);

}  // namespace replicator::config
