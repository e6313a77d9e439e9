// Where volumes are files, for loop devices: /run/pollux/volumes/RESOURCE-VOLUME/data, root only.
// Each volume has a mount of its own: the requests of one whose daemon is gone wait in the kernel
// until this volume is served again, while others are served, or see errors.
//
// What is done to mounts and loop devices waits for the kernel, perhaps for this process: never on
// the reactor's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "devices/loop_record.hpp"
#include "fuse/directory.hpp"
#include "keeper/client.hpp"

namespace replicator::shim {

inline constexpr const char* volume_file_name = "data";

// What the mounts of a daemon share.
struct VolumeMounts {
  uring::Reactor& reactor;
  ReceiveBuffers& buffers;
  keeper::Client& keeper;
  bool survive;  // the end of this daemon, where the kernel allows it
};

std::unique_ptr<ReceiveBuffers> buffers_of_volumes();
DirectoryOptions volume_mount(const VolumeMounts& mounts, const std::string& volume);
bool fuse_offered() noexcept;

// What the keeper keeps with the descriptor of a mount: the first request (Directory).
std::string kept_name(const std::string& volume);
// A keeper is given the mount of a volume that is served.
Status keep_mount(keeper::Client& keeper, const std::string& volume, const Directory& served);

// Users of the loop device see errors from here on, and all of it goes.
void let_go(keeper::Client& keeper, const LoopRecord& record);
// A mount without a loop device, in use or not.
void remove_mount(keeper::Client& keeper, const std::string& volume);
// Of the devices that daemons before have left behind, those that wait for this one. The others are
// let go; all of them without `wanted`.
std::vector<LoopRecord> sort_out_loops(keeper::Client& keeper, bool wanted);
// Whether it does, of one.
bool waits(keeper::Client& keeper, const LoopRecord& record);

}  // namespace replicator::shim
