#include "daemon/successor.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/log.hpp"
#include "daemon/daemon.hpp"
#include "daemon/running_file.hpp"

namespace replicator {

namespace {
constexpr const char* inherited_listener = "POLLUX_CONTROL_SOCKET";
}

bool is_successor() { return getenv(inherited_listener) != nullptr; }

void become(const std::string& program, const std::vector<std::string>& words, int listener) {
  std::vector<std::string> all = words;
  if (std::find(all.begin(), all.end(), "--restore") == all.end()) all.emplace_back("--restore");
  std::vector<char*> arguments;
  for (std::string& word : all)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  if (listener >= 0) {
    fcntl(listener, F_SETFD, 0);
    setenv(inherited_listener, std::to_string(listener).c_str(), 1);
  }
  // By another thread: to the driver of ublk its server is the thread that served, and that has to
  // be seen to end. The process stays the same.
  std::thread([&program, &arguments] {
    for (const char* each : {program.c_str(), "/proc/self/exe"}) {
      execv(each, arguments.data());
      log::error("{}: {}", each, std::strerror(errno));
    }
  }).join();
}

int inherited_descriptor() {
  const char* const text = getenv(inherited_listener);
  const int fd = text == nullptr ? -1 : std::atoi(text);
  unsetenv(inherited_listener);
  struct stat looked = {};
  return fd > 2 && fstat(fd, &looked) == 0 && S_ISSOCK(looked.st_mode) ? fd : -1;
}

int check_restore(const char* daemon_version) {
  const Result<RunningRecord> record = read_running(DaemonOptions().run_directory);
  if (record)
    std::printf("polluxd %s restores %zu resource(s)\n", daemon_version,
                record->resources().size());
  else
    std::printf("polluxd %s can not read what runs: %s\n", daemon_version, record.error().where());
  return record ? 0 : 10;
}

}  // namespace replicator
