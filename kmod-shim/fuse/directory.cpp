#define FUSE_USE_VERSION 312
#include "fuse/directory.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <fuse_lowlevel.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <vector>

#include "base/log.hpp"
#include "fuse/kernel_mount.hpp"
#include "off_thread.hpp"

namespace replicator::shim {

namespace {

constexpr std::uint64_t folder_inode = FUSE_ROOT_ID;
constexpr std::size_t write_header_bytes = sizeof(fuse_in_header) + sizeof(fuse_write_in);
// The kernel gives out no request to a smaller buffer.
constexpr std::size_t payload_bytes_min = FUSE_MIN_READ_BUFFER;
// For all files of a folder together: the queue of one device must not be all of it.
constexpr unsigned requests_in_kernel = 16384;
// When no buffer has come back for this long, somebody's device stands still, and the others need
// buffers of their own (L2).
constexpr Duration patience_for_buffer = Duration::milliseconds(50);
constexpr std::uint32_t buffers_more = 16;

// Of the protocol since 7.40 (Linux 6.9).
constexpr int notify_resend = 7;
constexpr std::uint32_t has_resend = 1U << 7U;  // in fuse_init_in::flags2
// The kernel counts its requests, by twos, from 2.
constexpr std::uint64_t never_asked = ~std::uint64_t{1};

bool is_first_request(ConstBytes request) noexcept {
  fuse_in_header header;
  if (request.size() < sizeof header) return false;
  std::memcpy(&header, request.data(), sizeof header);
  return header.opcode == FUSE_INIT && header.len == request.size();
}

bool writes(int open_flags) noexcept { return (open_flags & O_ACCMODE) != O_RDONLY; }

struct stat folder_attributes() {
  struct stat attributes = {};
  attributes.st_ino = folder_inode;
  attributes.st_mode = S_IFDIR | 0555;
  attributes.st_nlink = 2;
  attributes.st_mtime = attributes.st_ctime = attributes.st_atime = std::time(nullptr);
  return attributes;
}

struct stat file_attributes(std::uint64_t inode, const File& file) {
  struct stat attributes = {};
  attributes.st_ino = inode;
  attributes.st_mode = S_IFREG | file.mode();
  attributes.st_nlink = 1;
  attributes.st_size = static_cast<off_t>(file.size());
  attributes.st_blocks = attributes.st_size / 512;
  attributes.st_blksize = 4096;
  attributes.st_mtime = attributes.st_ctime = attributes.st_atime = std::time(nullptr);
  return attributes;
}

}  // namespace

// What the kernel calls, by way of the library, from inside receive_some(). Attributes are never
// cached by the kernel: sizes change, and nobody asks for them often.
struct Operations {
  static Directory& directory(fuse_req_t request) {
    return *static_cast<Directory*>(fuse_req_userdata(request));
  }

  // Null, and the request is answered, when the file is gone.
  static File* file(fuse_req_t request, fuse_ino_t inode) {
    Directory::Entry* const entry = directory(request).entry(inode);
    if (entry == nullptr) fuse_reply_err(request, ENXIO);
    return entry == nullptr ? nullptr : entry->file;
  }

  static void init(void* userdata, fuse_conn_info* connection) {
    // The kernel refuses (EINVAL) a receive buffer that could not hold the largest write.
    connection->max_write = static_cast<Directory*>(userdata)->options_.largest_write;
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
                                               FUSE_CAP_SPLICE_MOVE | FUSE_CAP_WRITEBACK_CACHE);
    connection->want |= connection->capable & (FUSE_CAP_ASYNC_DIO | FUSE_CAP_ASYNC_READ);
    connection->max_background = requests_in_kernel;
    connection->congestion_threshold = requests_in_kernel;
  }

  static void lookup(fuse_req_t request, fuse_ino_t /*parent*/, const char* name) {
    Directory& self = directory(request);
    fuse_entry_param found = {};
    found.ino = self.inode_of(name);
    if (found.ino == 0) {
      fuse_reply_err(request, ENOENT);
      return;
    }
    found.attr = file_attributes(found.ino, *self.entry(found.ino)->file);
    fuse_reply_entry(request, &found);
  }

  static void getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info* /*info*/) {
    if (inode == folder_inode) {
      const struct stat attributes = folder_attributes();
      fuse_reply_attr(request, &attributes, 0);
      return;
    }
    const File* const found = file(request, inode);
    if (found == nullptr) return;
    const struct stat attributes = file_attributes(inode, *found);
    fuse_reply_attr(request, &attributes, 0);
  }

  // Opening with O_TRUNC has no effect, as with any block device.
  static void setattr(fuse_req_t request, fuse_ino_t inode, struct stat* /*wanted*/, int what,
                      fuse_file_info* info) {
    constexpr int ignored = FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME |
                            FUSE_SET_ATTR_CTIME | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW;
    if ((what & ~ignored) != 0) {
      fuse_reply_err(request, EPERM);
      return;
    }
    getattr(request, inode, info);
  }

  // The position in the list is the inode number after the last one given out, so that files may
  // come and go between two calls.
  static void readdir(fuse_req_t request, fuse_ino_t /*inode*/, std::size_t size, off_t offset,
                      fuse_file_info* /*info*/) {
    std::vector<char> list(size);
    std::size_t used = 0;
    const auto append = [&](const char* name, std::uint64_t inode, unsigned type, off_t next) {
      struct stat attributes = {};
      attributes.st_ino = inode;
      attributes.st_mode = type;
      const std::size_t needed =
          fuse_add_direntry(request, list.data() + used, size - used, name, &attributes, next);
      if (needed > size - used) return false;
      used += needed;
      return true;
    };
    bool room = offset > 0 || append(".", folder_inode, S_IFDIR, 1);
    room = room && (offset > 1 || append("..", folder_inode, S_IFDIR, 2));
    Directory& self = directory(request);
    for (auto at = self.entries_.lower_bound(static_cast<std::uint64_t>(offset));
         room && at != self.entries_.end(); ++at)
      room = append(at->second.name.c_str(), at->first, S_IFREG, static_cast<off_t>(at->first + 1));
    fuse_reply_buf(request, list.data(), used);
  }

  static void statfs(fuse_req_t request, fuse_ino_t /*inode*/) {
    // The loop driver takes the block size as the granularity of discards.
    struct statvfs values = {};
    values.f_bsize = values.f_frsize = block_bytes;
    values.f_namemax = 255;
    fuse_reply_statfs(request, &values);
  }

  static void open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
    File* const found = file(request, inode);
    if (found == nullptr) return;
    Reply reply(request);
    std::uint64_t handle = 0;
    File::Opener opener;
    opener.for_writing = writes(info->flags);
    opener.user = fuse_req_ctx(request)->uid;
    opener.keeps_access_time = (info->flags & O_NOATIME) != 0;
    const int error = found->open(opener, handle);
    if (error != 0) return reply.error(error);
    if (!reply.opened(handle)) found->release(handle, writes(info->flags));
  }

  static void release(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
    File* const found = file(request, inode);
    if (found == nullptr) return;
    found->release(info->fh, writes(info->flags));
    fuse_reply_err(request, 0);
  }

  static void read(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
                   fuse_file_info* info) {
    File* const found = file(request, inode);
    if (found == nullptr) return;
    found->read(Reply(request), info->fh, static_cast<std::uint64_t>(offset), size);
  }

  static void write(fuse_req_t request, fuse_ino_t inode, const char* data, std::size_t size,
                    off_t offset, fuse_file_info* /*info*/) {
    File* const found = file(request, inode);
    if (found == nullptr) return;
    const ConstBytes bytes = std::as_bytes(std::span(data, size));
    found->write(Reply(request), static_cast<std::uint64_t>(offset), bytes,
                 directory(request).receiving_);
  }

  static void flush(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
    fsync(request, inode, 0, info);
  }

  static void fsync(fuse_req_t request, fuse_ino_t inode, int /*data_only*/,
                    fuse_file_info* /*info*/) {
    File* const found = file(request, inode);
    if (found != nullptr) found->sync(Reply(request));
  }

  static void fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length,
                        fuse_file_info* /*info*/) {
    File* const found = file(request, inode);
    if (found == nullptr) return;
    const bool punch = mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
    const bool zero = (mode & ~FALLOC_FL_KEEP_SIZE) == FALLOC_FL_ZERO_RANGE;
    if ((!punch && !zero) || offset < 0 || length <= 0) {
      fuse_reply_err(request, EOPNOTSUPP);
      return;
    }
    const ByteRange range{ByteOffset(static_cast<std::uint64_t>(offset)),
                          ByteCount(static_cast<std::uint64_t>(length))};
    found->zero(Reply(request), range, punch);
  }

  static fuse_lowlevel_ops table() {
    fuse_lowlevel_ops operations = {};
    operations.init = init;
    operations.lookup = lookup;
    operations.getattr = getattr;
    operations.setattr = setattr;
    operations.readdir = readdir;
    operations.statfs = statfs;
    operations.open = open;
    operations.release = release;
    operations.read = read;
    operations.write = write;
    operations.flush = flush;
    operations.fsync = fsync;
    operations.fallocate = fallocate;
    return operations;
  }

  static void log_line(fuse_log_level level, const char* format, va_list arguments) {
    char line[256];
    std::vsnprintf(line, sizeof line, format, arguments);
    if (level <= FUSE_LOG_ERR) log::warning("fuse: {}", line);
    else log::debug("fuse: {}", line);
  }
};

std::unique_ptr<ReceiveBuffers> receive_buffers(std::uint32_t count, std::uint32_t largest_write) {
  return std::make_unique<ReceiveBuffers>(
      count, std::max<std::size_t>(largest_write, payload_bytes_min), write_header_bytes);
}

Directory::Directory(uring::Reactor& reactor, DirectoryOptions options)
    : reactor_(reactor),
      options_(std::move(options)),
      own_buffers_(options_.shared_buffers != nullptr
                       ? nullptr
                       : receive_buffers(options_.receive_buffers, options_.largest_write)),
      buffers_(own_buffers_ ? *own_buffers_ : *options_.shared_buffers) {
  buffers_.add_listener([](void* self) { static_cast<Directory*>(self)->buffer_returned(); }, this);
}

Directory::~Directory() {
  ensure(server_.empty());
  buffers_.remove_listener(this);
  if (session_ != nullptr) fuse_session_destroy(session_);  // closes fd_ too
}

Task<Result<std::unique_ptr<Directory>>> Directory::mount(uring::Reactor& reactor,
                                                          DirectoryOptions options) {
  std::unique_ptr<Directory> self(new Directory(reactor, std::move(options)));
  const auto work = [options = &self->options_] {
    return mount_fuse(options->path, options->for_everybody);
  };
  const Result<int> fd = co_await off_thread(reactor, work);
  if (!fd) co_return tl::unexpected(fd.error());
  const Status opened = self->open_session(*fd);
  if (!opened.ok()) {
    const auto undo = [path = &self->options_.path] {
      unmount_at_once(*path);
      return true;
    };
    co_await off_thread(reactor, undo);
    co_return tl::unexpected(opened);
  }
  self->server_.start(self->serve());
  co_return self;
}

Result<std::unique_ptr<Directory>> Directory::take_over(uring::Reactor& reactor,
                                                        DirectoryOptions options, FileDescriptor fd,
                                                        std::string first_request) {
  if (!is_first_request(std::as_bytes(std::span(first_request))))
    return failure(Fault::malformed, "first request of a FUSE connection");
  std::unique_ptr<Directory> self(new Directory(reactor, std::move(options)));
  self->first_request_ = std::move(first_request);
  const Status opened = self->open_session(fd.release());
  if (!opened.ok()) return tl::unexpected(opened);
  return self;
}

bool Directory::asked_again(std::string_view first_request) noexcept {
  fuse_init_in asked = {};
  if (first_request.size() < sizeof(fuse_in_header) + sizeof asked) return false;
  std::memcpy(&asked, first_request.data() + sizeof(fuse_in_header), sizeof asked);
  return (asked.flags & FUSE_INIT_EXT) != 0 && (asked.flags2 & has_resend) != 0;
}

// The library has to hear it too; to the answer the kernel says that it has not asked.
void Directory::go_on() {
  std::string first = first_request_;
  std::memcpy(first.data() + offsetof(fuse_in_header, unique), &never_asked, sizeof never_asked);
  fuse_buf request = {};
  request.mem = first.data();
  request.size = first.size();
  fuse_session_process_buf(session_, &request);
  if (asked_again(first_request_)) {
    const fuse_out_header again = {sizeof again, notify_resend, 0};
    if (write(fd_, &again, sizeof again) < 0)
      log::error("{}: what was not answered is not asked again: errno {}", options_.path, errno);
  }
  server_.start(serve());
}

Status Directory::open_session(int fd) {
  fuse_set_log_func(Operations::log_line);
  char program[] = "pollux";
  char* arguments[] = {program, nullptr};
  fuse_args args = {1, arguments, 0};
  const fuse_lowlevel_ops operations = Operations::table();
  session_ = fuse_session_new(&args, &operations, sizeof operations, this);
  if (session_ == nullptr) {
    close(fd);
    return Status(Fault::unsupported, "fuse_session_new");
  }
  fd_ = fd;
  const std::string by_descriptor = fmt::format("/dev/fd/{}", fd);
  if (fuse_session_mount(session_, by_descriptor.c_str()) != 0) {
    close(fd);
    return Status(Fault::unsupported, "fuse_session_mount");
  }
  return Status();
}

Task<void> Directory::serve() {
  while (!stopping_ && !ended_) {
    // Also when more is there: anybody who keeps files open and closed could otherwise keep this
    // thread from everything else.
    io::Op readable;
    reactor_.poll_readable(readable, fd_);
    polling_ = &readable;
    co_await readable;
    polling_ = nullptr;
    while (paused_ && !stopping_) {
      io::Event::Wait wait(unpaused_);
      co_await wait;
    }
    receiving_ = buffers_.try_take();
    if (!receiving_) co_await wait_for_buffer();
    else if (!stopping_) receive_some();
    // Whoever has nothing to receive holds none of the buffers that others share with it.
    receiving_.reset();
  }
}

void Directory::unpause() noexcept {
  paused_ = false;
  unpaused_.notify_all();
}

Task<void> Directory::wait_for_buffer() {
  io::Op pause;
  waiting_ = &pause;
  reactor_.world().clock.sleep(pause, patience_for_buffer);
  const std::int32_t woken = co_await pause;
  waiting_ = nullptr;
  if (woken == 0) buffers_.grow(buffers_more, options_.receive_buffers_max);
}

void Directory::buffer_returned() noexcept {
  if (waiting_ != nullptr) reactor_.world().clock.wake(*waiting_);
}

// Until the kernel has nothing more for us now, or others are to have their turn.
void Directory::receive_some() {
  for (std::uint32_t i = 0; i < options_.requests_in_a_row && receiving_; ++i) {
    const Bytes into = receiving_.bytes();
    const ssize_t got = ::read(fd_, into.data(), into.size());
    if (got < 0 && (errno == EINTR || errno == ENOENT)) continue;  // the request was taken back
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      if (errno != ENODEV) log::error("{}: reading requests: errno {}", options_.path, errno);
      ended_ = true;  // ENODEV: unmounted
      return;
    }
    fuse_buf request = {};
    request.mem = into.data();
    request.size = static_cast<std::size_t>(got);
    const ConstBytes received = into.first(request.size);
    if (is_first_request(received))
      first_request_.assign(reinterpret_cast<const char*>(into.data()), request.size);
    fuse_session_process_buf(session_, &request);
    if (!receiving_) receiving_ = buffers_.try_take();
  }
}

Task<void> Directory::unmount() {
  ensure(entries_.empty());
  const auto work = [path = &options_.path] {
    unmount_at_once(*path);
    return true;
  };
  co_await off_thread(reactor_, work);
  // The kernel says nothing while somebody has a file open: who reads proc/drbd slowly must not
  // keep the daemon. The end of the descriptor ends the connection, and what is open sees errors.
  stopping_ = true;
  if (polling_ != nullptr) reactor_.stop_polling(*polling_);
  unpause();
  co_await server_.close();
  fuse_session_destroy(session_);
  session_ = nullptr;
}

void Directory::add(std::string_view name, File& file) {
  ensure(inode_of(name) == 0);
  entries_.emplace(next_inode_++, Entry{std::string(name), &file});
}

void Directory::remove(const File& file) noexcept {
  std::erase_if(entries_, [&file](const auto& item) { return item.second.file == &file; });
}

Directory::Entry* Directory::entry(std::uint64_t inode) noexcept {
  const auto found = entries_.find(inode);
  return found == entries_.end() ? nullptr : &found->second;
}

std::uint64_t Directory::inode_of(std::string_view name) const noexcept {
  for (const auto& [inode, entry] : entries_)
    if (entry.name == name) return inode;
  return 0;
}

std::string Directory::path_of(std::string_view name) const {
  return fmt::format("{}/{}", options_.path, name);
}

}  // namespace replicator::shim
