#include "frontend/nbd/request.hpp"

#include <cerrno>

#include "base/units.hpp"

namespace replicator::nbd {

namespace {

struct Rule {
  Command command;
  std::uint16_t flags;  // FUA is legal everywhere, even where nothing is written
  bool writes;
  bool has_range;
  bool carries_data;  // in either direction
};

constexpr Rule rules[] = {
    {Command::read, flag_fua | flag_df, false, true, true},
    {Command::write, flag_fua, true, true, true},
    {Command::flush, flag_fua, false, false, false},
    {Command::trim, flag_fua, true, true, false},
    {Command::write_zeroes, flag_fua | flag_no_hole, true, true, false},
    {Command::block_status, flag_fua | flag_req_one, false, true, false},
};

const Rule* find_rule(Command command) noexcept {
  for (const Rule& rule : rules) {
    if (rule.command == command) return &rule;
  }
  return nullptr;
}

Verdict refuse(Error error, const char* why) noexcept { return Verdict{error, why, false}; }

Verdict validate_range(const Request& request, const Rule& rule, const Session& session) noexcept {
  if (!rule.has_range) {
    if (request.offset != 0 || request.length != 0) {
      return refuse(Error::invalid, "a flush has no offset and no length");
    }
    return {};
  }
  if (request.length == 0) return refuse(Error::invalid, "length is zero");
  std::uint64_t end = 0;
  if (!checked_add(request.offset, request.length, end) || end > session.size) {
    const bool needs_space = rule.writes && rule.command != Command::trim;
    return refuse(needs_space ? Error::no_space : Error::invalid, "beyond the end of the device");
  }
  if (request.offset % session.block_bytes != 0 || request.length % session.block_bytes != 0) {
    return refuse(Error::invalid, "not a multiple of the block size");
  }
  return {};
}

}  // namespace

Verdict validate(const Request& request, const Session& session) noexcept {
  const Rule* rule = find_rule(request.command);
  if (rule == nullptr) return refuse(Error::invalid, "unknown command");
  const bool oversized = rule->carries_data && request.length > maximum_payload_bytes;
  if (oversized && request.command == Command::write) {
    return Verdict{Error::invalid, "payload larger than the advertised maximum", true};
  }
  if (rule->writes && !session.writable) {
    return refuse(Error::not_permitted, "the export is read-only");
  }
  if ((request.flags & ~rule->flags) != 0 || ((request.flags & flag_df) && !session.structured)) {
    return refuse(Error::invalid, "flag not valid for this command");
  }
  if (request.command == Command::block_status && !session.allocation) {
    return refuse(Error::invalid, "no metadata context was selected");
  }
  const Verdict range = validate_range(request, *rule, session);
  if (range.error != Error::none) return range;
  if (oversized) {
    return refuse(session.structured ? Error::overflow : Error::invalid,
                  "larger than the advertised maximum");
  }
  if ((request.flags & flag_df) && request.length > session.piece_bytes) {
    return refuse(Error::overflow, "too large to be read without fragmentation");
  }
  return {};
}

Error error_of(const Status& status, Command command) noexcept {
  switch (status.fault()) {
    case Fault::none: return Error::none;
    case Fault::read_only:
    case Fault::not_permitted: return Error::not_permitted;
    case Fault::no_space: return Error::no_space;
    case Fault::out_of_range:
      return command == Command::read || command == Command::trim ? Error::invalid
                                                                  : Error::no_space;
    case Fault::canceled:
    case Fault::closed: return Error::shutdown;
    case Fault::io_error: return status.error_number() == ENOSPC ? Error::no_space : Error::io;
    default: return Error::io;
  }
}

}  // namespace replicator::nbd
