#include "monitor/drbdmon.hpp"

#include <fmt/core.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <utility>

#include "control/client.hpp"
#include "monitor/command.hpp"
#include "monitor/frame.hpp"
#include "monitor/model.hpp"
#include "monitor/terminal.hpp"
#include "monitor/view.hpp"

namespace replicator::monitor {
namespace {

constexpr int exit_fatal = 20;
constexpr int tick_ms = 200;
constexpr std::int64_t again_ms = 1000;      // between two attempts, and two looks at progress
constexpr std::int64_t idle_ms = 3000;       // counters of what does not move
constexpr std::int64_t patience_ms = 10000;  // for an answer of the daemon
constexpr std::string_view farewell = "closed ";
constexpr std::string_view silent = "the daemon does not answer; trying again";
constexpr std::string_view forbidden = "the daemon answers only to root";

std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
}

std::string clock_text() {
  const std::time_t now = std::time(nullptr);
  tm local{};
  ::localtime_r(&now, &local);
  return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

std::string node_name() {
  utsname names{};
  ::uname(&names);
  return names.nodename;
}

control::Request events_request(bool now) {
  control::Request request;
  request.command = "events2";
  request.object = "all";
  request.options["statistics"] = "yes";
  if (now) request.options["now"] = "yes";
  return request;
}

std::string_view trouble_of(const Status& status) {
  return status.fault() == Fault::not_permitted ? forbidden : silent;
}

// Keeps the model fed; comes back by itself.
class Source {
 public:
  explicit Source(Model& model) : model_(model) {}

  [[nodiscard]] int descriptor() const noexcept { return feed_.descriptor(); }

  // Whatever is due: an attempt to connect, a question for fresh counters.
  void tick() {
    const std::int64_t now = now_ms();
    if (feed_.descriptor() < 0) {
      if (now >= next_) connect(now);
    } else if (now - heard_ > patience_ms) {
      lose(silent);
    } else if (feed_.answered() && now >= next_) {
      feed_.ask();
      next_ = now + (in_progress(model_) ? again_ms : idle_ms);
    }
  }

  void take() {
    heard_ = now_ms();
    const std::string clock = clock_text();
    const Status taken = feed_.take([&](std::string_view line) {
      if (line.starts_with(farewell)) return false;
      model_ = with_line(std::move(model_), line, clock);
      return true;
    });
    if (!taken.ok() || feed_.ended()) lose(silent);
  }

  // A command has changed something: the counters are worth a look.
  void hurry() noexcept { next_ = 0; }

 private:
  void connect(std::int64_t now) {
    next_ = now + again_ms;
    heard_ = now;
    const Status opened = feed_.open(control::default_socket_path, events_request(false));
    if (!opened.ok()) lose(trouble_of(opened));
  }

  void lose(std::string_view why) {
    feed_.close();
    next_ = now_ms() + again_ms;
    model_ = without_daemon(std::move(model_), why, clock_text());
  }

  Model& model_;
  control::LineFeed feed_;
  std::int64_t next_ = 0;
  std::int64_t heard_ = 0;
};

class Monitor {
 public:
  explicit Monitor(View view) : view_(std::move(view)), source_(model_) {
    model_.node = node_name();
  }

  int run(std::FILE* err) {
    const std::string problem = terminal_.open();
    if (!problem.empty()) {
      fmt::print(err, "drbdmon: {}\n", problem);
      return exit_fatal;
    }
    while (!quit_) {
      source_.tick();
      terminal_.draw(frame(model_, view_, terminal_.size(), clock_text()));
      if (!wait()) break;
    }
    terminal_.close();
    return 0;
  }

 private:
  // False: nobody is at the terminal any more.
  bool wait() {
    pollfd polls[3] = {{STDIN_FILENO, POLLIN, 0},
                       {source_.descriptor(), POLLIN, 0},
                       {command_.descriptor(), POLLIN, 0}};
    const int ready = ::poll(polls, 3, tick_ms);
    if (ready < 0 && errno != EINTR) return false;
    if (ready > 0 && polls[1].revents != 0) source_.take();
    if (command_.look()) {
      view_ = finished(std::move(view_), command_.output(), command_.exit_code());
      source_.hurry();
    }
    while (const std::optional<Key> key = terminal_.key())
      press(*key);
    return ready <= 0 || (polls[0].revents & (POLLHUP | POLLERR | POLLNVAL)) == 0;
  }

  void press(Key key) {
    Step step = pressed(model_, std::move(view_), key, terminal_.size());
    view_ = std::move(step.view);
    quit_ = quit_ || step.quit;
    if (!step.run) return;
    if (!command_.start({drbdadm_program(), view_.verb, view_.resource}))
      view_ = finished(std::move(view_), command_.output(), command_.exit_code());
  }

  Model model_;
  View view_;
  Source source_;
  Command command_;
  Terminal terminal_;
  bool quit_ = false;
};

std::size_t width_of(std::FILE* out) {
  winsize window{};
  if (::ioctl(fileno(out), TIOCGWINSZ, &window) == 0 && window.ws_col > 0) return window.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const int width = columns != nullptr ? std::atoi(columns) : 0;
  return static_cast<std::size_t>(width > 0 ? std::min(width, 1000) : 80);
}

int once(const View& view, std::FILE* out) {
  Model model;
  model.node = node_name();
  control::Reply reply;
  const Status followed = control::Client().follow(
      events_request(true), reply,
      [&](std::string_view line) {
        model = with_line(std::move(model), line, "");
        return !model.complete;
      },
      -1);
  if (!model.complete) {
    const bool never = followed.fault() == Fault::not_permitted;
    model = without_daemon(std::move(model), never ? forbidden : "the daemon does not answer", "");
  }
  fmt::print(out, "{}", text_of(whole_list(model, view, width_of(out), clock_text())));
  return model.complete ? 0 : exit_fatal;
}

constexpr std::string_view usage =
    "Usage: drbdmon [--problems]          watch the resources of this node; h shows the keys\n"
    "       drbdmon --once [--problems]   print them once, for scripts\n"
    "       drbdmon --version | --help\n"
    "\n"
    "  --problems   begin with the resources that are not connected or not up to date\n";

}  // namespace

int run_drbdmon(const std::vector<std::string>& arguments, std::FILE* out, std::FILE* err) {
  View view;
  bool print_once = false;
  for (const std::string& argument : arguments) {
    if (argument == "--help" || argument == "-h") {
      fmt::print(out, "{}", usage);
      return 0;
    }
    if (argument == "--version" || argument == "-V") {
      fmt::print(out, "drbdmon of Pollux\n");
      return 0;
    }
    if (argument == "--once") {
      print_once = true;
    } else if (argument == "--problems") {
      view.problems_first = true;
    } else {
      fmt::print(err, "drbdmon: unknown argument '{}'\n{}", argument, usage);
      return exit_fatal;
    }
  }
  std::signal(SIGPIPE, SIG_IGN);
  if (print_once) return once(view, out);
  return Monitor(std::move(view)).run(err);
}

}  // namespace replicator::monitor
