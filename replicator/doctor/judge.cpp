#include "doctor/judge.hpp"

#include <fmt/core.h>

#include <utility>

#include "doctor/words.hpp"

namespace replicator::doctor {

namespace {

constexpr std::uint64_t mib = 1U << 20U;
constexpr std::uint64_t state_bytes_wanted = 256 * mib;

bool has_ublk(const KernelFacts& kernel) noexcept {
  return kernel.ublk == Module::present && kernel.ublk_problem.empty();
}

bool has_nbd(const KernelFacts& kernel) noexcept {
  return kernel.nbd == Module::present && kernel.nbd_problem.empty();
}

// Empty when nothing does.
const char* takes_the_place_of_ublk(const KernelFacts& kernel) noexcept {
  if (has_nbd(kernel)) return "; nbd takes its place";
  const bool other = kernel.fuse != Module::absent && kernel.loop != Module::absent;
  return other ? "; FUSE and loop take its place" : "";
}

Finding judge_ublk(const KernelFacts& kernel) {
  const char* const about = "ublk";
  if (has_ublk(kernel)) return good(about, "/dev/drbdN by ublk");
  if (kernel.ublk == Module::present) {
    return warn(about, kernel.ublk_problem,
                "a kernel from Linux 6.5 on; in a container, give it /dev/ublk-control");
  }
  if (kernel.ublk == Module::on_disk) {
    return warn(about, "the module ublk_drv is not loaded, and nobody loads it on demand",
                "modprobe ublk_drv && echo ublk_drv > /etc/modules-load.d/pollux.conf");
  }
  const std::string what = fmt::format("this kernel ({}) has no ublk{}", kernel.release,
                                       takes_the_place_of_ublk(kernel));
  return warn(about, what,
              "a kernel from Linux 6.5 on with CONFIG_BLK_DEV_UBLK; it costs less, and the device "
              "outlives its daemon");
}

Finding judge_nbd(const KernelFacts& kernel) {
  const char* const about = "nbd";
  if (has_nbd(kernel))
    return good(about, has_ublk(kernel) ? "offered as well" : "/dev/drbdN by nbd");
  if (has_ublk(kernel)) return good(about, "not offered, and not needed");
  if (kernel.nbd == Module::present)
    return warn(about, kernel.nbd_problem, "Linux 5.14 or later, its first network namespace");
  if (kernel.nbd == Module::absent) return good(about, "not offered");
  return warn(about, "the module nbd is not loaded, and nobody loads it on demand",
              "modprobe nbd && echo nbd > /etc/modules-load.d/pollux.conf; the device outlives "
              "its daemon, which one by FUSE and loop does not");
}

Finding judge_fuse_loop(const KernelFacts& kernel) {
  const bool better_way = has_ublk(kernel) || has_nbd(kernel);
  const char* const about = "FUSE and loop";
  const bool fuse = kernel.fuse != Module::absent;
  const bool loop = kernel.loop != Module::absent;
  if (kernel.fuse == Module::present && kernel.loop == Module::present)
    return good(about, better_way ? "offered as well" : "/dev/drbdN by FUSE and loop");
  const std::string missing = kernel.fuse == Module::present   ? "loop"
                              : kernel.loop == Module::present ? "fuse"
                                                               : "fuse loop";
  if (better_way) return good(about, "not offered, and not needed");
  if (fuse && loop) {
    return fail(about, fmt::format("not loaded: {}; there will be no /dev/drbdN", missing),
                "modprobe -a " + missing);
  }
  return fail(about, fmt::format("not offered here: {}; there will be no /dev/drbdN", missing),
              "give the container /dev/fuse and /dev/loop-control; or use the NBD sockets in "
              "/run/pollux/nbd, and write --kernel-devices=none into /etc/polluxd.conf");
}

Finding judge_io_uring(const KernelFacts& kernel) {
  const char* const about = "io_uring";
  if (kernel.io_uring_problem.empty()) return good(about, kernel.io_uring_features);
  if (kernel.io_uring_disabled > 0) {
    return fail(about, fmt::format("kernel.io_uring_disabled is {}", kernel.io_uring_disabled),
                "sysctl -w kernel.io_uring_disabled=0 && echo kernel.io_uring_disabled=0 > "
                "/etc/sysctl.d/pollux.conf");
  }
  if (kernel.io_uring_error == 1) {  // EPERM
    return fail(about, "forbidden (Operation not permitted): a seccomp profile, as of a container",
                "allow io_uring_setup, io_uring_enter and io_uring_register in it; docker run "
                "--security-opt seccomp=unconfined shows whether that is it");
  }
  return fail(about, kernel.io_uring_problem, "Linux 5.11 or later with CONFIG_IO_URING");
}

std::string limit_words(std::uint64_t bytes) {
  return bytes == ~std::uint64_t{0} ? "unlimited" : size_words(bytes / 1024);
}

Finding judge_hidden(const HiddenTool& tool) {
  if (tool.found.empty()) {
    return warn(tool.name, fmt::format("not in PATH; ours is {}", tool.ours),
                "PATH=" + folder_of(tool.ours) + ":$PATH");
  }
  return warn(
      tool.name, fmt::format("PATH leads to {}, not to {}", tool.found, tool.ours),
      fmt::format("apt-get remove drbd-utils; or PATH={}:$PATH; hash -r", folder_of(tool.ours)));
}

Finding judge_kernel_drbd(const SystemFacts& system) {
  const char* const about = "drbd module";
  if (system.kernel_drbd.empty()) return good(about, "not loaded");
  const char* const fix =
      "drbdsetup down all (that of drbd-utils), then rmmod drbd && echo blacklist drbd > "
      "/etc/modprobe.d/pollux.conf";
  if (system.kernel_drbd_in_use) {
    return fail(
        about,
        fmt::format("the kernel's drbd {} has devices: it owns /dev/drbdN and may hold the disks",
                    system.kernel_drbd),
        fix);
  }
  return warn(about,
              fmt::format("the kernel's drbd {} is loaded, without a device", system.kernel_drbd),
              "rmmod drbd && echo blacklist drbd > /etc/modprobe.d/pollux.conf");
}

Finding judge_state_folder(const SystemFacts& system) {
  if (!system.state_free_bytes) {
    return warn(system.state_folder, "not there, and could not be made",
                "install -d -m 755 " + system.state_folder);
  }
  const std::string free = size_words(*system.state_free_bytes / 1024) + " free";
  if (*system.state_free_bytes >= state_bytes_wanted) return good(system.state_folder, free);
  return warn(system.state_folder,
              free + ": what a split brain's victim had will not be kept for pollux undo",
              "df -h " + system.state_folder);
}

Finding judge_clock(const ClockFacts& clock) {
  if (!clock.known) return warn("clock", "nothing can be learnt about it", "timedatectl");
  if (clock.synchronised) return good("clock", "synchronised");
  return warn("clock", "nobody keeps it: times in the logs of the two nodes can't be compared",
              "apt-get install chrony");
}

void append(Findings& to, Findings from) {
  for (Finding& each : from)
    to.push_back(std::move(each));
}

}  // namespace

Findings judge_kernel(const KernelFacts& facts) {
  return {judge_io_uring(facts), judge_ublk(facts), judge_nbd(facts), judge_fuse_loop(facts)};
}

Findings judge_protection(const ProtectionFacts& facts) {
  Findings findings;
  switch (facts.daemon) {
    case DaemonState::absent:
      findings.push_back(good("polluxd", "does not run; drbdadm up starts it"));
      break;
    case DaemonState::answers:
      findings.push_back(good("polluxd", fmt::format("runs (pid {})", facts.daemon_pid)));
      break;
    case DaemonState::silent:
      findings.push_back(fail("polluxd", "listens and does not answer within five seconds",
                              "grep -h . /proc/$(pidof polluxd)/stack"));
      break;
    case DaemonState::forbidden:
      findings.push_back(warn("polluxd", "only root may ask it", "sudo pollux doctor"));
      break;
  }
  findings.push_back(
      facts.memory_locked
          ? good("memory", "can't be paged out")
          : warn(
                "memory",
                fmt::format("can't be locked (limit {}): it may be paged out to the very disk that "
                            "it serves",
                            limit_words(facts.lock_limit)),
                "LimitMEMLOCK=infinity in pollux.service; docker run --ulimit memlock=-1 "
                "--cap-add IPC_LOCK"));
  findings.push_back(facts.io_flusher
                         ? good("io flusher", "allocations on its behalf start no I/O")
                         : warn("io flusher",
                                "not permitted: under memory pressure daemon and file system may "
                                "wait for each other",
                                "CAP_SYS_RESOURCE; docker run --cap-add SYS_RESOURCE"));
  findings.push_back(facts.oom_protected
                         ? good("OOM killer", "takes the daemon last")
                         : warn("OOM killer", "may take the daemon under a mounted file system",
                                "CAP_SYS_RESOURCE, or OOMScoreAdjust=-1000 in pollux.service"));
  return findings;
}

Findings judge_system(const SystemFacts& facts, DaemonState daemon) {
  Findings findings;
  findings.push_back(judge_kernel_drbd(facts));
  for (const HiddenTool& tool : facts.hidden)
    findings.push_back(judge_hidden(tool));
  if (daemon == DaemonState::absent && facts.died) {
    findings.push_back(fail("polluxd", "was killed, and what it served waits for another one",
                            "systemctl start pollux; or polluxd --background --restore"));
  } else if (daemon == DaemonState::absent) {
    for (const std::string& volume : facts.waiting_devices) {
      const std::string resource = volume.substr(0, volume.rfind('-'));
      findings.push_back(
          fail(volume, "the daemon died under its device, whose users wait",
               fmt::format("drbdadm up {0} && drbdadm primary {0}; or drbdadm down {0}, and they "
                           "see errors",
                           resource)));
    }
    for (const std::string& path : facts.leftovers) {
      findings.push_back(warn(path, "left by a daemon that did not end in an orderly way",
                              "nothing to do: the next daemon clears it away"));
    }
  }
  findings.push_back(judge_state_folder(facts));
  findings.push_back(judge_clock(facts.clock));
  return findings;
}

Findings judge_configuration(const ConfigurationFacts& facts, const std::string& node) {
  const std::string& about = facts.path;
  if (!facts.found) {
    return {fail(about, "there is no configuration", "docs/tutorial.md writes a first one")};
  }
  Findings findings;
  for (const std::string& error : facts.errors)
    findings.push_back(fail(about, error, "drbdadm dump"));
  if (!facts.errors.empty()) return findings;
  for (const std::string& warning : facts.warnings)
    findings.push_back(warn(about, warning, "drbdadm dump"));
  if (facts.resources == 0) {
    findings.push_back(warn(about, "defines no resource", "docs/tutorial.md writes a first one"));
  } else if (facts.here == 0) {
    findings.push_back(
        fail(about,
             fmt::format("no resource has a section for this host, {}; there are: {}", node,
                         joined(facts.host_names)),
             fmt::format("write `on {}`, or hostnamectl set-hostname NAME", node)));
  } else {
    findings.push_back(good(about, fmt::format("{} of {} resource(s) have a section for {}",
                                               facts.here, facts.resources, node)));
  }
  return findings;
}

Findings judge_failover(const FailoverFacts& facts) {
  Findings findings;
  const std::string about = "failover";
  if (facts.keys_readable) {
    findings.push_back(fail(about, fmt::format("others may read {}/authkeys", facts.folder),
                            fmt::format("chmod 600 {}/authkeys", facts.folder)));
  } else if (!facts.errors.empty()) {
    findings.push_back(fail(about, joined(facts.errors), "pollux-had --check"));
  }
  if (!facts.warnings.empty())
    findings.push_back(warn(about, joined(facts.warnings), "pollux-had --check"));
  if (!facts.watchdog.empty() && !facts.watchdog_here) {
    findings.push_back(fail(about,
                            fmt::format("ha.cf names {}, which is not there", facts.watchdog),
                            "modprobe softdog, or the driver of this machine's watchdog"));
  }
  if (findings.empty()) {
    findings.push_back(good(about, fmt::format("{}: {} nodes, {}", facts.folder, facts.nodes,
                                               facts.by_cib ? "by a CIB" : "by haresources")));
  }
  return findings;
}

Findings judge(const Facts& facts) {
  Findings all = judge_kernel(facts.kernel);
  append(all, judge_protection(facts.protection));
  append(all, judge_system(facts.system, facts.protection.daemon));
  append(all, judge_configuration(facts.configuration, facts.system.node));
  for (const ResourceFacts& resource : facts.resources)
    append(all, judge_resource(resource, facts.protection.daemon));
  if (facts.failover) append(all, judge_failover(*facts.failover));
  return all;
}

}  // namespace replicator::doctor
