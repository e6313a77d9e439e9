#include "pollux/undo_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace replicator::pollux {

namespace {

Status read_all(int fd, std::uint64_t at, Bytes into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t got =
        pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Status(Fault::io_error, "read", errno);
    if (got == 0) return Status(Fault::malformed, "the file is shorter than its header says");
    done += static_cast<std::size_t>(got);
  }
  return Status();
}

}  // namespace

UndoFile::UndoFile(int fd, UndoHeader header)
    : fd_(fd), header_(std::move(header)), kept_(header_.blocks()) {}

UndoFile::UndoFile(UndoFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      header_(std::move(other.header_)),
      kept_(std::move(other.kept_)) {}

UndoFile::~UndoFile() {
  if (fd_ >= 0) close(fd_);
}

Result<UndoFile> UndoFile::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return failure(errno == ENOENT ? Fault::not_found : Fault::io_error, "open", errno);
  std::array<std::byte, undo_header_bytes> block;
  Status status = read_all(fd, 0, block);
  Result<UndoHeader> header = status.ok() ? decode_undo_header(block) : tl::unexpected(status);
  struct stat about{};
  if (header && (fstat(fd, &about) != 0 ||
                 static_cast<std::uint64_t>(about.st_size) < header->file_size().value())) {
    header = failure(Fault::malformed, "the file is shorter than its header says");
  }
  if (!header) {
    close(fd);
    return tl::unexpected(header.error());
  }
  UndoFile file(fd, std::move(*header));
  status = file.load_bitmap();
  if (!status.ok()) return tl::unexpected(status);
  return file;
}

Status UndoFile::load_bitmap() {
  std::array<std::byte, Bitmap::page_bytes_count> page;
  for (std::size_t index = 0; index < kept_.pages(); ++index) {
    const Status status =
        read_all(fd_, header_.bitmap_at().value() + index * Bitmap::page_bytes_count, page);
    if (!status.ok()) return status;
    kept_.load_page(index, page);
  }
  kept_.recount_loaded();
  return Status();
}

ByteCount UndoFile::kept_bytes() const noexcept {
  return ByteCount(kept_.weight().value() * block_bytes);
}

std::vector<ByteRange> UndoFile::ranges() const {
  std::vector<ByteRange> ranges;
  std::optional<BitmapBlock> block = kept_.next_set(BitmapBlock(0));
  while (block) {
    std::uint64_t end = block->value() + 1;
    while (end < kept_.size().value() && kept_.test(BitmapBlock(end)))
      ++end;
    const std::uint64_t begin = block->value() * block_bytes;
    const std::uint64_t past = std::min(end * block_bytes, header_.device.value());
    ranges.emplace_back(ByteOffset(begin), ByteCount(past - begin));
    if (end >= kept_.size().value()) break;
    block = kept_.next_set(BitmapBlock(end));
  }
  return ranges;
}

Status UndoFile::read(ByteRange range, Bytes into) const {
  return read_all(fd_, header_.data_at().value() + range.begin.value(), into);
}

bool UndoFile::in_use() const {
  if (flock(fd_, LOCK_SH | LOCK_NB) != 0) return true;
  flock(fd_, LOCK_UN);
  return false;
}

}  // namespace replicator::pollux
