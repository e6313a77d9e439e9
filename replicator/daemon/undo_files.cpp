#include "daemon/undo_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/log.hpp"

namespace replicator {

namespace {

// With everything above it; only root reads what was on the disks.
bool make_directory(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1))
    mkdir(path.substr(0, at).c_str(), 0755);
  return mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
}

bool sync_directory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = fsync(fd) == 0;
  close(fd);
  return synced;
}

// Of a fault of the file system; the caller removes what was begun.
int make_file(const std::string& path, std::uint64_t size) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  int error = 0;
  if (ftruncate(fd, static_cast<off_t>(size)) != 0 || fsync(fd) != 0) error = errno;
  close(fd);
  if (error != 0) unlink(path.c_str());
  return error;
}

std::string now_text() {
  const time_t now = time(nullptr);
  tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

}  // namespace

UndoFiles::UndoFiles(io::Storage& storage, std::string directory)
    : storage_(storage), directory_(std::move(directory)) {}

std::string UndoFiles::growing(const std::string& resource, std::uint32_t volume) const {
  return directory_ + "/" + resource + "-" + std::to_string(volume) + ".growing";
}

Result<std::unique_ptr<io::Disk>> UndoFiles::create(const std::string& resource,
                                                    std::uint32_t volume, ByteCount size) {
  if (!make_directory(directory_)) {
    log::warning("{}: {}", directory_, std::strerror(errno));
    return failure(Fault::io_error, "undo directory", errno);
  }
  const std::string path = growing(resource, volume);
  const int error = make_file(path, size.value());
  if (error != 0) {
    log::warning("{}: {}", path, std::strerror(error));
    if (error == EEXIST) return failure(Fault::exists, "undo file", error);
    return failure(error == ENOSPC ? Fault::no_space : Fault::io_error, "undo file", error);
  }
  if (!sync_directory(directory_)) return failure(Fault::io_error, "undo directory", errno);
  return storage_.open(path, io::DiskAccess::exclusive);
}

Result<std::unique_ptr<io::Disk>> UndoFiles::reopen(const std::string& resource,
                                                    std::uint32_t volume) {
  const std::string path = growing(resource, volume);
  if (access(path.c_str(), F_OK) != 0) return failure(Fault::not_found, "undo file");
  return storage_.open(path, io::DiskAccess::exclusive);
}

std::string UndoFiles::rename_growing(const std::string& resource, std::uint32_t volume,
                                      const char* ending) const {
  const std::string stem =
      directory_ + "/" + resource + "-" + std::to_string(volume) + "-" + now_text();
  std::string path = stem + ending;
  for (int again = 2; again < 100; ++again) {
    if (renameat2(AT_FDCWD, growing(resource, volume).c_str(), AT_FDCWD, path.c_str(),
                  RENAME_NOREPLACE) == 0) {
      sync_directory(directory_);
      return path;
    }
    if (errno != EEXIST) break;
    path = stem + "-" + std::to_string(again) + ending;
  }
  log::warning("{}: {}", path, std::strerror(errno));
  return std::string();
}

std::string UndoFiles::finish(const std::string& resource, std::uint32_t volume) {
  return rename_growing(resource, volume, ".undo");
}

void UndoFiles::set_aside(const std::string& resource, std::uint32_t volume) {
  const std::string path = rename_growing(resource, volume, ".broken");
  if (!path.empty()) log::warning("{}: look at it and remove it", path);
}

UndoStore::Space UndoFiles::space() {
  struct statvfs room{};
  // Before the first file there is no directory: it will be made where the one above it is.
  std::string place = directory_;
  while (statvfs(place.c_str(), &room) != 0) {
    const std::size_t above = place.find_last_of('/');
    if (errno != ENOENT || above == std::string::npos || place == "/") return Space();
    place.resize(above == 0 ? 1 : above);
  }
  return Space{ByteCount(room.f_bavail * room.f_frsize), ByteCount(room.f_blocks * room.f_frsize)};
}

std::uint64_t UndoFiles::seconds_since_1970() const {
  return static_cast<std::uint64_t>(time(nullptr));
}

}  // namespace replicator
