#include "daemon/running_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "devices/file_descriptor.hpp"

namespace replicator {

namespace {

constexpr std::size_t record_bytes_max = std::size_t{64} << 20U;

bool write_all(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Status write_running(const std::string& run_directory, const RunningRecord& record) {
  const std::string path = run_directory + running_file_name;
  const std::string fresh = path + ".new";
  const shim::FileDescriptor file(
      open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file || !write_all(file.get(), record.text()) || rename(fresh.c_str(), path.c_str()) != 0)
    return Status(Fault::io_error, "record of what runs", errno);
  return Status();
}

void remove_running(const std::string& run_directory) noexcept {
  unlink((run_directory + running_file_name).c_str());
}

Result<RunningRecord> read_running(const std::string& run_directory) {
  const std::string path = run_directory + running_file_name;
  const shim::FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return RunningRecord();
  if (!file) return failure(Fault::io_error, "open", errno);
  std::string text;
  char part[16384];
  ssize_t got = 0;
  while ((got = ::read(file.get(), part, sizeof part)) > 0 && text.size() < record_bytes_max)
    text.append(part, static_cast<std::size_t>(got));
  if (got != 0) return failure(Fault::io_error, "read", errno);
  return RunningRecord::parse(text);
}

}  // namespace replicator
