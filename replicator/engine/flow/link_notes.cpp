// What is kept of why a connection ended or does not come about, for whoever asks. No decision
// depends on it.
#include <utility>

#include "engine/flow/connection.hpp"
#include "engine/flow/resource.hpp"

namespace replicator {

void Connection::note_trouble(LinkTrouble trouble, std::string detail) {
  if (std::exchange(trouble_noted_, true)) return;
  resource_.note_link(trouble, std::move(detail));
}

void Connection::note_end(ConnectionState reason, const char* why, bool was_established) {
  if (stopping_ || go_stand_alone_) return;
  bool connected = false;
  bool told = false;
  for (const std::unique_ptr<Volume>& volume : resource_.volumes()) {
    connected = connected || volume->state().connection >= ConnectionState::connected;
    told = told || volume->state().connection == ConnectionState::tear_down;
  }
  std::string detail = std::string(name(reason)) + ", " + why;
  if (told) note_trouble(LinkTrouble::disconnected_there);
  else if (connected) note_trouble(LinkTrouble::lost, std::move(detail));
  else
    note_trouble(LinkTrouble::hung_up,
                 was_established ? "while the two compared their data" : "before that");
}

void Connection::add_attempts(LinkReport& report) const noexcept {
  if (!establisher_) return;
  report.attempts = establisher_->failed_attempts();
  report.error = static_cast<std::uint32_t>(establisher_->connect_error());
  if (report.attempts != 0 && report.trouble == LinkTrouble::none)
    report.trouble = LinkTrouble::not_reached;
}

void Resource::note_link(LinkTrouble trouble, std::string detail) {
  link_.trouble = trouble;
  link_.detail = std::move(detail);
  link_.time = world_.clock.wall_time();
}

ResourceExplanation Resource::explanation() const {
  ResourceExplanation explanation;
  explanation.link = link_;
  if (connection_) connection_->add_attempts(explanation.link);
  for (const std::unique_ptr<Volume>& each : volumes_) {
    if (each->state_.role == Role::primary) continue;
    StateDelta delta;
    delta.role(Role::primary);
    const StateVerdict verdict = judge(each->state_, delta, false, context(*each));
    PromotionReport promotion;
    promotion.volume = each->number_;
    promotion.code = static_cast<std::int32_t>(verdict.code);
    promotion.text = text(verdict.code);
    explanation.promotion.push_back(std::move(promotion));
  }
  return explanation;
}

}  // namespace replicator
