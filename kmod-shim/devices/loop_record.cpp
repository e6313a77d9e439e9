#include "devices/loop_record.hpp"

#include <dirent.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>

#include "base/log.hpp"

namespace replicator::shim {

namespace {

constexpr const char* folder = "/run/pollux/loop";
constexpr std::size_t record_bytes_max = 512;

std::string path_of(std::uint32_t minor) { return fmt::format("{}/{}", folder, minor); }

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
struct CloseFolder {
  void operator()(DIR* open) const noexcept { closedir(open); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

// Up to the separator, which goes too.
std::string_view word(std::string_view& text, char separator) noexcept {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view first = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return first;
}

template <class Number>
bool parse(std::string_view text, Number& number) noexcept {
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stopped == end;
}

// Before its loop device may become a stranger's disk.
void remove_stale_node(const LoopRecord& record) {
  const std::string node = fmt::format("/dev/drbd{}", record.minor);
  struct stat looked = {};
  if (lstat(node.c_str(), &looked) == 0 && S_ISBLK(looked.st_mode) &&
      looked.st_rdev == device_number(record.loop))
    unlink(node.c_str());
}

}  // namespace

std::string text(const LoopRecord& record) {
  return fmt::format("{} {}\n{} {}\n", record.loop.number, record.loop.sequence,
                     record.outdated ? "outdated" : "current", record.volume);
}

std::optional<LoopRecord> parse_loop_record(std::uint32_t minor, std::string_view text) {
  if (text.empty() || text.back() != '\n') return std::nullopt;
  std::string_view loop = word(text, '\n');
  LoopRecord record;
  record.minor = minor;
  if (!parse(word(loop, ' '), record.loop.number) || !parse(loop, record.loop.sequence))
    return std::nullopt;
  std::string_view volume = word(text, '\n');
  record.outdated = word(volume, ' ') != "current";
  record.volume = volume;
  return record;
}

Status remember_loop(const LoopRecord& record) {
  for (const char* path : {"/run/pollux", folder})
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
      return Status(Fault::io_error, "mkdir /run/pollux/loop", errno);
  const std::string path = path_of(record.minor);
  const std::string fresh = path + ".new";
  {
    const File file(std::fopen(fresh.c_str(), "we"));
    if (file == nullptr || std::fputs(text(record).c_str(), file.get()) == EOF ||
        std::fflush(file.get()) != 0)
      return Status(Fault::io_error, "/run/pollux/loop", errno);
  }
  if (rename(fresh.c_str(), path.c_str()) != 0)
    return Status(Fault::io_error, "/run/pollux/loop", errno);
  return Status();
}

void forget_loop(std::uint32_t minor) noexcept { unlink(path_of(minor).c_str()); }

std::optional<LoopRecord> read_loop_record(std::uint32_t minor) {
  const File file(std::fopen(path_of(minor).c_str(), "re"));
  if (file == nullptr) return std::nullopt;
  char bytes[record_bytes_max];
  const std::size_t size = std::fread(bytes, 1, sizeof bytes, file.get());
  return parse_loop_record(minor, std::string_view(bytes, size));
}

std::vector<LoopRecord> read_loop_records() {
  std::vector<LoopRecord> records;
  const std::unique_ptr<DIR, CloseFolder> open(opendir(folder));
  if (open == nullptr) return records;
  while (const dirent* entry = readdir(open.get())) {
    std::uint32_t minor = 0;
    if (!parse(entry->d_name, minor)) continue;
    if (const std::optional<LoopRecord> record = read_loop_record(minor))
      records.push_back(*record);
  }
  return records;
}

void release_loop(const LoopRecord& record) {
  remove_stale_node(record);
  const Status released = detach_loop_when_unused(record.loop);
  if (!released.ok())
    log::warning("loop{} of drbd{} stays: {} (errno {})", record.loop.number, record.minor,
                 released.where(), released.error_number());
  forget_loop(record.minor);
}

}  // namespace replicator::shim
