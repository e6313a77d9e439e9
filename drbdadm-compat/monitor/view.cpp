#include "monitor/view.hpp"

#include <algorithm>
#include <utility>

#include "monitor/pages.hpp"

namespace replicator::monitor {
namespace {

constexpr std::size_t longest_answer = 8;

std::string_view verb_of(char letter) noexcept {
  switch (letter) {
    case 'p': return "primary";
    case 's': return "secondary";
    case 'c': return "connect";
    case 'd': return "disconnect";
    case 'v': return "verify";
    case 'i': return "invalidate";
    default: return {};
  }
}

// How far a key moves, in lines of a page with `page` of them.
std::ptrdiff_t distance(Key key, std::ptrdiff_t page, std::ptrdiff_t all) noexcept {
  switch (key.kind) {
    case Key::Kind::up: return -1;
    case Key::Kind::down: return 1;
    case Key::Kind::page_up: return -page;
    case Key::Kind::page_down: return page;
    case Key::Kind::first: return -all;
    case Key::Kind::last: return all;
    case Key::Kind::letter: return key.letter == 'k' ? -1 : key.letter == 'j' ? 1 : 0;
    case Key::Kind::enter:
    case Key::Kind::escape:
    case Key::Kind::backspace: break;
  }
  return 0;
}

std::size_t moved(std::size_t from, std::ptrdiff_t by, std::size_t count) noexcept {
  if (count == 0) return 0;
  const std::ptrdiff_t to = static_cast<std::ptrdiff_t>(from) + by;
  return static_cast<std::size_t>(
      std::clamp<std::ptrdiff_t>(to, 0, static_cast<std::ptrdiff_t>(count) - 1));
}

void move_cursor(const Model& model, View& view, Key key, Size size) {
  const std::vector<std::string_view> order = order_of(model, view);
  if (order.empty()) return;
  const auto at = std::find(order.begin(), order.end(), current(model, view));
  const auto page = static_cast<std::ptrdiff_t>(std::max<std::size_t>(1, size.height / 2));
  const std::ptrdiff_t by = distance(key, page, static_cast<std::ptrdiff_t>(order.size()));
  view.selected = order[moved(static_cast<std::size_t>(at - order.begin()), by, order.size())];
}

void scroll(View& view, std::size_t lines, Key key, Size size) {
  const std::size_t page = page_height(size);
  const std::size_t last = lines > page ? lines - page : 0;
  view.scroll =
      moved(std::min(view.scroll, last),
            distance(key, static_cast<std::ptrdiff_t>(page), static_cast<std::ptrdiff_t>(lines)),
            last + 1);
}

void go_to(View& view, Mode mode) {
  view.mode = mode;
  view.scroll = 0;
}

bool ask_for_command(const Model& model, View& view, char letter) {
  const std::string_view verb = verb_of(letter);
  const std::string_view resource = current(model, view);
  if (verb.empty() || resource.empty()) return false;
  // Details stay open when their resource goes: its neighbour is not meant.
  if (view.mode == Mode::details && resource != view.selected) return false;
  view.verb = verb;
  view.resource = resource;
  view.typed.clear();
  view.below = view.mode;
  go_to(view, Mode::confirm);
  return true;
}

Step in_confirm(View view, Key key) {
  Step step;
  if (!needs_yes(view.verb)) {
    step.run = key.kind == Key::Kind::letter && (key.letter == 'y' || key.letter == 'Y');
    go_to(view, step.run ? Mode::running : view.below);
  } else if (key.kind == Key::Kind::enter) {
    step.run = view.typed == "yes";
    go_to(view, step.run ? Mode::running : view.below);
  } else if (key.kind == Key::Kind::escape) {
    go_to(view, view.below);
  } else if (key.kind == Key::Kind::backspace) {
    if (!view.typed.empty()) view.typed.pop_back();
  } else if (key.kind == Key::Kind::letter && view.typed.size() < longest_answer) {
    view.typed += key.letter;
  }
  step.view = std::move(view);
  return step;
}

bool is(Key key, char letter) noexcept {
  return key.kind == Key::Kind::letter && key.letter == letter;
}

// Details, help and results: they are left by the keys that end something.
void in_page(const Model& model, View& view, Key key, Size size) {
  const bool leave = key.kind == Key::Kind::enter || key.kind == Key::Kind::escape || is(key, 'q');
  if (leave) go_to(view, view.mode == Mode::details ? Mode::list : view.below);
  else scroll(view, page_of(model, view, size).size(), key, size);
}

bool common_key(const Model& model, View& view, Key key) {
  if (is(key, 'h') || is(key, '?')) {
    view.below = view.mode;
    go_to(view, Mode::help);
    return true;
  }
  return key.kind == Key::Kind::letter && ask_for_command(model, view, key.letter);
}

}  // namespace

bool needs_yes(std::string_view verb) noexcept { return verb == "invalidate"; }

std::string command_text(const View& view) { return "drbdadm " + view.verb + " " + view.resource; }

std::vector<std::string_view> order_of(const Model& model, const View& view) {
  std::vector<std::pair<Health, std::string_view>> all;
  all.reserve(model.resources.size());
  for (const auto& [name, resource] : model.resources)
    all.emplace_back(view.problems_first ? words_of(resource).health : Health::good, name);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  std::vector<std::string_view> order;
  order.reserve(all.size());
  for (const auto& [health, name] : all)
    order.push_back(name);
  return order;
}

std::string_view current(const Model& model, const View& view) {
  if (model.resources.empty()) return {};
  if (view.selected.empty()) return order_of(model, view).front();
  const auto at = model.resources.lower_bound(view.selected);
  return at == model.resources.end() ? model.resources.rbegin()->first : at->first;
}

Step pressed(const Model& model, View view, Key key, Size size) {
  if (view.mode == Mode::confirm) return in_confirm(std::move(view), key);
  Step step;
  if (view.mode == Mode::running) {
    step.quit = is(key, 'q');
  } else if (view.mode == Mode::help || view.mode == Mode::result) {
    in_page(model, view, key, size);
  } else if (common_key(model, view, key)) {
    // Done.
  } else if (view.mode == Mode::details) {
    in_page(model, view, key, size);
  } else if (is(key, 'q')) {
    step.quit = true;
  } else if (is(key, 'o')) {
    view.problems_first = !view.problems_first;
  } else if (key.kind == Key::Kind::enter) {
    view.selected = current(model, view);
    if (!view.selected.empty()) go_to(view, Mode::details);
  } else {
    move_cursor(model, view, key, size);
  }
  step.view = std::move(view);
  return step;
}

View finished(View view, std::string_view output, int exit_code) {
  view.output.clear();
  while (!output.empty()) {
    const std::size_t end = std::min(output.find('\n'), output.size());
    view.output.emplace_back(output.substr(0, end));
    output.remove_prefix(std::min(end + 1, output.size()));
  }
  view.exit_code = exit_code;
  go_to(view, Mode::result);
  return view;
}

}  // namespace replicator::monitor
