#include "daemon/undo_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <utility>

#include "base/log.hpp"

namespace replicator {

namespace {

constexpr const char* growing = ".growing";

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

// What happened on the helper thread: a fault of the file system, and where.
struct Outcome {
  int error = 0;
  std::string path;
};

Outcome make_growing(const std::string& directory, const std::string& path, std::uint64_t size) {
  if (!make_directory(directory)) return {errno, directory};
  const int error = make_file(path, size);
  if (error != 0) return {error, path};
  if (!sync_directory(directory)) return {errno, directory};
  return {};
}

std::string now_text() {
  const time_t now = time(nullptr);
  tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

// Of a growing file. The path is the new one.
Outcome rename_growing(const std::string& directory, const std::string& stem, const char* ending) {
  const std::string final_stem = stem + "-" + now_text();
  std::string path = final_stem + ending;
  for (int again = 2; again < 100; ++again) {
    if (renameat2(AT_FDCWD, (stem + growing).c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) ==
        0) {
      sync_directory(directory);
      return {0, path};
    }
    if (errno != EEXIST) break;
    path = final_stem + "-" + std::to_string(again) + ending;
  }
  return {errno, path};
}

UndoStore::Space space_of(const std::string& directory) {
  struct statvfs room{};
  // Before the first file there is no directory: it will be made where the one above it is.
  std::string place = directory;
  while (statvfs(place.c_str(), &room) != 0) {
    const std::size_t above = place.find_last_of('/');
    if (errno != ENOENT || above == std::string::npos || place == "/") return {};
    place.resize(above == 0 ? 1 : above);
  }
  return {ByteCount(room.f_bavail * room.f_frsize), ByteCount(room.f_blocks * room.f_frsize)};
}

Fault fault_of(int error) {
  switch (error) {
    case EEXIST: return Fault::exists;
    case ENOSPC: return Fault::no_space;
    case EFBIG: return Fault::unsupported;
    default: return Fault::io_error;
  }
}

}  // namespace

UndoFiles::UndoFiles(uring::Reactor& reactor, std::string directory)
    : reactor_(reactor), directory_(std::move(directory)) {}

std::string UndoFiles::stem(const std::string& resource, std::uint32_t volume) const {
  return directory_ + "/" + resource + "-" + std::to_string(volume);
}

Task<Result<std::unique_ptr<io::Disk>>> UndoFiles::create(std::string resource,
                                                          std::uint32_t volume, ByteCount size) {
  const std::string path = stem(resource, volume) + growing;
  Outcome made;
  std::function<void()> work = [&] { made = make_growing(directory_, path, size.value()); };
  io::Op op;
  reactor_.run_blocking(op, std::move(work));
  co_await op;
  if (made.error == EFBIG) {
    // As large as the volume, with holes.
    co_return failure(Fault::unsupported, "its file system has no files that large", EFBIG);
  }
  if (made.error != 0) {
    log::warning("{}: {}", made.path, std::strerror(made.error));
    co_return failure(fault_of(made.error), made.path == path ? "undo file" : "undo directory",
                      made.error);
  }
  co_return reactor_.world().storage.open(path, io::DiskAccess::exclusive);
}

Task<Result<std::unique_ptr<io::Disk>>> UndoFiles::reopen(std::string resource,
                                                          std::uint32_t volume) {
  const std::string path = stem(resource, volume) + growing;
  bool there = false;
  std::function<void()> work = [&] { there = access(path.c_str(), F_OK) == 0; };
  io::Op op;
  reactor_.run_blocking(op, std::move(work));
  co_await op;
  if (!there) co_return failure(Fault::not_found, "undo file");
  co_return reactor_.world().storage.open(path, io::DiskAccess::exclusive);
}

Task<std::string> UndoFiles::finish(std::string resource, std::uint32_t volume) {
  const std::string from = stem(resource, volume);
  Outcome renamed;
  std::function<void()> work = [&] { renamed = rename_growing(directory_, from, ".undo"); };
  io::Op op;
  reactor_.run_blocking(op, std::move(work));
  co_await op;
  if (renamed.error == 0) co_return renamed.path;
  log::warning("{}: {}", renamed.path, std::strerror(renamed.error));
  co_return std::string();
}

Task<void> UndoFiles::set_aside(std::string resource, std::uint32_t volume) {
  const std::string from = stem(resource, volume);
  Outcome renamed;
  std::function<void()> work = [&] { renamed = rename_growing(directory_, from, ".broken"); };
  io::Op op;
  reactor_.run_blocking(op, std::move(work));
  co_await op;
  if (renamed.error == 0) log::warning("{}: look at it and remove it", renamed.path);
  else log::warning("{}: {}", renamed.path, std::strerror(renamed.error));
}

Task<UndoStore::Space> UndoFiles::space() {
  Space found;
  std::function<void()> work = [&] { found = space_of(directory_); };
  io::Op op;
  reactor_.run_blocking(op, std::move(work));
  co_await op;
  last_space_ = found;
  co_return found;
}

std::uint64_t UndoFiles::seconds_since_1970() const {
  return static_cast<std::uint64_t>(time(nullptr));
}

}  // namespace replicator
