// Reliable messages in order, over packets that may be lost, repeated, swapped or replayed. The
// sender keeps what it sent; the receiver asks for what is missing, and hands on in order.
//   H15  an older generation, and a number that was seen already, are refused
// Everything is bounded: what can't be had within `patience` is given up, and said so.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "ha/membership/message.hpp"
#include "ha/words.hpp"

namespace ha::membership {

// As many as heartbeat keeps.
inline constexpr std::size_t history_size = 500;

class SendHistory {
 public:
  void add(std::uint64_t sequence, Message message);
  // Null: no longer, or not yet, there.
  [[nodiscard]] const Message* find(std::uint64_t sequence) const noexcept;
  void clear() { messages_.clear(); }

 private:
  std::deque<std::pair<std::uint64_t, Message>> messages_;  // consecutive numbers
};

class Receiver {
 public:
  static constexpr Duration patience = Duration::seconds(10);
  static constexpr Duration request_every = Duration::milliseconds(250);

  enum class Verdict : std::uint8_t {
    fresh,
    duplicate,
    old_generation,
    restarted,  // fresh as well, the first of a new generation
  };
  // `delay`: how long to wait for packets that were only overtaken, before asking for them.
  Verdict accept(std::uint64_t generation, std::uint64_t sequence, Message message, Instant now,
                 Duration delay);
  [[nodiscard]] bool knows_generation() const noexcept { return generation_.has_value(); }
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_.value_or(0); }

  // What can be handed on now.
  std::vector<Message> take_ready();

  struct Range {
    std::uint64_t first;
    std::uint64_t last;
    bool operator==(const Range&) const = default;
  };
  // What to ask the sender for now, if anything.
  std::optional<Range> due_request(Instant now);
  [[nodiscard]] Instant deadline() const noexcept {
    return missing() ? request_at_ : Instant::never();
  }
  // The sender no longer has it, or it was asked for in vain: what was lost, and what came after
  // it is ready.
  std::optional<Range> give_up(std::uint64_t up_to, Instant now);
  std::optional<Range> give_up_late(Instant now);

  // The sender is gone: what is missing will not come. Should it return in the same generation, the
  // next message that is heard is a beginning.
  void forget_missing() noexcept;

  // The number up to which nothing is missing.
  [[nodiscard]] std::uint64_t complete_up_to() const noexcept { return next_ - 1; }
  [[nodiscard]] bool missing() const noexcept { return !held_.empty(); }
  // The first gap.
  [[nodiscard]] Range gap() const noexcept { return {next_, held_.begin()->first - 1}; }

 private:
  void advance(Instant now);
  std::optional<std::uint64_t> generation_;
  std::uint64_t next_ = 0;
  bool begin_anywhere_ = false;
  std::map<std::uint64_t, Message> held_;  // beyond the gap at next_
  std::vector<Message> ready_;
  Instant request_at_ = Instant::never();
  Instant gap_since_ = Instant::never();
};

}  // namespace ha::membership
