#include "pollux/undo_commands.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "pollux/undo_file.hpp"

namespace replicator::pollux {

namespace {

constexpr std::uint64_t copy_bytes_max = 1ULL << 20U;

struct Call {
  std::string directory = default_undo_directory;
  std::string base;
  std::vector<std::string> words;
  std::FILE* out;
  std::FILE* err;
};

int complain(const Call& call, const std::string& line) {
  fmt::print(call.err, "pollux undo: {}\n", line);
  return 1;
}

std::string reason_of(const Status& status) {
  if (status.fault() == Fault::malformed) return status.where();
  return std::strerror(status.error_number());
}

bool has_ending(const std::string& name, const char* ending) {
  const std::size_t length = std::strlen(ending);
  return name.size() > length && name.compare(name.size() - length, length, ending) == 0;
}

std::vector<std::string> names(const Call& call) {
  std::vector<std::string> found;
  DIR* const directory = opendir(call.directory.c_str());
  if (directory == nullptr) return found;
  while (const dirent* entry = readdir(directory)) {
    const std::string name = entry->d_name;
    if (has_ending(name, ".undo") || has_ending(name, ".growing")) found.push_back(name);
  }
  closedir(directory);
  std::sort(found.begin(), found.end());
  return found;
}

std::string utc(std::uint64_t seconds) {
  const auto when = static_cast<time_t>(seconds);
  tm parts{};
  gmtime_r(&when, &parts);
  char text[32];
  strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

const char* condition(const UndoHeader& header) {
  if (!header.complete) return header.partial ? "growing, partial" : "growing";
  return header.partial ? "partial" : "complete";
}

int list(const Call& call) {
  const std::vector<std::string> found = names(call);
  if (found.empty()) {
    fmt::print(call.out, "nothing is kept in {}\n", call.directory);
    return 0;
  }
  std::size_t width = 4;
  for (const std::string& name : found)
    width = std::max(width, name.size());
  fmt::print(call.out, "{:{}}  {:12}  {:23}  {:>10}  {:16}  {}\n", "NAME", width, "VOLUME", "BEGAN",
             "KEPT KB", "STATE", "WHY");
  int result = 0;
  for (const std::string& name : found) {
    const Result<UndoFile> file = UndoFile::open(call.directory + "/" + name);
    if (!file) {
      result = complain(call, name + ": " + reason_of(file.error()));
      continue;
    }
    const UndoHeader& header = file->header();
    fmt::print(call.out, "{:{}}  {:12}  {:23}  {:>10}  {:16}  {}\n", name, width,
               fmt::format("{}/{}", header.resource, header.volume), utc(header.began_seconds),
               file->kept_bytes().value() / 1024, condition(header), text(header.reason));
  }
  return result;
}

// A name of the list, with or without its ending, or a path.
std::string path_of(const Call& call, const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  for (const char* ending : {"", ".undo", ".growing"}) {
    const std::string path = call.directory + "/" + name + ending;
    if (access(path.c_str(), F_OK) == 0) return path;
  }
  return call.directory + "/" + name;
}

Result<UndoFile> open_named(const Call& call, const std::string& name) {
  Result<UndoFile> file = UndoFile::open(path_of(call, name));
  if (!file && file.error().fault() == Fault::not_found) {
    complain(call, fmt::format("{} is not in {}; see 'pollux undo list'", name, call.directory));
  } else if (!file) {
    complain(call, fmt::format("{}: {}", path_of(call, name), reason_of(file.error())));
  }
  return file;
}

void print_generations(const Call& call, const char* who, const GenerationSet& set) {
  fmt::print(call.out, "{}{:016X}:{:016X}:{:016X}:{:016X}\n", who, set.current, set.bitmap,
             set.history[0], set.history[1]);
}

int show(const Call& call) {
  const Result<UndoFile> file = open_named(call, call.words[1]);
  if (!file) return 1;
  const UndoHeader& header = file->header();
  fmt::print(call.out, "volume:       {}/{}, {} KB\n", header.resource, header.volume,
             header.device.value() / 1024);
  fmt::print(call.out, "why:          {}\n", text(header.reason));
  fmt::print(call.out, "began:        {}\n", utc(header.began_seconds));
  fmt::print(call.out, "state:        {}{}\n", condition(header),
             header.partial ? " (not everything that was overwritten could be kept)" : "");
  print_generations(call, "generations:  ", header.mine);
  print_generations(call, "of the peer:  ", header.peer);
  const std::vector<ByteRange> ranges = file->ranges();
  fmt::print(call.out, "kept:         {} KB in {} ranges\n", file->kept_bytes().value() / 1024,
             ranges.size());
  for (const ByteRange& range : ranges) {
    fmt::print(call.out, "  sector {:>12}  {:>10} KB\n", to_sector(range.begin).value(),
               range.length.value() / 1024);
  }
  return 0;
}

// A file that is written and removed again unless everything worked.
class NewFile {
 public:
  explicit NewFile(std::string path)
      : path_(std::move(path)),
        fd_(open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {}
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (fd_ < 0) return;
    close(fd_);
    if (!kept_) unlink(path_.c_str());
  }
  [[nodiscard]] int fd() const noexcept { return fd_; }
  void keep() noexcept { kept_ = true; }

 private:
  std::string path_;
  int fd_;
  bool kept_ = false;
};

// errno, or 0.
int write_all(int fd, std::uint64_t at, ConstBytes data) {
  while (!data.empty()) {
    const ssize_t put = pwrite(fd, data.data(), data.size(), static_cast<off_t>(at));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    at += static_cast<std::uint64_t>(put);
    data = data.subspan(static_cast<std::size_t>(put));
  }
  return 0;
}

// Of the whole base, which must be as long as the volume. 0, an errno, or -1: too short.
int copy_base(int base, int target, std::uint64_t length) {
  std::vector<std::byte> piece(copy_bytes_max);
  for (std::uint64_t at = 0; at < length;) {
    const std::uint64_t want = std::min<std::uint64_t>(piece.size(), length - at);
    const ssize_t got = pread(base, piece.data(), want, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return -1;
    const Bytes data = Bytes(piece).first(static_cast<std::size_t>(got));
    const int error = all_zero(data) ? 0 : write_all(target, at, data);
    if (error != 0) return error;
    at += static_cast<std::uint64_t>(got);
  }
  return 0;
}

int put_base(const Call& call, const UndoFile& file, int target) {
  const int base = open(call.base.c_str(), O_RDONLY | O_CLOEXEC);
  const int error = base < 0 ? errno : copy_base(base, target, file.header().device.value());
  if (base >= 0) close(base);
  if (error == -1) return complain(call, call.base + " is smaller than the volume was");
  if (error != 0) return complain(call, call.base + ": " + std::strerror(error));
  return 0;
}

int put_blocks(const Call& call, const UndoFile& file, int target) {
  std::vector<std::byte> piece(copy_bytes_max);
  for (const ByteRange& range : file.ranges()) {
    for (std::uint64_t done = 0; done < range.length.value();) {
      const std::uint64_t count =
          std::min<std::uint64_t>(piece.size(), range.length.value() - done);
      const ByteRange part(range.begin + ByteCount(done), ByteCount(count));
      const Bytes data = Bytes(piece).first(count);
      const Status status = file.read(part, data);
      if (!status.ok()) return complain(call, call.words[1] + ": " + reason_of(status));
      const int error = write_all(target, part.begin.value(), data);
      if (error != 0) return complain(call, call.words[2] + ": " + std::strerror(error));
      done += count;
    }
  }
  return 0;
}

int export_image(const Call& call) {
  const Result<UndoFile> file = open_named(call, call.words[1]);
  if (!file) return 1;
  const std::string& path = call.words[2];
  NewFile target(path);
  if (target.fd() < 0) {
    return complain(call, errno == EEXIST ? path + " exists; name a file that does not"
                                          : path + ": " + std::strerror(errno));
  }
  if (ftruncate(target.fd(), static_cast<off_t>(file->header().device.value())) != 0) {
    return complain(call, path + ": " + std::strerror(errno));
  }
  if (!call.base.empty() && put_base(call, *file, target.fd()) != 0) return 1;
  if (put_blocks(call, *file, target.fd()) != 0) return 1;
  if (fsync(target.fd()) != 0) return complain(call, path + ": " + std::strerror(errno));
  target.keep();
  fmt::print(call.out, "{}: {} KB of {}/{} as they were{}\n", path,
             file->kept_bytes().value() / 1024, file->header().resource, file->header().volume,
             call.base.empty() ? ", holes elsewhere" : ", over a copy of " + call.base);
  return 0;
}

int drop(const Call& call) {
  const std::string path = path_of(call, call.words[1]);
  {
    const Result<UndoFile> file = open_named(call, call.words[1]);
    if (!file) return 1;
    if (file->in_use()) {
      return complain(call, call.words[1] +
                                " grows with a resync that is under way; "
                                "it can be dropped when that has ended");
    }
  }
  if (unlink(path.c_str()) != 0) return complain(call, path + ": " + std::strerror(errno));
  return 0;
}

// False: an option without its value, or an unknown one.
bool parse(std::span<const std::string> arguments, Call& call) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    std::string* value = word == "--directory" ? &call.directory
                         : word == "--base"    ? &call.base
                                               : nullptr;
    if (value != nullptr) {
      if (++i == arguments.size()) return false;
      *value = arguments[i];
    } else if (word.starts_with("--")) {
      return false;
    } else {
      call.words.push_back(word);
    }
  }
  return !call.words.empty() && (call.base.empty() || call.words[0] == "export");
}

}  // namespace

int run_undo(std::span<const std::string> arguments, std::FILE* out, std::FILE* err) {
  Call call;
  call.out = out;
  call.err = err;
  if (parse(arguments, call)) {
    const std::string& verb = call.words[0];
    if (verb == "list" && call.words.size() == 1) return list(call);
    if (verb == "show" && call.words.size() == 2) return show(call);
    if (verb == "export" && call.words.size() == 3) return export_image(call);
    if (verb == "drop" && call.words.size() == 2) return drop(call);
  }
  std::fputs(undo_usage, err);
  return 2;
}

}  // namespace replicator::pollux
