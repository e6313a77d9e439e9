// For control and what speaks its language: typed, total reading of JSON objects. A reader never
// stops at a bad member: it gives a zero value and clears the `sound` flag shared by all readers of
// one message.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "control/messages.hpp"
#include "engine/config.hpp"

namespace replicator::control {

using Json = nlohmann::json;

Json parse_json(std::string_view text);
// Bytes that are not UTF-8 become U+FFFD instead of an exception.
std::string dump_json(const Json& json);

class ObjectReader {
 public:
  ObjectReader(const Json& object, bool& sound);

  std::string text(const char* name);
  bool flag(const char* name);
  std::uint64_t number(const char* name,
                       std::uint64_t most = std::numeric_limits<std::uint64_t>::max());
  std::uint32_t number32(const char* name);
  char letter(const char* name);
  void numbers(const char* name, std::span<std::uint64_t> into);
  MetaDiskIndex meta_index(const char* name);
  io::Address address(const char* name);
  const Json& array(const char* name);  // empty when it is not one
  ObjectReader object(const char* name);
  OptionMap members(const char* name);  // an object whose members are all texts
  ObjectReader nested(const Json& item) { return {item, *sound_}; }
  [[nodiscard]] bool has(const char* name) const;
  void reject() { *sound_ = false; }

 private:
  const Json& member(const char* name);

  const Json* object_;
  bool* sound_;
};

}  // namespace replicator::control
