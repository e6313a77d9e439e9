#include "tests/sim/campaign.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <optional>
#include <vector>

#include "tests/sim/history.hpp"

namespace replicator::sim {

namespace {

constexpr unsigned real_seconds_per_history = 120;
constexpr std::size_t failures_shown = 5;

// Situations of the whole design that this stage must reach in a campaign of a thousand seeds or
// more (reliability, situations a campaign must reach). Each is a mark() in the code it describes.
constexpr std::array<const char*, 1> required_marks{"pulled ahead"};

enum ExitStatus : int {
  fine = 0,
  safety = 10,
  liveness = 11,
  crash = 12,
  simulator_error = 13,
  sanitizer = 14,
  error_line = 15,
  not_deterministic = 16,
  sabotage_survived = 17,
  mark_missing = 18,
};

int status_of(FailureKind kind) {
  switch (kind) {
    case FailureKind::none: return fine;
    case FailureKind::safety: return safety;
    case FailureKind::liveness: return liveness;
    case FailureKind::error_line: return error_line;
    case FailureKind::simulator: return simulator_error;
  }
  return simulator_error;
}

struct SabotageName {
  const char* name;
  Sabotage which;
};
constexpr std::array<SabotageName, sabotage_count - 1> sabotage_names{{
    {"skip_activity_log", Sabotage::skip_activity_log},
    {"release_hold_at_ack", Sabotage::release_hold_at_ack},
    {"forget_mark_on_loss", Sabotage::forget_mark_on_loss},
    {"answer_before_generation", Sabotage::answer_before_generation},
    {"answer_flush_locally", Sabotage::answer_flush_locally},
    {"clear_bit_without_proof", Sabotage::clear_bit_without_proof},
    {"swap_resync_direction", Sabotage::swap_resync_direction},
    {"drop_barrier", Sabotage::drop_barrier},
    {"skip_eviction_bitmap", Sabotage::skip_eviction_bitmap},
    {"read_marked_locally", Sabotage::read_marked_locally},
    {"trust_what_was_sent", Sabotage::trust_what_was_sent},
    {"drop_received_write", Sabotage::drop_received_write},
    {"read_overtakes_write", Sabotage::read_overtakes_write},
    {"verify_unlocked", Sabotage::verify_unlocked},
    {"answer_while_frozen", Sabotage::answer_while_frozen},
    {"ignore_conflicts", Sabotage::ignore_conflicts},
    {"cool_before_retry", Sabotage::cool_before_retry},
    {"mark_first_volume", Sabotage::mark_first_volume},
    {"reuse_held_memory", Sabotage::reuse_held_memory},
}};

Sabotage sabotage_by_name(const std::string& name) {
  for (const SabotageName& each : sabotage_names) {
    if (name == each.name) return each.which;
  }
  return Sabotage::none;
}

void write_line(int fd, const std::string& line) {
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t moved = ::write(fd, line.data() + done, line.size() - done);
    if (moved <= 0) ::_exit(simulator_error);
    done += static_cast<std::size_t>(moved);
  }
}

struct Totals {
  std::uint64_t histories = 0;
  std::uint64_t writes = 0;
  std::uint64_t events = 0;
  std::uint64_t faults = 0;
  std::uint64_t hits = 0;
  std::map<std::string, std::uint64_t> counts;  // marks and fault kinds
};

struct FailedSeed {
  std::uint64_t seed;
  int status;
};

// A process that runs seeds `next, next + stride, …` and reports in lines: "S seed" before each, "R
// seed status writes events faults hits" after it, "M count name" at the end.
class Worker {
 public:
  Worker(std::uint64_t first, std::uint64_t end, std::uint64_t stride, Sabotage sabotage,
         std::optional<Subject> subject)
      : next_(first), end_(end), stride_(stride), sabotage_(sabotage), subject_(subject) {}

  void start() {
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    std::fflush(stdout);
    pid_ = ::fork();
    if (pid_ < 0) std::abort();
    if (pid_ == 0) {
      ::close(ends[0]);
      run(ends[1]);
    }
    ::close(ends[1]);
    fd_ = ends[0];
    running_seed_ = ~0ULL;
    buffer_.clear();
  }
  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] bool finished() const noexcept { return fd_ < 0; }
  void stop() {
    if (fd_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(fd_);
    fd_ = -1;
  }

  // Reads what is there. False: the process ended; a seed it was running failed with its status.
  void read_some(Totals& totals, std::vector<FailedSeed>& failed) {
    char chunk[4096];
    const ssize_t got = ::read(fd_, chunk, sizeof chunk);
    if (got > 0) {
      buffer_.append(chunk, static_cast<std::size_t>(got));
      take_lines(totals, failed);
      return;
    }
    ::close(fd_);
    fd_ = -1;
    int state = 0;
    ::waitpid(pid_, &state, 0);
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0) return;
    if (running_seed_ == ~0ULL) std::abort();
    const bool by_sanitizer = WIFEXITED(state) && WEXITSTATUS(state) == sanitizer;
    const bool endless = WIFSIGNALED(state) && WTERMSIG(state) == SIGALRM;
    failed.push_back({running_seed_, by_sanitizer ? sanitizer : endless ? simulator_error : crash});
    ++totals.histories;
    next_ = running_seed_ + stride_;
    if (next_ < end_) start();
  }

 private:
  [[noreturn]] void run(int fd) const {
    std::map<std::string, std::uint64_t> counts;
    for (std::uint64_t seed = next_; seed < end_; seed += stride_) {
      write_line(fd, fmt::format("S {}\n", seed));
      ::alarm(real_seconds_per_history);
      HistoryOptions options;
      options.subject = subject_;
      options.seed = seed;
      options.sabotage = sabotage_;
      const Outcome outcome = run_history(options);
      write_line(
          fd, fmt::format("R {} {} {} {} {} {}\n", seed, status_of(outcome.failure.kind),
                          outcome.writes, outcome.events, outcome.faults, outcome.hits_in_flight));
      for (const auto& [name_of, count] : outcome.marks)
        counts["mark " + name_of] += count;
      for (std::size_t i = 0; i < fault_kinds; ++i) {
        counts[std::string("fault ") + name(static_cast<FaultKind>(i))] += outcome.injected[i];
      }
    }
    for (const auto& [name_of, count] : counts) {
      write_line(fd, fmt::format("M {} {}\n", count, name_of));
    }
    ::_exit(0);
  }

  void take_lines(Totals& totals, std::vector<FailedSeed>& failed) {
    std::size_t begin = 0;
    for (;;) {
      const std::size_t end = buffer_.find('\n', begin);
      if (end == std::string::npos) break;
      take(buffer_.substr(begin, end - begin), totals, failed);
      begin = end + 1;
    }
    buffer_.erase(0, begin);
  }

  void take(const std::string& line, Totals& totals, std::vector<FailedSeed>& failed) {
    unsigned long long a[6] = {};
    char name_of[200] = "";
    if (std::sscanf(line.c_str(), "S %llu", &a[0]) == 1) {
      running_seed_ = a[0];
    } else if (std::sscanf(line.c_str(), "R %llu %llu %llu %llu %llu %llu", &a[0], &a[1], &a[2],
                           &a[3], &a[4], &a[5]) == 6) {
      ++totals.histories;
      totals.writes += a[2];
      totals.events += a[3];
      totals.faults += a[4];
      totals.hits += a[5];
      if (a[1] != 0) failed.push_back({a[0], static_cast<int>(a[1])});
    } else if (std::sscanf(line.c_str(), "M %llu %199[^\n]", &a[0], name_of) == 2) {
      totals.counts[name_of] += a[0];
    }
  }

  std::uint64_t next_;
  std::uint64_t end_;
  std::uint64_t stride_;
  Sabotage sabotage_;
  std::optional<Subject> subject_;
  pid_t pid_ = -1;
  int fd_ = -1;
  std::uint64_t running_seed_ = ~0ULL;
  std::string buffer_;
};

double seconds_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// Runs until all seeds are done or enough of them failed.
void run_workers(const CampaignOptions& options, Sabotage sabotage, std::size_t enough,
                 bool progress, Totals& totals, std::vector<FailedSeed>& failed) {
  const std::uint64_t jobs = std::max<std::uint64_t>(1, std::min<std::uint64_t>(options.jobs, 8));
  std::vector<Worker> workers;
  for (std::uint64_t i = 0; i < jobs && i < options.seeds; ++i) {
    workers.emplace_back(options.first + i, options.first + options.seeds, jobs, sabotage,
                         options.subject);
  }
  for (Worker& worker : workers)
    worker.start();
  double next_report = seconds_now() + 10;
  for (;;) {
    std::vector<pollfd> wait;
    std::vector<Worker*> whose;
    for (Worker& worker : workers) {
      if (worker.finished()) continue;
      wait.push_back({worker.fd(), POLLIN, 0});
      whose.push_back(&worker);
    }
    if (wait.empty()) break;
    ::poll(wait.data(), wait.size(), 1000);
    for (std::size_t i = 0; i < wait.size(); ++i) {
      if (wait[i].revents != 0) whose[i]->read_some(totals, failed);
    }
    if (failed.size() >= enough) break;
    if (progress && seconds_now() >= next_report) {
      std::printf("%llu of %llu histories, %zu failed\n",
                  static_cast<unsigned long long>(totals.histories),
                  static_cast<unsigned long long>(options.seeds), failed.size());
      std::fflush(stdout);
      next_report = seconds_now() + 10;
    }
  }
  for (Worker& worker : workers)
    worker.stop();
}

const char* name_of_status(int status) {
  switch (status) {
    case safety: return "safety";
    case liveness: return "liveness";
    case crash: return "crash";
    case simulator_error: return "simulator error or endless loop";
    case sanitizer: return "sanitizer";
    case error_line: return "unexpected error line";
    default: return "failure";
  }
}

void print_replay(std::uint64_t seed, std::optional<Subject> subject) {
  std::printf("replay: make sim SEED=%llu TRACE=1%s%s\n", static_cast<unsigned long long>(seed),
              subject ? " KIND=" : "", subject ? name(*subject) : "");
}

void print_failure(std::uint64_t seed, std::optional<Subject> subject, const Outcome& outcome) {
  std::printf("seed %llu: %s: %s violated at %.6f s: %s\n", static_cast<unsigned long long>(seed),
              name(outcome.failure.kind), outcome.failure.invariant.c_str(),
              static_cast<double>(outcome.failure.at.nanoseconds()) / 1e9,
              outcome.failure.text.c_str());
  std::printf("options: %s\n", outcome.description.c_str());
  print_replay(seed, subject);
}

// In a process of its own: the seed may end it again.
void explain(const FailedSeed& failed, std::optional<Subject> subject) {
  std::fflush(stdout);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::alarm(real_seconds_per_history);
    HistoryOptions options;
    options.seed = failed.seed;
    options.subject = subject;
    options.recording = true;
    const Outcome outcome = run_history(options);
    std::printf("%s", outcome.flight_recorder.c_str());
    print_failure(failed.seed, subject, outcome);
    std::fflush(stdout);
    ::_exit(0);
  }
  int state = 0;
  ::waitpid(pid, &state, 0);
  if (!WIFEXITED(state) || WEXITSTATUS(state) != 0) {
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(failed.seed),
                name_of_status(failed.status));
    print_replay(failed.seed, subject);
  }
}

}  // namespace

int run_campaign(const CampaignOptions& options) {
  Totals totals;
  std::vector<FailedSeed> failed;
  const double began = seconds_now();
  const std::size_t enough = options.keep_going ? ~std::size_t{0} : failures_shown;
  run_workers(options, Sabotage::none, enough, true, totals, failed);
  const double took = seconds_now() - began;
  for (std::size_t i = 0; i < failed.size() && i < failures_shown; ++i)
    explain(failed[i], options.subject);
  if (failed.size() > failures_shown) {
    for (const FailedSeed& each : failed) {
      std::printf("failed: %llu (%s)\n", static_cast<unsigned long long>(each.seed),
                  name_of_status(each.status));
    }
  }
  for (const auto& [what, count] : totals.counts) {
    std::printf("%10llu %s\n", static_cast<unsigned long long>(count), what.c_str());
  }
  std::printf(
      "%llu histories, %zu failed, %llu writes, %llu faults (%llu with writes in flight), "
      "%llu events, %.1f s, %.0f histories/s\n",
      static_cast<unsigned long long>(totals.histories), failed.size(),
      static_cast<unsigned long long>(totals.writes),
      static_cast<unsigned long long>(totals.faults), static_cast<unsigned long long>(totals.hits),
      static_cast<unsigned long long>(totals.events), took,
      static_cast<double>(totals.histories) / took);
  if (!failed.empty()) return failed.front().status;
  int result = fine;
  for (const char* mark_name : required_marks) {
    if (options.seeds < 1000 || totals.counts.contains(std::string("mark ") + mark_name)) continue;
    std::printf("mark not reached: %s\n", mark_name);
    result = mark_missing;
  }
  return result;
}

int run_one(const CampaignOptions& campaign, const std::string& sabotage) {
  const std::uint64_t seed = campaign.first;
  const bool trace = campaign.trace;
  if (trace) ::setvbuf(stdout, nullptr, _IOLBF, 0);  // the history may end the process
  HistoryOptions options;
  options.seed = seed;
  options.subject = campaign.subject;
  options.recording = true;
  options.live_trace = trace;
  options.sabotage = sabotage_by_name(sabotage);
  const Outcome outcome = run_history(options);
  if (!trace && !outcome.ok()) std::printf("%s", outcome.flight_recorder.c_str());
  if (!outcome.ok()) {
    print_failure(seed, campaign.subject, outcome);
    return status_of(outcome.failure.kind);
  }
  std::printf(
      "seed %llu: fine; %llu writes, %u faults, %llu events, trace hash %016llx\noptions: %s\n",
      static_cast<unsigned long long>(seed), static_cast<unsigned long long>(outcome.writes),
      outcome.faults, static_cast<unsigned long long>(outcome.events),
      static_cast<unsigned long long>(outcome.trace_hash), outcome.description.c_str());
  return fine;
}

int check_determinism(std::uint64_t first, std::uint64_t seeds) {
  int result = fine;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    HistoryOptions options;
    options.seed = seed;
    const Outcome once = run_history(options);
    options.recording = true;  // recording must not change anything
    const Outcome again = run_history(options);
    if (once.trace_hash == again.trace_hash) continue;
    std::printf("seed %llu: trace hashes %016llx and %016llx\n",
                static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(once.trace_hash),
                static_cast<unsigned long long>(again.trace_hash));
    result = not_deterministic;
  }
  if (result == fine) {
    std::printf("%llu seeds run twice: equal\n", static_cast<unsigned long long>(seeds));
  }
  return result;
}

int run_sabotage(const std::string& name_of, const CampaignOptions& options) {
#ifndef POLLUX_SABOTAGE
  std::printf("this build has no sabotage in it; use make sabotage\n");
  static_cast<void>(name_of);
  static_cast<void>(options);
  return simulator_error;
#else
  int result = fine;
  for (const SabotageName& each : sabotage_names) {
    if (name_of != "all" && name_of != each.name) continue;
    Totals totals;
    std::vector<FailedSeed> failed;
    run_workers(options, each.which, 1, false, totals, failed);
    if (failed.empty()) {
      std::printf("%-26s SURVIVED %llu histories\n", each.name,
                  static_cast<unsigned long long>(totals.histories));
      result = sabotage_survived;
      continue;
    }
    HistoryOptions one;
    one.seed = failed.front().seed;
    one.subject = options.subject;
    one.sabotage = each.which;
    std::string how = "crash";
    if (failed.front().status != crash) {
      const Outcome outcome = run_history(one);
      how = fmt::format("{} {}", name(outcome.failure.kind), outcome.failure.invariant);
    }
    std::printf("%-26s caught after %llu histories, seed %llu: %s\n", each.name,
                static_cast<unsigned long long>(totals.histories),
                static_cast<unsigned long long>(failed.front().seed), how.c_str());
    std::fflush(stdout);
  }
  return result;
#endif
}

int replay_file(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "r");
  if (file == nullptr) {
    std::printf("cannot open %s\n", path.c_str());
    return simulator_error;
  }
  int result = fine;
  char line[512];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    char* end = nullptr;
    const std::uint64_t seed = std::strtoull(line, &end, 0);
    if (end == line || line[0] == '#') continue;
    HistoryOptions options;
    options.seed = seed;
    std::string word(end + std::strspn(end, " "));
    word.resize(word.find_first_of(" \n"));
    options.subject = subject_by_name(word);
    const Outcome outcome = run_history(options);
    if (outcome.ok()) continue;
    print_failure(seed, options.subject, outcome);
    result = status_of(outcome.failure.kind);
  }
  std::fclose(file);
  return result;
}

}  // namespace replicator::sim
