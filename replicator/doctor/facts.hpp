// What was found on a machine, as plain values: gather.hpp fills them, judge.hpp judges them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/states.hpp"

namespace replicator::doctor {

// A kernel module that something needs.
enum class Module : std::uint8_t {
  present,  // loaded or built in, and its device answers
  on_disk,  // could be loaded
  absent,
};

struct KernelFacts {
  std::string release;
  Module ublk = Module::absent;
  std::string ublk_problem;  // why a ublk that is present can't be used
  Module nbd = Module::absent;
  std::string nbd_problem;  // likewise
  Module fuse = Module::absent;
  Module loop = Module::absent;
  std::string io_uring_features;
  std::string io_uring_problem;  // empty: it works
  int io_uring_error = 0;        // errno that goes with the problem
  int io_uring_disabled = -1;    // the sysctl; -1: this kernel has none
};

enum class DaemonState : std::uint8_t { absent, answers, silent, forbidden };

// What a daemon does against being stopped by the memory that it is there to write out: of the
// daemon that runs, else as far as a process that tried it here came.
struct ProtectionFacts {
  DaemonState daemon = DaemonState::absent;
  std::uint32_t daemon_pid = 0;
  bool memory_locked = false;
  bool io_flusher = false;
  bool oom_protected = false;
  std::uint64_t lock_limit = 0;  // bytes; all bits: none
};

struct ClockFacts {
  bool known = false;
  bool synchronised = false;
};

// A program of ours that another one of the same name hides.
struct HiddenTool {
  std::string name;
  std::string found;  // what PATH leads to; empty: nothing
  std::string ours;
};

struct SystemFacts {
  std::string node;
  std::string kernel_drbd;          // version of the module that is loaded; empty: none
  bool kernel_drbd_in_use = false;  // it has devices
  std::vector<HiddenTool> hidden;
  bool died = false;  // a daemon that was killed left a record of what it served
  std::vector<std::string> waiting_devices;  // RESOURCE-NUMBER: left by a daemon that died
  std::vector<std::string> leftovers;        // paths under /run/pollux while no daemon runs
  std::string state_folder;
  std::optional<std::uint64_t> state_free_bytes;
  ClockFacts clock;
};

struct ConfigurationFacts {
  std::string path;
  bool found = false;
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
  std::size_t resources = 0;
  std::size_t here = 0;                 // of these, with a section for this host
  std::vector<std::string> host_names;  // of all sections
};

enum class PortUse : std::uint8_t { unused, ours, foreign };

enum class Reach : std::uint8_t {
  not_tried,
  reached,
  refused,
  silent,       // nothing came back in time
  unreachable,  // no way there
};

// Of the packet filter, for one port.
struct FilterHint {
  std::string where;  // "table inet filter, chain input"
  bool by_policy = false;
};

struct DiskState {
  std::string path;
  std::string problem;  // why it could not be looked at; then nothing else is known
  bool in_use = false;  // by somebody who is not our daemon
  std::vector<std::string> users;
};

struct VolumeFacts {
  std::string name;  // "r0/0"
  std::uint32_t minor = 0;
  bool diskless = false;  // on purpose
  bool attached = false;  // by our daemon
  DiskState disk;
  std::optional<DiskState> meta_disk;  // when it is another one
  bool metadata = false;
  bool unclean = false;
  bool crashed_primary = false;
  std::string metadata_problem;  // what keeps meta data that are there from being used
  std::uint64_t agreed_kib = 0;
  std::uint64_t data_kib = 0;  // what the disk has room for
  std::string content;         // of a disk without meta data, when it is known
};

struct ResourceFacts {
  std::string name;
  std::string unusable;  // why it can't run here at all
  bool up = false;       // the daemon knows it
  ConnectionState connection = ConnectionState::stand_alone;
  std::string local_address;  // 10.77.0.1:7789
  std::string local_ip;
  std::uint16_t port = 0;
  bool address_here = true;
  bool address_checked = true;  // not with disable-ip-verification
  PortUse port_use = PortUse::unused;
  std::string port_owner;  // "nginx (pid 12)"
  std::vector<FilterHint> filter;
  std::string peer_name;
  std::string peer_address;
  std::uint16_t peer_port = 0;
  Reach reach = Reach::not_tried;
  std::vector<VolumeFacts> volumes;
};

// Of pollux-had; only where it is configured.
struct FailoverFacts {
  std::string folder;
  std::size_t nodes = 0;
  bool by_cib = false;
  bool keys_readable = false;  // by others than root
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
  std::string watchdog;  // a device that ha.cf names
  bool watchdog_here = false;
};

struct Facts {
  KernelFacts kernel;
  ProtectionFacts protection;
  SystemFacts system;
  ConfigurationFacts configuration;
  std::vector<ResourceFacts> resources;
  std::optional<FailoverFacts> failover;
};

}  // namespace replicator::doctor
