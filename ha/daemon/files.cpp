#include "ha/daemon/files.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>

namespace ha::daemon {

namespace {

using membership::Diagnostic;
using membership::Severity;

constexpr std::size_t file_limit = 1U << 20U;

std::optional<std::string> read_file(const std::string& path, std::uint32_t* mode = nullptr) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  struct stat about{};
  if (mode != nullptr && fstat(fd, &about) == 0) *mode = about.st_mode;
  std::string content;
  char buffer[4096];
  ssize_t got = 0;
  while (content.size() < file_limit && (got = read(fd, buffer, sizeof buffer)) > 0)
    content.append(buffer, static_cast<std::size_t>(got));
  close(fd);
  if (got < 0) return std::nullopt;
  return content;
}

// Whole or not at all, also after a power cut.
Status write_file(const std::string& path, std::string_view content) {
  const std::string fresh = path + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return Status(Fault::io_error, "state file", errno);
  const bool written =
      write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
      fsync(fd) == 0;
  const int error = errno;
  close(fd);
  if (!written) return Status(Fault::io_error, "state file", error);
  if (rename(fresh.c_str(), path.c_str()) != 0) return Status(Fault::io_error, "state file", errno);
  const int folder =
      open(path.substr(0, path.rfind('/')).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
  return Status();
}

void make_folders(const std::string& folder) {
  for (std::size_t end = folder.find('/', 1);; end = folder.find('/', end + 1)) {
    mkdir(folder.substr(0, end).c_str(), 0755);
    if (end == std::string::npos) return;
  }
}

Diagnostic error_of(const std::string& path, std::string text) {
  return Diagnostic{Severity::error, path, 0, std::move(text)};
}

void append(membership::Diagnostics& to, membership::Diagnostics from) {
  for (Diagnostic& diagnostic : from)
    to.push_back(std::move(diagnostic));
}

void load_resources(const std::string& folder, const std::string& cib_folder,
                    Configuration& configuration) {
  const std::string path = folder + "/haresources";
  const auto file = read_file(path);
  const bool cib = access((cib_folder + "/cib.xml").c_str(), F_OK) == 0;
  configuration.by_cib = configuration.cf.pacemaker || (!file && cib);
  if (configuration.by_cib && !file) return;
  if (configuration.cf.pacemaker) {
    for (const std::string& line :
         {fmt::format("File {} exists.", path),
          std::string("This file is not used because pacemaker is enabled")})
      configuration.diagnostics.push_back(Diagnostic{Severity::warning, path, 0, line});
    return;
  }
  if (!file) {
    configuration.diagnostics.push_back(
        error_of(path, fmt::format("Cannot open resources file [{}]", path)));
    return;
  }
  haresources::ResourcesFile parsed =
      haresources::parse_haresources(*file, path, configuration.cf.nodes);
  configuration.groups = std::move(parsed.groups);
  append(configuration.diagnostics, std::move(parsed.diagnostics));
}

}  // namespace

membership::AuthKeysFile load_auth_keys(const std::string& folder) {
  const std::string path = folder + "/authkeys";
  membership::AuthKeysFile result;
  std::uint32_t mode = 0;
  const auto file = read_file(path, &mode);
  if (!file) {
    result.diagnostics.push_back(
        error_of(path, fmt::format("Cannot open keyfile [{}].  Stop.", path)));
    return result;
  }
  if (const auto refused = membership::refuse_mode(mode, path)) {
    result.diagnostics.push_back(*refused);
    return result;
  }
  return membership::parse_auth_keys(*file, path);
}

bool authkeys_changed(const std::string& folder, std::int64_t& changed) {
  struct stat about{};
  if (stat((folder + "/authkeys").c_str(), &about) != 0) return false;
  const std::int64_t now = about.st_mtim.tv_sec * 1000000000L + about.st_mtim.tv_nsec;
  const bool is_new = now != changed;
  changed = now;
  return is_new;
}

Configuration load(const std::string& folder, const std::string& cib_folder) {
  Configuration configuration;
  configuration.own_node = own_node_name();
  const std::string path = folder + "/ha.cf";
  const auto file = read_file(path);
  if (!file) {
    configuration.diagnostics.push_back(
        error_of(path, fmt::format("Heartbeat not configured: {} not found.", path)));
    return configuration;
  }
  membership::HaCfFile parsed = membership::parse_ha_cf(*file, path, configuration.own_node);
  configuration.cf = std::move(parsed.config);
  configuration.diagnostics = std::move(parsed.diagnostics);
  membership::AuthKeysFile keys = load_auth_keys(folder);
  if (keys.keys) configuration.keys = std::move(*keys.keys);
  else keys.diagnostics.push_back(error_of(path, "Authentication configuration error."));
  append(configuration.diagnostics, std::move(keys.diagnostics));
  load_resources(folder, cib_folder, configuration);
  return configuration;
}

Result<Identity> load_identity(const std::string& folder) {
  make_folders(folder);
  Identity identity;
  identity.uuid = read_file(folder + "/hb_uuid").value_or("");
  if (identity.uuid.size() != 16) {
    identity.uuid.assign(16, '\0');
    if (getrandom(identity.uuid.data(), 16, 0) != 16) return failure(Fault::io_error, "getrandom");
    const Status stored = write_file(folder + "/hb_uuid", identity.uuid);
    if (!stored.ok()) return tl::unexpected(stored);
  }
  // The clock only makes the very first one; from then on it counts.
  std::uint64_t last = static_cast<std::uint64_t>(time(nullptr));
  const std::string text = read_file(folder + "/hb_generation").value_or("");
  const std::size_t digits = text.find_first_not_of(" \t");
  if (digits != std::string::npos) {
    std::from_chars(text.data() + digits, text.data() + text.size(), last);
  }
  identity.generation = last + 1;
  const Status stored = store_generation(folder, identity.generation);
  if (!stored.ok()) return tl::unexpected(stored);
  return identity;
}

Status store_generation(const std::string& folder, std::uint64_t generation) {
  return write_file(folder + "/hb_generation", fmt::format("{:14}\n", generation));
}

std::optional<std::string> read_text_file(const std::string& path) { return read_file(path); }

std::string own_node_name() {
  utsname name{};
  if (uname(&name) != 0) return std::string();
  return membership::lower_case(name.nodename);
}

std::vector<std::string> own_addresses() {
  std::vector<std::string> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return addresses;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET) continue;
    char text[INET_ADDRSTRLEN] = "";
    const auto* address = reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
    if (inet_ntop(AF_INET, &address->sin_addr, text, sizeof text) != nullptr) {
      addresses.emplace_back(text);
    }
  }
  freeifaddrs(list);
  return addresses;
}

}  // namespace ha::daemon
