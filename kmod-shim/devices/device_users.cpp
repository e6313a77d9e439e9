#include "devices/device_users.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <set>

#include "devices/file_descriptor.hpp"

namespace replicator::shim {

namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { closedir(directory); }
};

std::vector<std::string> entries(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseDirectory> directory(opendir(path.c_str()));
  if (directory == nullptr) return names;
  while (const dirent* entry = readdir(directory.get()))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  return names;
}

std::string contents(const std::string& path) {
  std::string text;
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char part[4096];
  for (ssize_t got = 0; file && (got = read(file.get(), part, sizeof part)) > 0;)
    text.append(part, static_cast<std::size_t>(got));
  return text;
}

std::string_view word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view found = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return found;
}

// Blanks, tabs, newlines and backslashes are written as three octal digits.
std::string decoded(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned value = 0;
    if (text[at] == '\\' && at + 3 < text.size() &&
        std::from_chars(&text[at + 1], &text[at + 1] + 3, value, 8).ptr == &text[at + 1] + 3) {
      plain += static_cast<char>(value);
      at += 3;
    } else {
      plain += text[at];
    }
  }
  return plain;
}

// Looks without asking a file server: the descriptor may belong to one that does not answer.
bool leads_to(const std::string& path, std::uint32_t device_major, std::uint32_t device_minor) {
  struct statx looked = {};
  if (statx(AT_FDCWD, path.c_str(), AT_STATX_DONT_SYNC, STATX_TYPE, &looked) != 0) return false;
  const bool is_device = S_ISBLK(looked.stx_mode) && looked.stx_rdev_major == device_major &&
                         looked.stx_rdev_minor == device_minor;
  const bool is_on_device =
      looked.stx_dev_major == device_major && looked.stx_dev_minor == device_minor;
  return is_device || is_on_device;
}

bool process_holds(const std::string& process, std::uint32_t device_major,
                   std::uint32_t device_minor) {
  const std::string descriptors = process + "/fd";
  for (const std::string& fd : entries(descriptors))
    if (leads_to(descriptors + "/" + fd, device_major, device_minor)) return true;
  return false;
}

std::string command_of(const std::string& process) {
  std::string name = contents(process + "/comm");
  if (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

// Each mount namespace is looked at once.
bool new_namespace(const std::string& process, std::set<std::uint64_t>& seen) {
  struct stat looked = {};
  return stat((process + "/ns/mnt").c_str(), &looked) == 0 && seen.insert(looked.st_ino).second;
}

// A loop device holds the disk under it by no process's descriptor. It is asked itself, as the path
// may lead elsewhere by now; unless it has a file, whose server may not answer.
bool loop_lies_on(const std::string& name, std::uint32_t device_major, std::uint32_t device_minor) {
  if (!contents("/sys/block/" + name + "/loop/backing_file").starts_with("/dev/")) return false;
  const FileDescriptor loop(open(("/dev/" + name).c_str(), O_RDONLY | O_CLOEXEC));
  loop_info64 info = {};
  return loop && ioctl(loop.get(), LOOP_GET_STATUS64, &info) == 0 &&
         major(info.lo_rdevice) == device_major && minor(info.lo_rdevice) == device_minor;
}

// The kernel may have found a partition table in the data.
std::vector<std::uint64_t> partitions(std::uint32_t device_major, std::uint32_t device_minor) {
  std::vector<std::uint64_t> found;
  const std::string disk = fmt::format("/sys/dev/block/{}:{}/", device_major, device_minor);
  for (const std::string& name : entries(disk)) {
    if (contents(disk + name + "/partition").empty()) continue;
    const std::string number = contents(disk + name + "/dev");
    std::uint32_t part_major = 0;
    std::uint32_t part_minor = 0;
    const char* const end = number.data() + number.size();
    const auto [colon, error] = std::from_chars(number.data(), end, part_major);
    if (error != std::errc() || colon == end) continue;
    std::from_chars(colon + 1, end, part_minor);
    found.push_back(makedev(part_major, part_minor));
  }
  return found;
}

}  // namespace

std::string text(const DeviceUser& user) {
  switch (user.kind) {
    case DeviceUser::Kind::process:
      return fmt::format("held open by {} (pid {})", user.name, user.pid);
    case DeviceUser::Kind::mount: return fmt::format("mounted on {}", user.name);
    case DeviceUser::Kind::stacked_device: return fmt::format("used by {}", user.name);
  }
  return "";
}

std::vector<std::string> mount_points(std::string_view mountinfo, std::uint32_t device_major,
                                      std::uint32_t device_minor) {
  const std::string wanted = fmt::format("{}:{}", device_major, device_minor);
  std::vector<std::string> found;
  while (!mountinfo.empty()) {
    const std::size_t end = std::min(mountinfo.find('\n'), mountinfo.size());
    std::string_view line = mountinfo.substr(0, end);
    mountinfo.remove_prefix(std::min(end + 1, mountinfo.size()));
    word(line);  // identity
    word(line);  // its parent's
    if (word(line) != wanted) continue;
    word(line);  // root within the file system
    found.push_back(decoded(word(line)));
  }
  return found;
}

bool only_udev(const std::vector<DeviceUser>& users) noexcept {
  const auto is_udev = [](const DeviceUser& user) {
    return user.kind == DeviceUser::Kind::process &&
           (user.name == "(udev-worker)" || user.name == "systemd-udevd" || user.name == "udevd");
  };
  return !users.empty() && std::all_of(users.begin(), users.end(), is_udev);
}

DeviceUser process_user(std::uint32_t pid) {
  return {DeviceUser::Kind::process, command_of(fmt::format("/proc/{}", pid)), pid};
}

std::vector<DeviceUser> find_device_users(std::uint64_t device_number) {
  const std::uint32_t device_major = major(device_number);
  const std::uint32_t device_minor = minor(device_number);
  std::vector<DeviceUser> users;
  std::set<std::uint64_t> namespaces;
  for (const std::string& name : entries("/proc")) {
    std::uint32_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr !=
        name.data() + name.size())
      continue;
    const std::string process = "/proc/" + name;
    if (process_holds(process, device_major, device_minor))
      users.push_back({DeviceUser::Kind::process, command_of(process), pid});
    if (!new_namespace(process, namespaces)) continue;
    for (std::string& point :
         mount_points(contents(process + "/mountinfo"), device_major, device_minor))
      users.push_back({DeviceUser::Kind::mount, std::move(point), pid});
  }
  for (std::string& name : entries("/sys/block")) {
    if (name.starts_with("loop") && loop_lies_on(name, device_major, device_minor))
      users.push_back({DeviceUser::Kind::stacked_device, std::move(name), 0});
  }
  const std::string holders =
      fmt::format("/sys/dev/block/{}:{}/holders", device_major, device_minor);
  for (std::string& device : entries(holders))
    users.push_back({DeviceUser::Kind::stacked_device, std::move(device), 0});
  for (const std::uint64_t partition : partitions(device_major, device_minor)) {
    for (DeviceUser& user : find_device_users(partition))
      users.push_back(std::move(user));
  }
  return users;
}

}  // namespace replicator::shim
