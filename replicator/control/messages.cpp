#include "control/messages.hpp"

#include "base/ensure.hpp"
#include "control/json_values.hpp"

namespace replicator::control {
namespace {

Result<Json> parse_object(std::string_view line, std::size_t limit) {
  if (line.size() > limit) return failure(Fault::out_of_range, "message too long");
  Json json = parse_json(line);
  if (!json.is_object()) return failure(Fault::malformed, "message is not a JSON object");
  return json;
}

bool read_text(const Json& object, const char* name, std::string& into) {
  const auto found = object.find(name);
  if (found == object.end()) return true;
  if (!found->is_string()) return false;
  into = found->get<std::string>();
  return true;
}

bool read_texts(const Json& object, const char* name, std::vector<std::string>& into) {
  const auto found = object.find(name);
  if (found == object.end()) return true;
  if (!found->is_array()) return false;
  for (const Json& item : *found) {
    if (!item.is_string()) return false;
    into.push_back(item.get<std::string>());
  }
  return true;
}

bool read_options(const Json& object, OptionMap& into) {
  const auto found = object.find("options");
  if (found == object.end()) return true;
  if (!found->is_object()) return false;
  for (const auto& [name, value] : found->items()) {
    if (!value.is_string()) return false;
    into.emplace(name, value.get<std::string>());
  }
  return true;
}

bool read_code(const Json& object, int& into) {
  const auto found = object.find("code");
  if (found == object.end() || !found->is_number_integer()) return false;
  const auto code = found->get<std::int64_t>();
  if (code < -1000 || code > 1000) return false;
  into = static_cast<int>(code);
  return true;
}

// The member of a reply's data, or null.
Json data_member(const Reply& reply, std::string_view name) {
  if (reply.data.empty()) return {};
  const Json data = parse_json(reply.data);
  if (!data.is_object()) return {};
  const auto found = data.find(name);
  return found == data.end() ? Json() : *found;
}

void append_member(std::string& members, std::string_view name, const Json& value) {
  if (!members.empty()) members += ',';
  members += dump_json(Json(name)) + ":" + dump_json(value);
}

}  // namespace

std::string encode(const Request& request) {
  const Json json = {{"command", request.command},
                     {"object", request.object},
                     {"arguments", request.arguments},
                     {"options", request.options}};
  return dump_json(json) + "\n";
}

std::string encode(const Reply& reply) {
  Json json = {{"code", reply.code}, {"info", reply.info}};
  if (!reply.data.empty()) {
    Json data = parse_json(reply.data);
    ensure(data.is_object());
    json["data"] = std::move(data);
  }
  return dump_json(json) + "\n";
}

Result<Request> decode_request(std::string_view line) {
  const Result<Json> json = parse_object(line, max_request_bytes);
  if (!json) return tl::unexpected<Status>(json.error());
  Request request;
  if (!read_text(*json, "command", request.command) || request.command.empty()) {
    return failure(Fault::malformed, "request without a command");
  }
  if (!read_text(*json, "object", request.object) ||
      !read_texts(*json, "arguments", request.arguments) || !read_options(*json, request.options)) {
    return failure(Fault::malformed, "request member of the wrong type");
  }
  return request;
}

Result<Reply> decode_reply(std::string_view line) {
  const Result<Json> json = parse_object(line, max_reply_bytes);
  if (!json) return tl::unexpected<Status>(json.error());
  Reply reply;
  if (!read_code(*json, reply.code)) return failure(Fault::malformed, "reply without a code");
  if (!read_texts(*json, "info", reply.info)) {
    return failure(Fault::malformed, "reply member of the wrong type");
  }
  const auto data = json->find("data");
  if (data != json->end()) {
    if (!data->is_object()) return failure(Fault::malformed, "reply data is not an object");
    reply.data = dump_json(*data);
  }
  return reply;
}

DataObject& DataObject::add(std::string_view name, std::string_view value) {
  append_member(members_, name, value);
  return *this;
}
DataObject& DataObject::add(std::string_view name, const char* value) {
  return add(name, std::string_view(value));
}
DataObject& DataObject::add(std::string_view name, bool value) {
  append_member(members_, name, value);
  return *this;
}
DataObject& DataObject::add(std::string_view name, std::uint64_t value) {
  append_member(members_, name, value);
  return *this;
}
std::string DataObject::text() const { return "{" + members_ + "}"; }

bool data_flag(const Reply& reply, std::string_view name) {
  const Json member = data_member(reply, name);
  return member.is_boolean() && member.get<bool>();
}

std::uint64_t data_number(const Reply& reply, std::string_view name) {
  const Json member = data_member(reply, name);
  return member.is_number_unsigned() ? member.get<std::uint64_t>() : 0;
}

std::string data_text(const Reply& reply, std::string_view name) {
  const Json member = data_member(reply, name);
  return member.is_string() ? member.get<std::string>() : std::string();
}

}  // namespace replicator::control
