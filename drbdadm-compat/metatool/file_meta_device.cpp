#include "metatool/file_meta_device.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/units.hpp"

namespace replicator::metatool {

namespace {

constexpr std::size_t zero_piece = 1U << 20U;

class FileMetaDevice final : public MetaDevice {
 public:
  FileMetaDevice(std::string path, int fd, int probe) noexcept
      : path_(std::move(path)), fd_(fd), probe_(probe) {}
  ~FileMetaDevice() override {
    close(fd_);
    if (probe_ >= 0) close(probe_);
  }

  Status measure(bool block_device, std::uint64_t file_size) {
    size_ = file_size;
    block_device_ = block_device;
    if (block_device && ioctl(fd_, BLKGETSIZE64, &size_) != 0) {
      return Status(Fault::io_error, "size", errno);
    }
    size_ = round_down(size_, sector_bytes);
    return Status();
  }

  [[nodiscard]] const std::string& name() const noexcept override { return path_; }
  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  [[nodiscard]] int probe_descriptor() const noexcept override { return probe_; }

  Status read(std::uint64_t offset, Bytes into) override {
    while (!into.empty()) {
      const ssize_t got = pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return Status(Fault::io_error, "read", got < 0 ? errno : EIO);
      into = into.subspan(static_cast<std::size_t>(got));
      offset += static_cast<std::uint64_t>(got);
    }
    return Status();
  }

  Status write(std::uint64_t offset, ConstBytes from) override {
    while (!from.empty()) {
      const ssize_t put = pwrite(fd_, from.data(), from.size(), static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return Status(Fault::io_error, "write", put < 0 ? errno : EIO);
      from = from.subspan(static_cast<std::size_t>(put));
      offset += static_cast<std::uint64_t>(put);
    }
    return Status();
  }

  Status zero(std::uint64_t offset, std::uint64_t length) override {
    std::array<std::uint64_t, 2> range{offset, length};
    if (block_device_ && ioctl(fd_, BLKZEROOUT, range.data()) == 0) return Status();
    AlignedBuffer zeros(static_cast<std::size_t>(std::min<std::uint64_t>(length, zero_piece)));
    fill_bytes(zeros.bytes(), std::byte{0});
    while (length > 0) {
      const std::uint64_t piece = std::min<std::uint64_t>(length, zero_piece);
      const Status status = write(offset, zeros.bytes().first(static_cast<std::size_t>(piece)));
      if (!status.ok()) return status;
      offset += piece;
      length -= piece;
    }
    return Status();
  }

  Status flush() override {
    return fsync(fd_) == 0 ? Status() : Status(Fault::io_error, "flush", errno);
  }

 private:
  std::string path_;
  int fd_;
  int probe_;
  std::uint64_t size_ = 0;
  bool block_device_ = false;
};

// File systems without direct I/O (tmpfs of old kernels) say EINVAL.
int open_direct(const std::string& path, int flags) noexcept {
  const int fd = open(path.c_str(), flags | O_DIRECT | O_CLOEXEC);
  return fd < 0 && errno == EINVAL ? open(path.c_str(), flags | O_CLOEXEC) : fd;
}

}  // namespace

AlignedBuffer::AlignedBuffer(std::size_t size)
    : memory_(static_cast<std::byte*>(
          std::aligned_alloc(block_bytes, static_cast<std::size_t>(round_up(size, block_bytes))))),
      size_(size) {
  ensure(memory_ != nullptr);
}

Result<std::unique_ptr<MetaDevice>> open_meta_device(const OpenRequest& request) {
  struct stat info{};
  if (stat(request.path.c_str(), &info) != 0) return failure(Fault::io_error, "open", errno);
  const bool block_device = S_ISBLK(info.st_mode);
  if (!block_device && !(S_ISREG(info.st_mode) && request.accept_file)) {
    return failure(Fault::unsupported, "not a block device");
  }
  const int claim = block_device && !request.share ? O_EXCL : 0;
  const int fd = open_direct(request.path, (request.share ? O_RDONLY : O_RDWR) | claim);
  if (fd < 0) return failure(errno == EBUSY ? Fault::busy : Fault::io_error, "open", errno);
  // The daemon locks the files that it uses; O_EXCL means nothing for them.
  if (!request.share && flock(fd, LOCK_EX | LOCK_NB) != 0) {
    close(fd);
    return failure(Fault::busy, "open", EBUSY);
  }
  const int probe = open(request.path.c_str(), O_RDONLY | O_CLOEXEC);
  auto device = std::make_unique<FileMetaDevice>(request.path, fd, probe);
  const Status measured = device->measure(block_device, static_cast<std::uint64_t>(info.st_size));
  if (!measured.ok()) return tl::unexpected<Status>(measured);
  return device;
}

}  // namespace replicator::metatool
