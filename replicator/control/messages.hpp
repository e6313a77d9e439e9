// The control protocol: one request and one reply per line of JSON over a unix stream socket, in
// DRBD 8.4's own words (command, object, arguments, options of `drbdsetup`). Decoding is total: any
// bytes give a message or a fault, within the limits below, and nothing else.
//
// clang-format off
//   command           object           arguments         options beside those of the section
//   new-resource      resource         -                 peer-name; resource options
//   new-minor         resource         MINOR VOLUME      -
//   del-minor         minor            -                 -
//   del-resource      resource         -                 -
//   attach            minor            DISK META INDEX   disk options
//   detach            minor            -                 force
//   connect           resource         LOCAL REMOTE      peer-name; net options
//   disconnect        resource         -                 force
//   disconnect        ""               LOCAL REMOTE      force
//   disk-options      minor            -                 set-defaults; disk options
//   net-options       resource         -                 set-defaults; net options
//   net-options       ""               LOCAL REMOTE      set-defaults; net options
//   resource-options  resource         -                 set-defaults; resource options
//   primary           minor            -                 force
//   secondary, invalidate, invalidate-remote, outdate, pause-sync, resume-sync: object is a minor
//   new-current-uuid  minor            -                 clear-bitmap
//   verify            minor            -                 start, stop
//   repair            minor            -                 -
//   down              resource         -                 -
//   status, show      resource, minor or all
//   events2           resource, minor or all             now, statistics, full, diff
//   get-gi            minor            -                 -
//   report, explain   resource         -                 -
//   marked-ranges     minor            BLOCK             -
//   wait-connect      minor            -                 wfc-timeout, degr-wfc-timeout,
//   wait-sync         minor            -                 outdated-wfc-timeout, wait-after-sb
//   upgrade           ""               PROGRAM           -
//   ping, shutdown, upgrade-report     -                 -
// clang-format on
//
// INDEX is "internal", "flexible" or a slot number; LOCAL and REMOTE are written by address_text().
// The reply to events2 is followed by the lines of control/event_lines.hpp until one side ends the
// connection; the daemon says why in a last line "closed REASON". Whatever the client sends asks
// for a new dump.
// Timeouts are seconds, 0 waits for ever; when one runs out the reply is code 0 with data
// {"timeout":true}. The data of upgrade and upgrade-report are {"instance"}, a number that each
// daemon has of its own; the lines of the latter say what was taken over. The data of ping are
// {"version","pid"}; those of report and marked-ranges are described in
// control/node_report_json.hpp, those of explain in control/explanation_json.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "control/codes.hpp"

namespace replicator::control {

inline constexpr const char* default_socket_path = "/run/pollux/control.sock";
inline constexpr std::size_t max_request_bytes = std::size_t{64} << 10U;  // with the newline
inline constexpr std::size_t max_reply_bytes = std::size_t{16} << 20U;    // with the newline

// Name to value; a bare flag has the value "yes".
using OptionMap = std::map<std::string, std::string, std::less<>>;

struct Request {
  std::string command;  // "attach", "new-minor", …
  std::string object;   // resource name, minor in decimal digits, "all" or empty
  std::vector<std::string> arguments;
  OptionMap options;

  bool operator==(const Request&) const = default;
};

struct Reply {
  int code = ok_code;             // codes.hpp
  std::vector<std::string> info;  // lines for the operator, without newline
  std::string data;               // JSON text of an object, or empty

  bool operator==(const Reply&) const = default;
};

// One line with its newline. `data` must be JSON text (made by the functions here and beside).
std::string encode(const Request& request);
std::string encode(const Reply& reply);

// One line, with or without the newline. Fault::malformed (with what was expected) or
// Fault::out_of_range (longer than the limit).
Result<Request> decode_request(std::string_view line);
Result<Reply> decode_reply(std::string_view line);

// Small objects for Reply::data, and their readers; a missing or differently typed member reads as
// false, 0 or "".
class DataObject {
 public:
  DataObject& add(std::string_view name, std::string_view value);
  DataObject& add(std::string_view name, const char* value);
  DataObject& add(std::string_view name, bool value);
  DataObject& add(std::string_view name, std::uint64_t value);
  [[nodiscard]] std::string text() const;

 private:
  std::string members_;
};
bool data_flag(const Reply& reply, std::string_view name);
std::uint64_t data_number(const Reply& reply, std::string_view name);
std::string data_text(const Reply& reply, std::string_view name);

}  // namespace replicator::control
