#include "control/json_values.hpp"

#include "control/status_json.hpp"

namespace replicator::control {
namespace {

const Json& null_json() {
  static const Json null;
  return null;
}
const Json& empty_array() {
  static const Json empty = Json::array();
  return empty;
}

// Our own messages nest less than ten deep. Writing a value descends by recursion, so that what
// nests without end must not become one.
constexpr unsigned deepest = 32;

bool nests_too_deep(std::string_view text) noexcept {
  unsigned depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && quoted) ++i;
    else if (c == '"') quoted = !quoted;
    else if (quoted) continue;
    else if ((c == '[' || c == '{') && ++depth > deepest) return true;
    else if ((c == ']' || c == '}') && depth > 0) --depth;
  }
  return false;
}

}  // namespace

Json parse_json(std::string_view text) {
  if (nests_too_deep(text)) return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, false);
}

std::string dump_json(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

ObjectReader::ObjectReader(const Json& object, bool& sound) : object_(&object), sound_(&sound) {
  if (!object.is_object()) {
    sound = false;
    object_ = &null_json();
  }
}

bool ObjectReader::has(const char* name) const {
  return object_->is_object() && object_->contains(name);
}

const Json& ObjectReader::member(const char* name) {
  if (object_->is_object()) {
    const auto found = object_->find(name);
    if (found != object_->end()) return *found;
  }
  *sound_ = false;
  return null_json();
}

std::string ObjectReader::text(const char* name) {
  const Json& value = member(name);
  if (value.is_string()) return value.get<std::string>();
  reject();
  return {};
}

bool ObjectReader::flag(const char* name) {
  const Json& value = member(name);
  if (value.is_boolean()) return value.get<bool>();
  reject();
  return false;
}

std::uint64_t ObjectReader::number(const char* name, std::uint64_t most) {
  const Json& value = member(name);
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number <= most) return number;
  }
  reject();
  return 0;
}

std::uint32_t ObjectReader::number32(const char* name) {
  return static_cast<std::uint32_t>(number(name, std::numeric_limits<std::uint32_t>::max()));
}

char ObjectReader::letter(const char* name) {
  const std::string value = text(name);
  if (value.size() == 1 && value[0] > ' ' && value[0] < '\x7f') return value[0];
  reject();
  return '?';
}

void ObjectReader::numbers(const char* name, std::span<std::uint64_t> into) {
  const Json& values = array(name);
  if (values.size() != into.size()) {
    reject();
    return;
  }
  for (std::size_t i = 0; i < into.size(); ++i) {
    if (values[i].is_number_unsigned()) {
      into[i] = values[i].get<std::uint64_t>();
    } else {
      reject();
    }
  }
}

MetaDiskIndex ObjectReader::meta_index(const char* name) {
  const Result<MetaDiskIndex> index = parse_meta_index(text(name));
  if (index) return *index;
  reject();
  return {};
}

io::Address ObjectReader::address(const char* name) {
  const std::string value = text(name);
  if (value.empty()) return {};
  const Result<io::Address> address = parse_address(value);
  if (address) return *address;
  reject();
  return {};
}

const Json& ObjectReader::array(const char* name) {
  const Json& value = member(name);
  if (value.is_array()) return value;
  reject();
  return empty_array();
}

OptionMap ObjectReader::members(const char* name) {
  OptionMap map;
  const Json& value = member(name);
  if (!value.is_object()) {
    reject();
    return map;
  }
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) {
      reject();
      continue;
    }
    map.emplace(key, text.get<std::string>());
  }
  return map;
}

ObjectReader ObjectReader::object(const char* name) { return {member(name), *sound_}; }

}  // namespace replicator::control
