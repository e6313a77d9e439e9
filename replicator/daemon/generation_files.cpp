#include "daemon/generation_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/log.hpp"
#include "control/node_report_json.hpp"

namespace replicator {

namespace {

// Two files of this size hold about a thousand notes.
constexpr off_t file_bytes_max = 256 << 10;
constexpr std::size_t waiting_max = 1000;
constexpr Duration last_patience = Duration::seconds(5);

std::string problem_with(const std::string& path, int error) {
  return path + ": " + std::strerror(error);
}

bool make_directory(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1))
    mkdir(path.substr(0, at).c_str(), 0755);
  return mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
}

// The end of a line that a crash or a full disk cut off.
bool ends_in_the_middle(int fd, off_t size) {
  char last = '\n';
  return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

// One write per line: a file that is full ends with whole lines, or with a part of one.
std::string append(const std::string& path, std::string text) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return problem_with(path, errno);
  std::string problem;
  struct stat status{};
  if (fstat(fd, &status) == 0 && ends_in_the_middle(fd, status.st_size)) text.insert(0, "\n");
  const ssize_t put = write(fd, text.data(), text.size());
  if (put < 0) problem = problem_with(path, errno);
  else if (static_cast<std::size_t>(put) != text.size()) problem = problem_with(path, ENOSPC);
  else if (fdatasync(fd) != 0) problem = problem_with(path, errno);
  close(fd);
  const bool full = status.st_size + static_cast<off_t>(text.size()) > file_bytes_max;
  if (full && rename(path.c_str(), (path + ".old").c_str()) != 0 && problem.empty())
    problem = problem_with(path, errno);
  return problem;
}

// On a helper thread. The first problem, or nothing.
std::string append_all(const std::string& directory,
                       const std::vector<GenerationFiles::Line>& lines) {
  if (!make_directory(directory)) return problem_with(directory, errno);
  std::string problem;
  for (const GenerationFiles::Line& line : lines) {
    const std::string met = append(directory + "/" + line.file, line.text);
    if (problem.empty()) problem = met;
  }
  return problem;
}

// The name of a resource is an administrator's word, and here a part of a path.
bool usable_in_path(const std::string& name) {
  return !name.empty() && name[0] != '.' && name.find('/') == std::string::npos &&
         name.size() <= 200;
}

}  // namespace

GenerationFiles::GenerationFiles(uring::Reactor& reactor, std::string directory)
    : reactor_(reactor), directory_(std::move(directory)) {}

void GenerationFiles::note(const std::string& resource, std::uint32_t volume,
                           const GenerationNote& note) {
  if (!usable_in_path(resource)) return;
  if (waiting_.size() >= waiting_max) {
    tell_problem(directory_ + ": the disk is too slow");
    return;
  }
  waiting_.push_back(
      Line{resource + "." + std::to_string(volume), control::encode_note(note) + "\n"});
  if (writing_) return;
  writing_ = true;
  tasks_.start(write_out());
}

Task<void> GenerationFiles::write_out() {
  while (!waiting_.empty()) {
    const std::vector<Line> batch = std::exchange(waiting_, {});
    std::string problem;
    io::Op op;
    reactor_.run_blocking(op, [&] { problem = append_all(directory_, batch); });
    co_await op;
    if (!problem.empty()) tell_problem(problem);
    else problem_told_ = false;
  }
  writing_ = false;
}

void GenerationFiles::tell_problem(const std::string& problem) {
  if (problem_told_) return;
  problem_told_ = true;
  log::warning("generation journal: {}; times will be missing in 'pollux explain'", problem);
}

Task<void> GenerationFiles::close() {
  const Instant until = reactor_.world().clock.now() + last_patience;
  while (writing_ && reactor_.world().clock.now() < until) {
    io::Op op;
    reactor_.world().clock.sleep(op, Duration::milliseconds(5));
    co_await op;
  }
}

}  // namespace replicator
