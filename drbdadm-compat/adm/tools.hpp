// What drbdadm reaches outside its own process: the two low-level tools, the daemon, the
// configuration files. A seam, so that every verb is tested without a daemon and without a disk.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "config/files.hpp"
#include "config/resolve.hpp"
#include "control/client.hpp"
#include "control/status_json.hpp"
#include "metatool/disk_facts.hpp"

namespace replicator::adm {

class Tools {
 public:
  virtual ~Tools() = default;
  // Exit codes of the tools; their output goes where `console` says.
  virtual int drbdsetup(std::span<const std::string> arguments) = 0;
  virtual int drbdmeta(std::span<const std::string> arguments) = 0;
  // Starts polluxd unless it runs. Empty, or why it could not be started.
  virtual std::string start_daemon() = 0;
  // Whether a daemon that died has left block devices behind, whose users wait.
  virtual bool devices_wait() = 0;
  // The running configuration; nothing when no daemon runs.
  virtual std::vector<control::ResourceShow> running() = 0;
  // How it is; likewise.
  virtual std::vector<ResourceStatus> status() = 0;
  virtual metatool::DiskFacts look_at_disk(const config::LocalVolume& volume) = 0;
  virtual config::HostFacts host() = 0;
  virtual config::Files& files() = 0;
  // Runs a handler's command with these additions to the environment; its exit code. 20 when it was
  // killed or could not be started.
  virtual int run_handler(const std::string& command,
                          const std::vector<std::pair<std::string, std::string>>& told) = 0;
  // Which file says what "minor-0" or "r0" is, for handlers that are called without naming one:
  // kept while the machine runs. Empty when nobody has brought it up.
  virtual void remember_config(const std::string& object, const std::string& path) = 0;
  virtual std::string remembered_config(const std::string& object) = 0;
  // A drbdsetup command beside this one, which may take long and says nothing: a handle, or -1.
  virtual int begin_wait(std::span<const std::string> arguments) = 0;
  virtual bool wait_ended(int handle) = 0;
  virtual void end_wait(int handle) = 0;
  // Is there an operator who can answer?
  virtual bool terminal() = 0;
  // Lets that time pass, or less when the operator has entered a line; the line without its end.
  virtual std::string line_or_pause(unsigned milliseconds) = 0;
  // 64 random bits, as 16 hexadecimal digits.
  virtual std::string random_identifier() = 0;
};

// Where a command's text goes.
struct Console {
  std::FILE* out = stdout;
  std::FILE* err = stderr;
};

// The real ones, in this process.
class LocalTools final : public Tools {
 public:
  LocalTools(Console console, std::string socket_path = control::default_socket_path)
      : console_(console), client_(std::move(socket_path)) {}

  int drbdsetup(std::span<const std::string> arguments) override;
  int drbdmeta(std::span<const std::string> arguments) override;
  std::string start_daemon() override;
  bool devices_wait() override;
  std::vector<control::ResourceShow> running() override;
  std::vector<ResourceStatus> status() override;
  metatool::DiskFacts look_at_disk(const config::LocalVolume& volume) override;
  config::HostFacts host() override;
  config::Files& files() override { return files_; }
  int run_handler(const std::string& command,
                  const std::vector<std::pair<std::string, std::string>>& told) override;
  void remember_config(const std::string& object, const std::string& path) override;
  std::string remembered_config(const std::string& object) override;
  std::string random_identifier() override;
  int begin_wait(std::span<const std::string> arguments) override;
  bool wait_ended(int handle) override;
  void end_wait(int handle) override;
  bool terminal() override;
  std::string line_or_pause(unsigned milliseconds) override;

 private:
  [[nodiscard]] bool daemon_runs() const;

  Console console_;
  control::Client client_;
  config::RealFiles files_;
};

}  // namespace replicator::adm
