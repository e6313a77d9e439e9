#include "devices/device_record.hpp"

#include <dirent.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>

namespace replicator::shim {

namespace {

constexpr std::size_t record_bytes_max = 512;

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
struct CloseFolder {
  void operator()(DIR* open) const noexcept { closedir(open); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

std::string_view word(std::string_view& line) noexcept {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view first = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return first;
}

template <class Number>
bool parse(std::string_view text, Number& number, int base = 10) noexcept {
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number, base);
  return error == std::errc() && stopped == end;
}

}  // namespace

std::string text(const DeviceRecord& record) {
  return fmt::format("{} {:016x} {} {}\n", record.id, record.token,
                     record.outdated ? "outdated" : "current", record.volume);
}

std::optional<DeviceRecord> parse_record(std::uint32_t minor, std::string_view text) {
  if (text.empty() || text.back() != '\n') return std::nullopt;
  text.remove_suffix(1);
  DeviceRecord record;
  record.minor = minor;
  const std::string_view id = word(text);
  const std::string_view token = word(text);
  const std::string_view data = word(text);
  record.volume = text;
  record.outdated = data != "current";
  if (!parse(id, record.id) || !parse(token, record.token, 16) || text.empty()) return std::nullopt;
  return record;
}

std::string DeviceRecords::path_of(std::uint32_t minor) const {
  return fmt::format("{}/{}", folder_, minor);
}

// In one step: whoever reads it sees all of the old one or of the new one.
Status DeviceRecords::write(const DeviceRecord& record) const {
  for (const char* path : {"/run/pollux", folder_})
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
      return Status(Fault::io_error, "mkdir in /run/pollux", errno);
  const std::string path = path_of(record.minor);
  const std::string fresh = path + ".new";
  {
    const File file(std::fopen(fresh.c_str(), "we"));
    if (file == nullptr || std::fputs(text(record).c_str(), file.get()) == EOF ||
        std::fflush(file.get()) != 0)
      return Status(Fault::io_error, "record in /run/pollux", errno);
  }
  if (rename(fresh.c_str(), path.c_str()) != 0)
    return Status(Fault::io_error, "record in /run/pollux", errno);
  return Status();
}

void DeviceRecords::remove(std::uint32_t minor) const noexcept { unlink(path_of(minor).c_str()); }

std::optional<DeviceRecord> DeviceRecords::read(std::uint32_t minor) const {
  const File file(std::fopen(path_of(minor).c_str(), "re"));
  if (file == nullptr) return std::nullopt;
  char bytes[record_bytes_max];
  const std::size_t size = std::fread(bytes, 1, sizeof bytes, file.get());
  return parse_record(minor, std::string_view(bytes, size));
}

std::vector<DeviceRecord> DeviceRecords::all() const {
  std::vector<DeviceRecord> records;
  const std::unique_ptr<DIR, CloseFolder> open(opendir(folder_));
  if (open == nullptr) return records;
  while (const dirent* entry = readdir(open.get())) {
    std::uint32_t minor = 0;
    if (!parse(entry->d_name, minor)) continue;
    if (const std::optional<DeviceRecord> record = read(minor)) records.push_back(*record);
  }
  return records;
}

}  // namespace replicator::shim
