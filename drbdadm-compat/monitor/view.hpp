// What the operator looks at, and what a key does to it. Pure: which command is to be run and
// whether drbdmon ends comes back as a value. Nothing is run without being confirmed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "monitor/model.hpp"

namespace replicator::monitor {

struct Size {
  std::size_t width = 80;
  std::size_t height = 24;

  bool operator==(const Size&) const = default;
};

enum class Mode : unsigned char { list, details, help, confirm, running, result };

struct View {
  Mode mode = Mode::list;
  Mode below = Mode::list;  // where confirm, running, result and help go back to
  bool problems_first = false;
  std::string selected;    // a resource; it may be gone meanwhile
  std::size_t scroll = 0;  // first line of details, help and result
  std::string verb;        // of drbdadm: what confirm, running and result are about
  std::string resource;
  std::string typed;
  std::vector<std::string> output;
  int exit_code = 0;
};

struct Key {
  enum class Kind : unsigned char {
    letter,
    up,
    down,
    page_up,
    page_down,
    first,
    last,
    enter,
    escape,
    backspace
  };
  Kind kind = Kind::letter;
  char letter = '\0';
};

struct Step {
  View view;
  bool quit = false;
  bool run = false;  // `drbdadm VERB RESOURCE`, as the view says
};

Step pressed(const Model& model, View view, Key key, Size size);
// The command has ended.
View finished(View view, std::string_view output, int exit_code);

// The resources in the order in which they are listed.
std::vector<std::string_view> order_of(const Model& model, const View& view);
// The resource under the cursor: the selected one or, when it is gone, its neighbour. Empty: none.
std::string_view current(const Model& model, const View& view);
// "drbdadm secondary r0"
std::string command_text(const View& view);
// Whether the verb loses data, so that a single key is not enough.
bool needs_yes(std::string_view verb) noexcept;

}  // namespace replicator::monitor
