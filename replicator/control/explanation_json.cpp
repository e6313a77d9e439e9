#include "control/explanation_json.hpp"

#include <utility>

#include "control/json_values.hpp"

namespace replicator::control {

namespace {

// An unknown time is an empty text.
Json time_json(WallTime time) { return time.known() ? iso_text(time) : std::string(); }

WallTime read_time(ObjectReader& reader, const char* member) {
  const std::string text = reader.text(member);
  if (text.empty()) return {};
  const std::optional<WallTime> time = parse_iso(text);
  if (time) return *time;
  reader.reject();
  return {};
}

Json link_json(const LinkReport& link) {
  return {{"trouble", word(link.trouble)},          {"detail", link.detail},
          {"time", time_json(link.time)},           {"error", link.error},
          {"connected", time_json(link.connected)}, {"attempts", link.attempts}};
}

LinkReport read_link(ObjectReader reader) {
  LinkReport link;
  const std::optional<LinkTrouble> trouble = parse_trouble(reader.text("trouble"));
  if (trouble) link.trouble = *trouble;
  else reader.reject();
  link.detail = reader.text("detail");
  link.time = read_time(reader, "time");
  link.error = reader.number32("error");
  link.connected = read_time(reader, "connected");
  link.attempts = reader.number32("attempts");
  return link;
}

// Refusals are negative.
std::int32_t read_code(const Json& item, bool& sound) {
  constexpr std::int64_t most = 1000;
  const bool there = item.is_object() && item.contains("code") && item["code"].is_number_integer();
  const std::int64_t code = there ? item["code"].get<std::int64_t>() : most + 1;
  if (code >= -most && code <= most) return static_cast<std::int32_t>(code);
  sound = false;
  return 0;
}

}  // namespace

std::string encode_explanation(const ResourceExplanation& explanation) {
  Json promotion = Json::array();
  for (const PromotionReport& each : explanation.promotion) {
    promotion.push_back({{"volume", each.volume}, {"code", each.code}, {"text", each.text}});
  }
  Json log = Json::array();
  for (const LogLine& line : explanation.log)
    log.push_back({{"time", time_json(line.time)}, {"level", line.level}, {"text", line.text}});
  return dump_json({{"link", link_json(explanation.link)},
                    {"promotion", std::move(promotion)},
                    {"log", std::move(log)}});
}

Result<ResourceExplanation> decode_explanation(std::string_view text) {
  const Json json = parse_json(text);
  bool sound = true;
  ObjectReader reader(json, sound);
  ResourceExplanation explanation;
  explanation.link = read_link(reader.object("link"));
  for (const Json& item : reader.array("promotion")) {
    ObjectReader each = reader.nested(item);
    PromotionReport promotion;
    promotion.volume = each.number32("volume");
    promotion.code = read_code(item, sound);
    promotion.text = each.text("text");
    explanation.promotion.push_back(std::move(promotion));
  }
  for (const Json& item : reader.array("log")) {
    ObjectReader each = reader.nested(item);
    explanation.log.push_back(
        LogLine{read_time(each, "time"), each.text("level"), each.text("text")});
  }
  if (!sound) return failure(Fault::malformed, "explanation");
  return explanation;
}

}  // namespace replicator::control
