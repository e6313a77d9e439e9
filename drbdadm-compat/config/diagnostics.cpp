#include "config/diagnostics.hpp"

#include <algorithm>
#include <cstddef>

namespace replicator::config {
namespace {

// Insertions, deletions and replacements between two words.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string Diagnostics::text() const {
  std::string all;
  for (const Message& message : messages_) {
    if (!message.place.file.empty()) all += config::text(message.place) + ": ";
    all += message.text + "\n";
  }
  return all;
}

std::string nearest_word(const std::string& misspelled, const std::vector<std::string>& known) {
  // A word may be wrong in a third of its letters; more than that is another word.
  std::size_t best = std::min<std::size_t>(misspelled.size() / 3 + 1, 4);
  std::string nearest;
  if (misspelled.size() > 64) return nearest;
  for (const std::string& word : known) {
    const std::size_t distance = edit_distance(misspelled, word);
    if (distance < best) {
      best = distance;
      nearest = word;
    }
  }
  return nearest;
}

}  // namespace replicator::config
