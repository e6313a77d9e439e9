// What a daemon runs, as the requests that bring it back: one for each thing that was configured,
// with what was changed since taken into it, in the order in which they work. Pure.
//
// Its text is read by daemons of other versions. A text that was cut off, or that is of a later
// format, is none.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "control/messages.hpp"

namespace replicator {

class RunningRecord {
 public:
  static constexpr std::uint32_t format = 1;

  // A command about this resource was carried out. False: it changes nothing that is to be
  // remembered.
  bool note(const std::string& resource, const control::Request& request);
  // It is Secondary without having been told.
  bool demoted(const std::string& resource);
  // Of a device that is left to a successor: what that wants to know, as options of a request that
  // is never carried out.
  void leave(const std::string& resource, control::OptionMap facts);
  void take_back();  // nothing is left to anybody

  [[nodiscard]] bool empty() const noexcept { return resources_.empty(); }
  [[nodiscard]] std::vector<std::string> resources() const;
  // All that is to be configured, of all resources, so that each finds what it refers to.
  [[nodiscard]] std::vector<std::pair<std::string, control::Request>> configuration() const;
  // The command that made it Primary; null when it is Secondary.
  [[nodiscard]] const control::Request* primary(const std::string& resource) const;
  // Null unless it was left on purpose.
  [[nodiscard]] const control::OptionMap* left(const std::string& resource) const;

  [[nodiscard]] std::string text() const;
  static Result<RunningRecord> parse(std::string_view text);

  bool operator==(const RunningRecord&) const = default;

 private:
  // In the order in which they are carried out.
  enum class Step : std::uint8_t {
    resource,
    resource_options,
    minor,
    disk,
    disk_options,
    paused,
    suspended,
    connection,
    net_options,
    role,
    left,
  };
  // By the object within the step, which is a minor where there may be several.
  using Place = std::pair<Step, std::string>;
  using Requests = std::map<Place, control::Request>;

  static Place place_of(const control::Request& request);
  static bool keep(Requests& requests, const control::Request& request);
  static bool forget(Requests& requests, Step step, const std::string& object);

  std::map<std::string, Requests> resources_;
};

}  // namespace replicator
