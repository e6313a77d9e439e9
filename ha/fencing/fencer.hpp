// Makes sure that a node is off, by the devices that can reach it.
//   H4   only a success that a device reported is one
//   H18  each attempt has a deadline, after which the device's program is killed
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "ha/fencing/devices.hpp"
#include "ha/membership/diagnostic.hpp"
#include "io/task.hpp"
#include "uring/reactor.hpp"

namespace ha::fencing {

struct Request {
  std::string target;
  std::string action;             // reboot, off, on
  std::int64_t delay = 0;         // milliseconds, before the first device is asked
  std::int64_t timeout = 60'000;  // of one device, when it has none of its own
};

struct FenceResult {
  bool good = false;
  std::string device;  // which one did it
};

class Fencer {
 public:
  using Log = std::function<void(membership::Severity, const std::string&)>;
  Fencer(replicator::uring::Reactor& reactor, Folders folders, Log log)
      : reactor_(reactor), folders_(std::move(folders)), log_(std::move(log)) {}

  replicator::Task<FenceResult> fence(Request request, std::vector<Device> devices,
                                      std::vector<Level> levels);
  // Whether the device answers.
  replicator::Task<bool> monitor(Device device, std::int64_t timeout);
  // What a plugin calls its parameters.
  replicator::Task<std::vector<std::string>> parameter_names(std::string type);
  // What is waited for now is not waited for any longer.
  void interrupt();
  // Nothing is, from now on.
  void stop();
  replicator::Task<void> rest(std::int64_t milliseconds);

 private:
  replicator::Task<bool> try_level(const Request& request, const std::vector<Device>& devices,
                                   const Level& level);
  replicator::Task<bool> use(const Request& request, const Device& device, std::string action);
  replicator::Task<bool> call(const Device& device, std::string action, std::string target,
                              std::int64_t timeout, std::string& output);
  replicator::Task<bool> reaches(const Device& device, const std::string& target);

  replicator::uring::Reactor& reactor_;
  Folders folders_;
  Log log_;
  bool stopping_ = false;
  std::set<replicator::io::Op*> resting_;
};

}  // namespace ha::fencing
