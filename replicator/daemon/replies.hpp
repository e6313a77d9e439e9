// What the commands of the control socket have in common: answers, and the reading of requests.
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "control/messages.hpp"
#include "engine/flow/resource.hpp"

namespace replicator {

using control::Reply;
using control::Request;

inline Reply answer(std::int32_t code, std::string line = std::string()) {
  Reply reply;
  reply.code = code;
  if (!line.empty()) reply.info.push_back(std::move(line));
  return reply;
}

inline Reply answer(AdminResult result) {
  Reply reply;
  reply.code = result.code;
  reply.info = std::move(result.info);
  return reply;
}

inline Reply unknown_minor() { return answer(control::err_minor_invalid, "unknown minor"); }
inline Reply unknown_resource() {
  return answer(control::err_resource_unknown, "unknown resource");
}
inline Reply malformed(const char* what) { return answer(control::err_invalid_request, what); }

template <class Number>
bool parse_number(const std::string& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

inline bool flag(const Request& request, std::string_view name) {
  const auto found = request.options.find(name);
  return found != request.options.end() && found->second != "no";
}

inline std::string value(const Request& request, std::string_view name) {
  const auto found = request.options.find(name);
  return found == request.options.end() ? std::string() : found->second;
}

}  // namespace replicator
