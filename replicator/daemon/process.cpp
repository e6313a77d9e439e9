#include "daemon/process.hpp"

#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

namespace replicator {

namespace {

constexpr rlim_t descriptors_wanted = 65536;
constexpr std::size_t stack_bytes = 256U << 10U;

std::string outcome(const char* what, bool done) {
  std::string line = what;
  line += done ? ": yes" : std::string(": no (") + std::strerror(errno) + ")";
  return line;
}

// Locked memory counts in full: threads that wait for system calls do not need 8 MiB of stack each.
bool use_small_stacks() {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  const bool set = pthread_attr_setstacksize(&attributes, stack_bytes) == 0 &&
                   pthread_setattr_default_np(&attributes) == 0;
  pthread_attr_destroy(&attributes);
  return set;
}

bool protect_from_oom() {
  std::FILE* file = std::fopen("/proc/self/oom_score_adj", "we");
  if (file == nullptr) return false;
  const bool written = std::fputs("-1000", file) >= 0;
  return std::fclose(file) == 0 && written;
}

bool raise_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  if (limit.rlim_cur >= descriptors_wanted) return true;
  limit.rlim_cur = descriptors_wanted;
  if (limit.rlim_max < descriptors_wanted) limit.rlim_max = descriptors_wanted;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

}  // namespace

std::vector<std::string> harden_process() {
  std::vector<std::string> lines;
  // Freed memory stays ours: asking the kernel again could wait for a page that only we can write.
  mallopt(M_TRIM_THRESHOLD, -1);
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_ARENA_MAX, 1);
  if (!use_small_stacks()) lines.emplace_back("small stacks: no");
  lines.push_back(outcome("memory locked", mlockall(MCL_CURRENT | MCL_FUTURE) == 0));
  lines.push_back(outcome("io flusher", prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) == 0));
  lines.push_back(outcome("protected from the OOM killer", protect_from_oom()));
  lines.push_back(outcome("descriptor limit raised", raise_descriptors()));
  return lines;
}

std::string usual_helper() {
  const std::string usual = "/sbin/drbdadm";
  char self[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length <= 0) return usual;
  const std::string path(self, static_cast<std::size_t>(length));
  std::string beside = path.substr(0, path.rfind('/') + 1) + "drbdadm";
  struct stat ours{};
  struct stat named{};
  if (stat(beside.c_str(), &ours) != 0) return usual;
  const bool same = stat(usual.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
                    ours.st_dev == named.st_dev;
  return same ? usual : beside;
}

}  // namespace replicator
