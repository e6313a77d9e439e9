#include "devices/device_node.hpp"

#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <string_view>

namespace replicator::shim {

namespace {

constexpr std::string_view device_folder = "/dev/";
constexpr std::string_view link_folder = "/dev/drbd/";

// The folders above the path; the last part is the caller's.
Status make_folders(const std::string& path) {
  for (std::size_t at = path.find('/', link_folder.size() - 1); at != std::string::npos;
       at = path.find('/', at + 1)) {
    if (mkdir(path.substr(0, at).c_str(), 0755) != 0 && errno != EEXIST)
      return Status(Fault::io_error, "mkdir in /dev", errno);
  }
  return Status();
}

Status create_link(const std::string& link, const std::string& node) {
  const Status made = make_folders(link);
  if (!made.ok()) return made;
  const std::string fresh = link + ".new";
  unlink(fresh.c_str());
  if (symlink(link_target(link, node).c_str(), fresh.c_str()) != 0 ||
      rename(fresh.c_str(), link.c_str()) != 0)
    return Status(Fault::io_error, "link in /dev", errno);
  return Status();
}

// Another volume may have taken the name over meanwhile: only a link to this node is removed.
void remove_link(const std::string& link, const std::string& node) noexcept {
  if (link.empty()) return;
  char target[PATH_MAX];
  const ssize_t length = readlink(link.c_str(), target, sizeof target);
  if (length < 0 ||
      std::string_view(target, static_cast<std::size_t>(length)) != link_target(link, node))
    return;
  unlink(link.c_str());
  for (std::size_t at = link.rfind('/'); at >= link_folder.size() - 1; at = link.rfind('/', at - 1))
    if (rmdir(link.substr(0, at).c_str()) != 0) return;
}

}  // namespace

std::string node_path(const DeviceNames& names) { return fmt::format("/dev/drbd{}", names.minor); }

std::string by_resource_path(const DeviceNames& names) {
  return fmt::format("{}by-res/{}/{}", link_folder, names.resource, names.volume);
}

std::string by_disk_path(const DeviceNames& names) {
  const std::string& disk = names.backing_disk;
  if (!disk.starts_with(device_folder) || disk.find("/../") != std::string::npos) return "";
  return fmt::format("{}by-disk/{}", link_folder, disk.substr(device_folder.size()));
}

std::string link_target(const std::string& link, const std::string& node) {
  std::string target;
  for (std::size_t at = device_folder.size(); (at = link.find('/', at)) != std::string::npos; ++at)
    target += "../";
  return target + node.substr(device_folder.size());
}

Status point_node(const DeviceNames& names, std::uint64_t device_number) {
  const std::string node = node_path(names);
  const std::string fresh = node + ".new";
  unlink(fresh.c_str());
  if (mknod(fresh.c_str(), S_IFBLK | 0660, device_number) != 0)
    return Status(Fault::io_error, "mknod", errno);
  if (rename(fresh.c_str(), node.c_str()) != 0) {
    const int error = errno;
    unlink(fresh.c_str());
    return Status(Fault::io_error, "rename in /dev", error);
  }
  return Status();
}

void announce(std::uint64_t device_number) noexcept {
  const std::string path =
      fmt::format("/sys/dev/block/{}:{}/uevent", major(device_number), minor(device_number));
  std::FILE* const file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return;
  std::fputs("change", file);
  std::fclose(file);
}

Status create_links(const DeviceNames& names) {
  const std::string node = node_path(names);
  const Status by_resource = create_link(by_resource_path(names), node);
  if (!by_resource.ok()) return by_resource;
  const std::string by_disk = by_disk_path(names);
  return by_disk.empty() ? Status() : create_link(by_disk, node);
}

void remove_disk_link(const DeviceNames& names) noexcept {
  remove_link(by_disk_path(names), node_path(names));
}

void remove_names(const DeviceNames& names) noexcept {
  remove_disk_link(names);
  remove_link(by_resource_path(names), node_path(names));
  unlink(node_path(names).c_str());
}

}  // namespace replicator::shim
