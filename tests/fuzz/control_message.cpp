// Whatever is written to the control socket, or by what pretends to be the daemon: a message or a
// fault, the same message again after encoding it, and readers of its data that never fail.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "control/messages.hpp"
#include "control/option_table.hpp"
#include "control/status_json.hpp"

namespace {

using namespace replicator;

void require(bool holds) {
  if (!holds) std::abort();
}

void request(std::string_view line) {
  const Result<control::Request> decoded = control::decode_request(line);
  if (!decoded) return;
  require(!decoded->command.empty());
  const std::string encoded = control::encode(*decoded);
  require(encoded.find('\n') == encoded.size() - 1);
  const Result<control::Request> again = control::decode_request(encoded);
  require(encoded.size() > control::max_request_bytes || (again && *again == *decoded));
  ResourceOptions resource;
  NetOptions net;
  DiskOptions disk;
  static_cast<void>(control::apply_options(decoded->options, resource));
  static_cast<void>(control::apply_options(decoded->options, net));
  static_cast<void>(control::apply_options(decoded->options, disk));
  static_cast<void>(control::parse_minor(decoded->object));
  for (const std::string& argument : decoded->arguments) {
    static_cast<void>(control::parse_meta_index(argument));
    const Result<io::Address> address = control::parse_address(argument);
    if (!address) continue;
    const Result<io::Address> same = control::parse_address(control::address_text(*address));
    require(same && *same == *address);
  }
}

void reply(std::string_view line) {
  const Result<control::Reply> decoded = control::decode_reply(line);
  if (!decoded) return;
  const Result<control::Reply> again = control::decode_reply(control::encode(*decoded));
  require(again && *again == *decoded);
  static_cast<void>(control::data_flag(*decoded, "timeout"));
  static_cast<void>(control::data_number(*decoded, "pid"));
  static_cast<void>(control::data_text(*decoded, "version"));
  const Result<std::vector<ResourceStatus>> status = control::decode_status(decoded->data);
  if (status) require(control::decode_status(control::encode_status(*status)).has_value());
  const auto show = control::decode_show(decoded->data);
  if (show) require(control::decode_show(control::encode_show(*show)).has_value());
  const auto generations = control::decode_generations(decoded->data);
  if (generations) {
    require(control::decode_generations(control::encode_generations(*generations)).has_value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  request(line);
  reply(line);
  return 0;
}
