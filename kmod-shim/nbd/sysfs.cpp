// What sysfs and the device file tell of nbd devices.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string_view>

#include "devices/driver_node.hpp"
#include "nbd/netlink.hpp"

namespace replicator::shim::kernel_nbd {

namespace {

constexpr std::string_view name = "nbd";
constexpr std::uint64_t sector_bytes = 512;

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
struct CloseFolder {
  void operator()(DIR* open) const noexcept { closedir(open); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

File open_attribute(std::uint32_t number, const char* attribute, const char* mode) {
  return File(std::fopen(fmt::format("/sys/block/nbd{}/{}", number, attribute).c_str(), mode));
}

}  // namespace

std::vector<std::uint32_t> KernelControl::numbers() {
  std::vector<std::uint32_t> found;
  const std::unique_ptr<DIR, CloseFolder> open(opendir("/sys/block"));
  if (open == nullptr) return found;
  while (const dirent* entry = readdir(open.get())) {
    std::string_view word = entry->d_name;
    if (!word.starts_with(name)) continue;
    word.remove_prefix(name.size());
    std::uint32_t number = 0;
    const auto [stopped, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error == std::errc() && stopped == word.data() + word.size()) found.push_back(number);
  }
  return found;
}

std::string KernelControl::identifier_of(std::uint32_t number) {
  const File file = open_attribute(number, "backend", "re");
  if (file == nullptr) return {};
  char bytes[512];
  std::string line(bytes, std::fread(bytes, 1, sizeof bytes, file.get()));
  if (!line.empty() && line.back() == '\n') line.pop_back();
  return line;
}

Result<std::uint64_t> KernelControl::disk_number(std::uint32_t number) {
  const File file = open_attribute(number, "dev", "re");
  unsigned device_major = 0;
  unsigned device_minor = 0;
  if (file == nullptr || std::fscanf(file.get(), "%u:%u", &device_major, &device_minor) != 2)
    return failure(Fault::not_found, "nbd: device number");
  return makedev(device_major, device_minor);
}

std::uint64_t KernelControl::size_of(std::uint32_t number) {
  const File file = open_attribute(number, "size", "re");
  std::uint64_t sectors = 0;
  if (file == nullptr || std::fscanf(file.get(), "%" SCNu64, &sectors) != 1) return 0;
  return sectors * sector_bytes;
}

void KernelControl::set_patience(std::uint32_t number, std::uint32_t milliseconds) {
  const File file = open_attribute(number, "queue/io_timeout", "we");
  if (file != nullptr) fmt::print(file.get(), "{}\n", milliseconds);
}

Status KernelControl::touch(std::uint32_t number) {
  const Result<std::uint64_t> disk = disk_number(number);
  if (!disk) return disk.error();
  const Result<FileDescriptor> node =
      open_block_node(fmt::format("/dev/nbd{}", number), *disk, O_RDONLY);
  return node ? Status() : node.error();
}

}  // namespace replicator::shim::kernel_nbd
