#include "daemon/background.hpp"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace replicator {

namespace {

void leave_the_caller(int keep) {
  const auto kept = static_cast<unsigned>(keep);
  setsid();
  if (chdir("/") != 0) return;
  umask(022);
  if (kept > 3) close_range(3, kept - 1, 0);
  close_range(std::max(kept + 1, 3U), ~0U, 0);
}

}  // namespace

Result<int> go_to_background() {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) return failure(Fault::no_space, "pipe", errno);
  const pid_t child = fork();
  if (child < 0) {
    const int error = errno;
    close(ready[0]);
    close(ready[1]);
    return failure(Fault::no_space, "fork", error);
  }
  if (child > 0) {
    close(ready[1]);
    char result = 1;
    if (read(ready[0], &result, 1) != 1) result = 1;
    _exit(result);
  }
  close(ready[0]);
  leave_the_caller(ready[1]);
  return ready[1];
}

void detach_from_terminal() {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  for (const int fd : {0, 1, 2})
    dup2(null, fd);
  if (null > 2) close(null);
}

std::string absolute_path(const std::string& path) {
  char here[PATH_MAX];
  if (path.empty() || path.front() == '/' || getcwd(here, sizeof here) == nullptr) return path;
  return std::string(here) + "/" + path;
}

}  // namespace replicator
