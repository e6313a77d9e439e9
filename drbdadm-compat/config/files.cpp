#include "config/files.hpp"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace replicator::config {
namespace {

constexpr std::size_t largest_file = std::size_t{16} << 20U;

Result<std::string> read_descriptor(int descriptor) {
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t count = ::read(descriptor, buffer, sizeof buffer);
    if (count == 0) return text;
    if (count < 0) {
      if (errno == EINTR) continue;
      return failure(errno == EISDIR ? Fault::unsupported : Fault::io_error, "read", errno);
    }
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > largest_file) return failure(Fault::out_of_range, "size of the file");
  }
}

}  // namespace

Result<std::string> RealFiles::read(const std::string& path) {
  if (path == "-") return read_descriptor(STDIN_FILENO);
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return failure(errno == ENOENT ? Fault::not_found : Fault::io_error, "open", errno);
  }
  Result<std::string> text = read_descriptor(descriptor);
  ::close(descriptor);
  return text;
}

std::vector<std::string> RealFiles::glob(const std::string& pattern) {
  std::vector<std::string> names;
  glob_t found{};
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    names.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  ::globfree(&found);
  return names;
}

std::string RealFiles::resolve(const std::string& path) {
  char resolved[PATH_MAX];
  return ::realpath(path.c_str(), resolved) == nullptr ? path : std::string(resolved);
}

}  // namespace replicator::config
