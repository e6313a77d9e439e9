#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "doctor/gather.hpp"
#include "ha/daemon/files.hpp"
#include "nbd/device.hpp"
#include "nbd/netlink.hpp"
#include "ublk/control.hpp"
#include "ublk/device.hpp"

namespace replicator::doctor {

namespace {

constexpr const char* state_folder = "/var/lib/pollux";
constexpr const char* failover_folder = "/etc/ha.d";

std::vector<std::string> entries(const char* folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(folder), closedir);
  if (directory == nullptr) return names;
  while (const dirent* entry = readdir(directory.get()))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  return names;
}

bool is_same_file(const std::string& a, const std::string& b) {
  struct stat one{};
  struct stat other{};
  return stat(a.c_str(), &one) == 0 && stat(b.c_str(), &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

std::string found_in_path(const std::string& name) {
  const char* const path = std::getenv("PATH");
  std::string_view folders = path != nullptr ? path : "";
  while (!folders.empty()) {
    const std::size_t end = std::min(folders.find(':'), folders.size());
    const std::string candidate = std::string(folders.substr(0, end)) + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    folders.remove_prefix(std::min(end + 1, folders.size()));
  }
  return {};
}

std::vector<HiddenTool> hidden_tools() {
  std::vector<HiddenTool> hidden;
  char self[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self);
  if (length <= 0) return hidden;
  const std::string path(self, static_cast<std::size_t>(length));
  const std::string beside = path.substr(0, path.rfind('/') + 1);
  for (const char* name : {"drbdadm", "drbdsetup", "drbdmeta"}) {
    const std::string ours = beside + name;
    if (access(ours.c_str(), X_OK) != 0) continue;
    std::string found = found_in_path(name);
    if (found.empty() || !is_same_file(found, ours)) hidden.push_back({name, found, ours});
  }
  return hidden;
}

std::string first_line(const std::string& path) {
  const std::string text = file_text(path);
  return text.substr(0, text.find('\n'));
}

void look_for_kernel_drbd(SystemFacts& facts) {
  if (access("/sys/module/drbd", F_OK) != 0) return;
  facts.kernel_drbd = first_line("/sys/module/drbd/version");
  if (facts.kernel_drbd.empty()) facts.kernel_drbd = "of an unknown version";
  for (const std::string& name : entries("/sys/block")) {
    if (name.starts_with("drbd")) facts.kernel_drbd_in_use = true;
  }
}

bool is_mounted(const std::string& folder) {
  return file_text("/proc/self/mountinfo").find(" " + folder + " ") != std::string::npos;
}

void look_for_waiting(SystemFacts& facts, const shim::DeviceRecords& records,
                      shim::LeftBehind&& driver) {
  for (const shim::DeviceRecord& record : records.all()) {
    if (driver.look_at(record) == shim::Fate::waits) facts.waiting_devices.push_back(record.volume);
  }
}

void look_for_leftovers(SystemFacts& facts) {
  facts.died = access("/run/pollux/running", F_OK) == 0;
  shim::ublk::DriverControl ublk;
  look_for_waiting(facts, shim::ublk_records, shim::ublk::UblkLeftBehind(ublk));
  shim::kernel_nbd::KernelControl nbd;
  look_for_waiting(facts, shim::nbd_records,
                   shim::kernel_nbd::NbdLeftBehind(nbd, shim::nbd_records));
  if (access(control::default_socket_path, F_OK) == 0)
    facts.leftovers.emplace_back(control::default_socket_path);
  for (const char* folder : {"/run/pollux/loop", "/run/pollux/nbd"}) {
    for (const std::string& name : entries(folder))
      facts.leftovers.push_back(std::string(folder) + "/" + name);
  }
  for (const char* folder : {"/run/pollux/volumes", "/run/pollux/proc"}) {
    if (is_mounted(folder)) facts.leftovers.emplace_back(folder);
  }
}

std::optional<std::uint64_t> free_bytes(std::string folder) {
  struct statvfs about{};
  // What is not there yet is made where its parent is.
  while (statvfs(folder.c_str(), &about) != 0) {
    if (folder.size() <= 1) return std::nullopt;
    folder.resize(std::max<std::size_t>(folder.rfind('/'), 1));
  }
  return static_cast<std::uint64_t>(about.f_bavail) * about.f_frsize;
}

ClockFacts look_at_clock() {
  timex time{};
  const int state = adjtimex(&time);
  ClockFacts facts;
  facts.known = state >= 0;
  facts.synchronised = facts.known && (time.status & STA_UNSYNC) == 0;
  return facts;
}

}  // namespace

SystemFacts gather_system(const std::string& node) {
  SystemFacts facts;
  facts.node = node;
  look_for_kernel_drbd(facts);
  facts.hidden = hidden_tools();
  look_for_leftovers(facts);
  facts.state_folder = state_folder;
  facts.state_free_bytes = free_bytes(state_folder);
  facts.clock = look_at_clock();
  return facts;
}

std::optional<FailoverFacts> gather_failover() {
  const std::string folder = failover_folder;
  using ha::membership::Severity;
  if (access((folder + "/ha.cf").c_str(), F_OK) != 0) return std::nullopt;
  const ha::daemon::Configuration configuration =
      ha::daemon::load(folder, std::string(state_folder) + "/cib");
  FailoverFacts facts;
  facts.folder = folder;
  facts.nodes = configuration.cf.nodes.size();
  facts.by_cib = configuration.by_cib;
  for (const ha::membership::Diagnostic& diagnostic : configuration.diagnostics) {
    if (diagnostic.severity == Severity::info) continue;
    const bool error = diagnostic.severity == Severity::error;
    (error ? facts.errors : facts.warnings).push_back(diagnostic.text);
  }
  struct stat keys{};
  facts.keys_readable =
      stat((folder + "/authkeys").c_str(), &keys) == 0 && (keys.st_mode & 077) != 0;
  facts.watchdog = configuration.cf.watchdog;
  facts.watchdog_here = access(facts.watchdog.c_str(), F_OK) == 0;
  return facts;
}

}  // namespace replicator::doctor
