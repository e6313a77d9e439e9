// The terminal, by ncurses: the only file that knows it. Once closed it is as it was before.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "monitor/lines.hpp"
#include "monitor/view.hpp"

namespace replicator::monitor {

class Terminal {
 public:
  Terminal() = default;
  ~Terminal() { close(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // Empty, or why there is no full screen here.
  std::string open();
  void close();
  // As it is now: asked for each time, the window may have changed.
  Size size();
  void draw(const std::vector<Line>& lines);
  // What has been pressed and not been taken yet; does not wait.
  std::optional<Key> key();

 private:
  void* screen_ = nullptr;  // ncurses' own type stays in the source file
};

}  // namespace replicator::monitor
