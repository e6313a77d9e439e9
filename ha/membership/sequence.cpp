#include "ha/membership/sequence.hpp"

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"

namespace ha::membership {

void SendHistory::add(std::uint64_t sequence, Message message) {
  ensure(messages_.empty() || sequence == messages_.back().first + 1);
  messages_.emplace_back(sequence, std::move(message));
  if (messages_.size() > history_size) messages_.pop_front();
}

const Message* SendHistory::find(std::uint64_t sequence) const noexcept {
  if (messages_.empty() || sequence < messages_.front().first) return nullptr;
  const std::uint64_t at = sequence - messages_.front().first;
  return at < messages_.size() ? &messages_[at].second : nullptr;
}

Receiver::Verdict Receiver::accept(std::uint64_t generation, std::uint64_t sequence,
                                   Message message, Instant now, Duration delay) {
  if (generation_ && generation < *generation_) return Verdict::old_generation;
  Verdict verdict = Verdict::fresh;
  if (!generation_ || generation > *generation_) {
    // What came before the first packet that is heard was not for this node.
    if (generation_) verdict = Verdict::restarted;
    generation_ = generation;
    held_.clear();
    ready_.clear();
    next_ = sequence;
  }
  if (sequence < next_ || held_.contains(sequence)) return Verdict::duplicate;
  const bool beginning = std::exchange(begin_anywhere_, false);
  if (beginning || sequence - next_ >= history_size) {
    // So far behind that the sender can't have all of it any more.
    for (auto& [number, waiting] : held_)
      ready_.push_back(std::move(waiting));
    held_.clear();
    next_ = sequence;
  }
  if (sequence == next_) {
    ready_.push_back(std::move(message));
    ++next_;
    advance(now);
    return verdict;
  }
  if (held_.empty()) {
    request_at_ = now + delay;
    gap_since_ = now;
  }
  held_.emplace(sequence, std::move(message));
  return verdict;
}

void Receiver::advance(Instant now) {
  while (!held_.empty() && held_.begin()->first == next_) {
    ready_.push_back(std::move(held_.begin()->second));
    held_.erase(held_.begin());
    ++next_;
  }
  // A gap behind the one that was filled has its own time.
  gap_since_ = now;
}

void Receiver::forget_missing() noexcept {
  held_.clear();
  begin_anywhere_ = generation_.has_value();
}

std::vector<Message> Receiver::take_ready() { return std::exchange(ready_, {}); }

std::optional<Receiver::Range> Receiver::due_request(Instant now) {
  if (!missing() || now < request_at_) return std::nullopt;
  request_at_ = now + request_every;
  return gap();
}

std::optional<Receiver::Range> Receiver::give_up(std::uint64_t up_to, Instant now) {
  if (!missing() || up_to < next_) return std::nullopt;
  const Range lost{next_, std::min(up_to, gap().last)};
  next_ = lost.last + 1;
  advance(now);
  return lost;
}

std::optional<Receiver::Range> Receiver::give_up_late(Instant now) {
  if (!missing() || now - gap_since_ < patience) return std::nullopt;
  return give_up(gap().last, now);
}

}  // namespace ha::membership
