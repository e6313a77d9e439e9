// What is wrong with a configuration, and where: one message per defect, in drbdadm's words.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace replicator::config {

struct Place {
  std::string file;
  unsigned line = 0;

  bool operator==(const Place&) const = default;
};

inline std::string text(const Place& place) {
  return place.file + ":" + std::to_string(place.line);
}

struct Message {
  bool error = true;  // false: a warning, which does not invalidate the configuration
  Place place;        // an empty file: the message stands alone
  std::string text;   // may have several lines
};

class Diagnostics {
 public:
  void error(const Place& place, std::string message) {
    messages_.push_back({true, place, std::move(message)});
    failed_ = true;
  }
  void warning(const Place& place, std::string message) {
    messages_.push_back({false, place, std::move(message)});
  }
  // The configuration could not be read at all: exit code 20 instead of 10.
  void unreadable(std::string message) {
    messages_.push_back({true, {}, std::move(message)});
    failed_ = true;
    unreadable_ = true;
  }

  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] int exit_code() const noexcept { return unreadable_ ? 20 : failed_ ? 10 : 0; }
  [[nodiscard]] const std::vector<Message>& messages() const noexcept { return messages_; }
  // All messages as they are printed on standard error.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Message> messages_;
  bool failed_ = false;
  bool unreadable_ = false;
};

// The known word nearest to a misspelled one, or empty when none is near.
std::string nearest_word(const std::string& misspelled, const std::vector<std::string>& known);

}  // namespace replicator::config
