#include "monitor/terminal.hpp"

#include <curses.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace replicator::monitor {
namespace {

constexpr short green = 1;
constexpr short yellow = 2;
constexpr short red = 3;
constexpr int escape_patience_ms = 25;

attr_t attributes_of(Tone tone) {
  const bool colours = ::has_colors();
  const auto colour = [&](short pair) {
    return colours ? static_cast<attr_t>(COLOR_PAIR(pair)) : 0;
  };
  switch (tone) {
    case Tone::plain: return A_NORMAL;
    case Tone::bar: return A_REVERSE;
    case Tone::good: return colour(green);
    case Tone::busy: return colour(yellow) | A_BOLD;
    case Tone::bad: return colour(red) | A_BOLD;
    case Tone::dim: return A_DIM;
    case Tone::chosen: return A_REVERSE | A_BOLD;
  }
  return A_NORMAL;
}

Key::Kind kind_of(int code, bool& known) {
  known = true;
  switch (code) {
    case KEY_UP: return Key::Kind::up;
    case KEY_DOWN: return Key::Kind::down;
    case KEY_PPAGE: return Key::Kind::page_up;
    case KEY_NPAGE: return Key::Kind::page_down;
    case KEY_HOME: return Key::Kind::first;
    case KEY_END: return Key::Kind::last;
    case KEY_ENTER:
    case '\r':
    case '\n': return Key::Kind::enter;
    case KEY_BACKSPACE:
    case 0x7f:
    case '\b': return Key::Kind::backspace;
    case 0x1b: return Key::Kind::escape;
    default: known = code >= 0x20 && code < 0x7f; return Key::Kind::letter;
  }
}

}  // namespace

std::string Terminal::open() {
  const char* type = std::getenv("TERM");
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0)
    return "standard input and output have to be a terminal; --once prints one picture";
  // Not initscr(), which would end the process.
  SCREEN* screen = ::newterm(nullptr, stdout, stdin);
  if (screen == nullptr)
    return std::string("no full screen on a terminal of type '") + (type ? type : "") + "'";
  screen_ = screen;
  ::cbreak();
  ::noecho();
  ::nonl();
  ::set_escdelay(escape_patience_ms);
  ::keypad(stdscr, TRUE);
  ::nodelay(stdscr, TRUE);
  ::curs_set(0);
  if (::has_colors()) {
    ::start_color();
    const short ground = ::use_default_colors() == OK ? -1 : COLOR_BLACK;
    ::init_pair(green, COLOR_GREEN, ground);
    ::init_pair(yellow, COLOR_YELLOW, ground);
    ::init_pair(red, COLOR_RED, ground);
  }
  return {};
}

void Terminal::close() {
  if (screen_ == nullptr) return;
  ::endwin();
  ::delscreen(static_cast<SCREEN*>(screen_));
  screen_ = nullptr;
}

Size Terminal::size() {
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 0 && window.ws_col > 0 &&
      (window.ws_row != LINES || window.ws_col != COLS)) {
    ::resizeterm(window.ws_row, window.ws_col);
    ::clear();
  }
  return {static_cast<std::size_t>(COLS), static_cast<std::size_t>(LINES)};
}

void Terminal::draw(const std::vector<Line>& lines) {
  ::erase();
  int y = 0;
  for (const Line& line : lines) {
    ::move(y++, 0);
    for (const Span& span : line) {
      ::attrset(static_cast<int>(attributes_of(span.tone)));
      ::addnstr(span.text.c_str(), static_cast<int>(span.text.size()));
    }
  }
  ::refresh();
}

std::optional<Key> Terminal::key() {
  for (int code = ::getch(); code != ERR; code = ::getch()) {
    bool known = false;
    const Key::Kind kind = kind_of(code, known);
    if (known) return Key{kind, kind == Key::Kind::letter ? static_cast<char>(code) : '\0'};
  }
  return std::nullopt;
}

}  // namespace replicator::monitor
