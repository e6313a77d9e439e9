// Whatever arrives at the heartbeat port, and whatever is written into its configuration files. So
// that fuzzing gets past the signature, the input is also taken for what a signed packet covers.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "ha/haresources/config.hpp"
#include "ha/membership/auth_keys.hpp"
#include "ha/membership/codec.hpp"
#include "ha/membership/ha_cf.hpp"

namespace {

using namespace ha::membership;

void require(bool holds) {
  if (!holds) std::abort();
}

void packet(std::string_view bytes, const AuthKeys& keys) {
  const ha::Result<Message> message = open(bytes, keys);
  if (!message) return;
  require(message->fields().size() <= max_fields);
  for (const char* name : {"seq", "hg", "dt", "firstseq"}) {
    static_cast<void>(message->number(name, 16));
    static_cast<void>(message->number(name, 10));
  }
  const std::string sealed = seal(*message, keys);
  if (sealed.size() > max_packet_bytes || message->fields().size() == max_fields) return;
  const ha::Result<Message> again = open(sealed, keys);
  require(again && *again == *message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const AuthKeys keys({AuthKey{1, AuthMethod::crc, ""}}, 1);
  packet(bytes, keys);
  const std::string covered = "###\n" + std::string(bytes) + "%%%\n";
  const std::string signature = keys.sign(covered);
  packet(covered + std::to_string(signature.size()) + ":" + signature + ",", keys);
  const std::string lines(bytes);
  packet(">>>\n" + lines + "auth=" + keys.sign(lines) + "\n<<<\n", keys);
  const AuthKeysFile authkeys = parse_auth_keys(bytes, "authkeys");
  require(authkeys.keys.has_value() != any_error(authkeys.diagnostics));
  const HaCfFile config = parse_ha_cf(bytes, "ha.cf", "node1");
  require(config.config.media.size() <= 64 && config.config.nodes.size() <= 100);
  for (const auto& group :
       ha::haresources::parse_haresources(bytes, "haresources", {"node1"}).groups)
    require(!group.text().empty());
  static_cast<void>(ha::haresources::says_running(bytes));
  return 0;
}
