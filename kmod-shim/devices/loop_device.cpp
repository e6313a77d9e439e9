#include "devices/loop_device.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "devices/file_descriptor.hpp"

#ifndef BLKGETDISKSEQ
#define BLKGETDISKSEQ _IOR(0x12, 128, __u64)
#endif

namespace replicator::shim {

namespace {

constexpr unsigned loop_major = 7;
constexpr int attach_attempts = 64;

std::string node_path(std::uint32_t number) { return fmt::format("/dev/loop{}", number); }

// The kernel makes the node in its own /dev; a private /dev of a namespace may lack it.
Result<FileDescriptor> open_node(std::uint32_t number, int flags) {
  const std::string path = node_path(number);
  FileDescriptor node(open(path.c_str(), flags | O_CLOEXEC));
  if (!node && errno == ENOENT) {
    if (mknod(path.c_str(), S_IFBLK | 0660, makedev(loop_major, number)) != 0 && errno != EEXIST)
      return failure(Fault::io_error, "mknod loop", errno);
    node = FileDescriptor(open(path.c_str(), flags | O_CLOEXEC));
  }
  if (!node) return failure(Fault::io_error, "open loop", errno);
  return node;
}

bool has_sequence_of(const FileDescriptor& node, const LoopDevice& loop) {
  std::uint64_t sequence = 0;
  return ioctl(node.get(), BLKGETDISKSEQ, &sequence) == 0 && sequence == loop.sequence;
}

// Whether the open loop device still is the disk that we made of it.
bool is_still(const FileDescriptor& node, const LoopDevice& loop) {
  loop_info64 info = {};
  return ioctl(node.get(), LOOP_GET_STATUS64, &info) == 0 && has_sequence_of(node, loop);
}

Status set_autoclear(const FileDescriptor& node, bool on) {
  loop_info64 info = {};
  if (ioctl(node.get(), LOOP_GET_STATUS64, &info) != 0)
    return Status(Fault::io_error, "LOOP_GET_STATUS64", errno);
  info.lo_flags &= ~std::uint32_t{LO_FLAGS_AUTOCLEAR};
  if (on) info.lo_flags |= LO_FLAGS_AUTOCLEAR;
  if (ioctl(node.get(), LOOP_SET_STATUS64, &info) != 0)
    return Status(Fault::io_error, "LOOP_SET_STATUS64", errno);
  return Status();
}

loop_config configuration(const FileDescriptor& file, const std::string& path,
                          std::uint32_t block_bytes, bool read_only) {
  loop_config config = {};
  config.fd = static_cast<std::uint32_t>(file.get());
  config.block_size = block_bytes;
  config.info.lo_flags = LO_FLAGS_DIRECT_IO;
  if (read_only) config.info.lo_flags |= LO_FLAGS_READ_ONLY;
  // For people who look; what is longer than the field is cut.
  path.copy(reinterpret_cast<char*>(config.info.lo_file_name), LO_NAME_SIZE - 1);
  return config;
}

}  // namespace

std::uint64_t device_number(const LoopDevice& loop) noexcept {
  return makedev(loop_major, loop.number);
}

bool is_there(const LoopDevice& loop) {
  const std::string folder = fmt::format("/sys/block/loop{}/", loop.number);
  std::uint64_t sequence = 0;
  std::FILE* const file = std::fopen((folder + "diskseq").c_str(), "re");
  if (file == nullptr) return false;
  const bool read = std::fscanf(file, "%" SCNu64, &sequence) == 1;
  std::fclose(file);
  return read && sequence == loop.sequence && access((folder + "loop").c_str(), F_OK) == 0;
}

Result<LoopDevice> attach_loop(const std::string& path, std::uint32_t block_bytes, bool read_only) {
  const FileDescriptor control(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control) return failure(Fault::unsupported, "/dev/loop-control", errno);
  const FileDescriptor file(
      open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_NOATIME | O_CLOEXEC));
  if (!file) return failure(Fault::io_error, "open volume file", errno);
  const loop_config config = configuration(file, path, block_bytes, read_only);

  for (int attempt = 0; attempt < attach_attempts; ++attempt) {
    const int number = ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return failure(Fault::no_space, "LOOP_CTL_GET_FREE", errno);
    LoopDevice loop;
    loop.number = static_cast<std::uint32_t>(number);
    const Result<FileDescriptor> node = open_node(loop.number, O_RDWR);
    if (!node && node.error().error_number() == ENXIO) continue;  // somebody removed it
    if (!node) return tl::unexpected(node.error());
    if (ioctl(node->get(), LOOP_CONFIGURE, &config) == 0) {
      if (ioctl(node->get(), BLKGETDISKSEQ, &loop.sequence) == 0) return loop;
      const int error = errno;
      ioctl(node->get(), LOOP_CLR_FD);
      return failure(Fault::unsupported, "BLKGETDISKSEQ", error);
    }
    if (errno != EBUSY) return failure(Fault::io_error, "LOOP_CONFIGURE", errno);
  }
  return failure(Fault::busy, "loop devices");
}

Status detach_loop_if_unused(const LoopDevice& loop) {
  {
    const Result<FileDescriptor> node = open_node(loop.number, O_RDONLY);
    if (!node || !is_still(*node, loop)) return Status();
    const Status marked = set_autoclear(*node, true);
    if (!marked.ok()) return marked;
  }
  // That close was the last one, unless somebody else has it open: then nothing happened.
  const Result<FileDescriptor> node = open_node(loop.number, O_RDONLY);
  if (!node || !is_still(*node, loop)) return Status();
  const Status restored = set_autoclear(*node, false);
  return restored.ok() ? Status(Fault::busy, "device is open") : restored;
}

Status detach_loop_when_unused(const LoopDevice& loop) {
  const Result<FileDescriptor> node = open_node(loop.number, O_RDONLY);
  if (!node || !has_sequence_of(*node, loop)) return Status();
  // Not by its status, which asks the file: the file's server may be the one that was killed.
  if (ioctl(node->get(), LOOP_CLR_FD) == 0 || errno == ENXIO) return Status();
  return Status(Fault::io_error, "LOOP_CLR_FD", errno);
}

Status update_loop_size(const LoopDevice& loop, const std::string& path) {
  // Older kernels take the size that the file had when it was last looked at.
  struct stat looked = {};
  if (stat(path.c_str(), &looked) != 0) return Status(Fault::io_error, "stat volume", errno);
  const Result<FileDescriptor> node = open_node(loop.number, O_RDONLY);
  if (!node) return node.error();
  if (!is_still(*node, loop)) return Status(Fault::not_found, "loop device");
  if (ioctl(node->get(), LOOP_SET_CAPACITY) != 0)
    return Status(Fault::io_error, "LOOP_SET_CAPACITY", errno);
  return Status();
}

}  // namespace replicator::shim
