// The `data` of the commands that read: status of resources ("status"), their running configuration
// ("show") and generation identifiers ("get-gi"). Encoding never fails; decoding is total.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "engine/config.hpp"
#include "engine/status.hpp"

namespace replicator::control {

// "status": object is a resource name, a minor or "all" (or empty). A minor answers with its whole
// resource.
std::string encode_status(const std::vector<ResourceStatus>& resources);
Result<std::vector<ResourceStatus>> decode_status(std::string_view data);

// "show": what is configured at run time; objects as for "status".
struct VolumeShow {
  std::uint32_t volume = 0;
  std::uint32_t minor = 0;
  std::optional<BackingConfig> backing;  // none when diskless
  DiskOptions disk;                      // meaningful with a backing disk
};
struct ResourceShow {
  std::string name;
  ResourceOptions options;
  bool has_connection = false;  // a net configuration exists
  std::string peer_name;
  PeerConfig peer;
  NetOptions net;
  std::vector<VolumeShow> volumes;  // by volume number
};
std::string encode_show(const std::vector<ResourceShow>& resources);
Result<std::vector<ResourceShow>> decode_show(std::string_view data);

// "get-gi": object is a minor.
struct GenerationShow {
  std::uint64_t generations[4] = {0, 0, 0, 0};  // current, bitmap, history younger, older
  bool consistent = false;
  bool was_up_to_date = false;
  bool primary = false;
  bool connected = false;
  bool full_sync = false;
  bool peer_outdated = false;
  bool crashed_primary = false;
};
std::string encode_generations(const GenerationShow& generations);
Result<GenerationShow> decode_generations(std::string_view data);

// "ipv4:10.0.0.1:7789", "ipv6:[fd00::1]:7789": the address form of drbdsetup. The family and the
// port (7788) may be left out when reading. Fault::malformed or Fault::unsupported.
Result<io::Address> parse_address(std::string_view text);
std::string address_text(const io::Address& address);  // empty for none

// "internal" (or flex-internal), "flexible" (or flex-external), a slot number.
Result<MetaDiskIndex> parse_meta_index(std::string_view text);
std::string index_text(const MetaDiskIndex& index);

inline constexpr std::uint32_t max_minor = 1048575;
// "0", "drbd0", "/dev/drbd0".
Result<std::uint32_t> parse_minor(std::string_view text);

}  // namespace replicator::control
