// Backing disks: block devices and regular files, opened for direct I/O and locked against other
// daemons.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/log.hpp"
#include "uring/flush_turns.hpp"
#include "uring/impl.hpp"

namespace replicator::uring {

namespace {

constexpr std::size_t zero_bytes = 256U * 1024U;

// Zeroes to write where the device does not zero by itself.
std::byte* zero_memory() {
  static std::byte* const memory = [] {
    void* const taken = std::aligned_alloc(4096, zero_bytes);
    ensure(taken != nullptr);
    fill_bytes(Bytes(static_cast<std::byte*>(taken), zero_bytes), std::byte{0});
    return static_cast<std::byte*>(taken);
  }();
  return memory;
}

class FileDisk final : public io::Disk {
 public:
  FileDisk(Reactor::Impl& impl, int fd, std::uint64_t size, std::uint32_t block)
      : impl_(impl), fd_(fd), size_(size), block_(block) {}
  ~FileDisk() override { close(fd_); }
  FileDisk(const FileDisk&) = delete;
  FileDisk& operator=(const FileDisk&) = delete;

  [[nodiscard]] ByteCount size() const noexcept override { return ByteCount(size_); }
  void measure() noexcept override {
    struct stat info = {};
    if (fstat(fd_, &info) != 0) return;
    auto size = static_cast<std::uint64_t>(info.st_size);
    if (S_ISBLK(info.st_mode) && ioctl(fd_, BLKGETSIZE64, &size) != 0) return;
    size_ = round_down(size, std::uint64_t{block_});
  }
  [[nodiscard]] std::uint32_t logical_block_bytes() const noexcept override { return block_; }

  void read(io::Op& op, ByteOffset at, Bytes into) override {
    Request& request = transfer(op, IORING_OP_READ, at.value(), into.data(), into.size());
    impl_.submit(request);
  }
  void write(io::Op& op, ByteOffset at, ConstBytes data, io::Durability durability) override {
    Request& request =
        transfer(op, IORING_OP_WRITE, at.value(), const_cast<std::byte*>(data.data()), data.size());
    if (durability == io::Durability::stable) request.flags = RWF_DSYNC;
    impl_.submit(request);
  }
  void flush(io::Op& op) override {
    impl_.start(op);
    if (flushes_.join(op)) begin_flush();
  }
  void discard(io::Op& op, ByteRange range) override {
    allocate(op, range, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
  }
  void write_zeroes(io::Op& op, ByteRange range, bool may_unmap) override {
    allocate(op, range,
             may_unmap ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
                       : FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE);
  }

 private:
  void begin_flush() {
    Request& request = impl_.take_free(flushed);
    request.fd = fd_;
    request.owner = this;
    request.opcode = IORING_OP_FSYNC;
    impl_.submit(request);
  }
  static void flushed(Reactor::Impl& impl, Request& request, std::int32_t result) {
    if (to_be_repeated(result)) return impl.submit(request);
    auto& disk = *static_cast<FileDisk*>(request.owner);
    impl.give(request);
    io::Op* op = disk.flushes_.end();
    if (disk.flushes_.under_way()) disk.begin_flush();
    // The last of them may be all that kept the disk open.
    while (op != nullptr) {
      io::Op& ended = *op;
      op = FlushTurns::next(ended);
      Reactor::Impl::done(ended, std::min(result, 0));
    }
  }
  Request& transfer(io::Op& op, std::uint8_t opcode, std::uint64_t offset, std::byte* memory,
                    std::uint64_t length) {
    impl_.start(op);
    Request& request = impl_.take(op, transferred);
    request.fd = fd_;
    request.opcode = opcode;
    request.offset = offset;
    request.memory = memory;
    request.length = length;
    return request;
  }
  void allocate(io::Op& op, ByteRange range, int mode) {
    impl_.start(op);
    Request& request = impl_.take(op, allocated);
    request.fd = fd_;
    request.opcode = IORING_OP_FALLOCATE;
    request.flags = mode;
    request.offset = range.begin.value();
    request.length = range.length.value();
    impl_.submit(request);
  }

  // Nobody here cancels an operation of a disk. The kernel does, when it can not make the thread
  // that would carry it out; then nothing has been done, and the disk is not to blame (D7).
  static bool to_be_repeated(std::int32_t result) noexcept {
    return result == -EINTR || result == -EAGAIN || result == -ECANCELED;
  }

  static void end(Reactor::Impl& impl, Request& request, std::int32_t result) {
    io::Op& op = *request.op;
    impl.give(request);
    Reactor::Impl::done(op, result);
  }
  // D7: a short transfer goes on; only the whole is success.
  static void transferred(Reactor::Impl& impl, Request& request, std::int32_t result) {
    if (to_be_repeated(result)) return impl.submit(request);
    if (result < 0) return end(impl, request, result);
    if (result == 0) return end(impl, request, -EIO);
    request.moved += static_cast<std::uint64_t>(result);
    if (request.moved < request.length) return impl.submit(request);
    end(impl, request, static_cast<std::int32_t>(request.length));
  }
  static void allocated(Reactor::Impl& impl, Request& request, std::int32_t result) {
    if (to_be_repeated(result)) return impl.submit(request);
    if (result != -EOPNOTSUPP && result != -ENODEV) {
      return end(impl, request, std::min(result, 0));
    }
    // Written out where the device can't.
    request.completed = zeroed;
    request.opcode = IORING_OP_WRITE;
    request.flags = 0;
    zero_next(impl, request);
  }
  static void zero_next(Reactor::Impl& impl, Request& request) {
    // `memory` and `length` describe one piece; `owner` counts what is left behind it.
    const std::uint64_t whole = request.length;
    const std::uint64_t piece = std::min<std::uint64_t>(whole, zero_bytes);
    request.owner = reinterpret_cast<void*>(whole - piece);
    request.memory = zero_memory();
    request.length = piece;
    request.moved = 0;
    impl.submit(request);
  }
  static void zeroed(Reactor::Impl& impl, Request& request, std::int32_t result) {
    if (to_be_repeated(result)) return impl.submit(request);
    if (result <= 0) return end(impl, request, result < 0 ? result : -EIO);
    request.moved += static_cast<std::uint64_t>(result);
    if (request.moved < request.length) return impl.submit(request);
    const auto left = reinterpret_cast<std::uint64_t>(request.owner);
    if (left == 0) return end(impl, request, 0);
    request.offset += request.length;
    request.length = left;
    zero_next(impl, request);
  }

  Reactor::Impl& impl_;
  int fd_;
  std::uint64_t size_;
  std::uint32_t block_;
  FlushTurns flushes_;
};

// The smallest direct read that works.
std::uint32_t probe_block(int fd) {
  alignas(4096) static std::byte memory[4096];
  for (const std::uint32_t block : {512U, 1024U, 2048U}) {
    if (pread(fd, memory, block, block) >= 0) return block;
  }
  return 4096;
}

Fault open_fault(int error) {
  switch (error) {
    case EBUSY: return Fault::busy;
    case ENOENT:
    case ENXIO:
    case ENODEV: return Fault::not_found;
    case EACCES:
    case EPERM:
    case EROFS: return Fault::not_permitted;
    default: return Fault::io_error;
  }
}

class FileStorage final : public io::Storage {
 public:
  explicit FileStorage(Reactor::Impl& impl) : impl_(impl) {}

  Result<std::unique_ptr<io::Disk>> open(std::string_view path, io::DiskAccess access) override {
    const std::string name(path);
    struct stat info{};
    if (stat(name.c_str(), &info) != 0) return failure(open_fault(errno), "disk", errno);
    const bool block_device = S_ISBLK(info.st_mode);
    if (!block_device && !S_ISREG(info.st_mode)) {
      return failure(Fault::unsupported, "neither a block device nor a regular file");
    }
    const bool exclusive = access == io::DiskAccess::exclusive;
    const int claim = block_device && exclusive ? O_EXCL : 0;
    int fd = ::open(name.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC | claim);
    if (fd < 0 && errno == EINVAL) {
      log::warning("{}: no direct I/O on this file system; the page cache stands in between", name);
      fd = ::open(name.c_str(), O_RDWR | O_CLOEXEC | claim);
    }
    if (fd < 0) return failure(open_fault(errno), "disk", errno);
    if (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
      close(fd);
      return failure(Fault::busy, "another program holds it", EBUSY);
    }
    return measure(fd, block_device, static_cast<std::uint64_t>(info.st_size));
  }

 private:
  Result<std::unique_ptr<io::Disk>> measure(int fd, bool block_device, std::uint64_t file_size) {
    std::uint64_t size = file_size;
    int block = 512;
    if (block_device) {
      if (ioctl(fd, BLKGETSIZE64, &size) != 0 || ioctl(fd, BLKSSZGET, &block) != 0) {
        const int error = errno;
        close(fd);
        return failure(Fault::io_error, "disk size", error);
      }
    } else {
      block = static_cast<int>(probe_block(fd));
    }
    size = round_down(size, static_cast<std::uint64_t>(block));
    return std::unique_ptr<io::Disk>(
        std::make_unique<FileDisk>(impl_, fd, size, static_cast<std::uint32_t>(block)));
  }
  Reactor::Impl& impl_;
};

}  // namespace

std::unique_ptr<io::Storage> make_storage(Reactor::Impl& impl) {
  return std::make_unique<FileStorage>(impl);
}

}  // namespace replicator::uring
