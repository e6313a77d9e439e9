// A folder of files that this process serves through FUSE, on the reactor's thread and no other.
//
// Deadlock rule: the thread that answers the kernel never asks the kernel anything about these
// files. Whatever opens, mounts or looks at them runs in Reactor::run_blocking.
//
// A server that dies leaves a mount that answers every access with ENOTCONN; the next one takes it
// away first. Memory and requests in flight are bounded (P6): when no receive buffer is free,
// requests wait in the kernel.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "fuse/file.hpp"
#include "fuse/receive_buffers.hpp"
#include "io/sync.hpp"
#include "uring/reactor.hpp"

struct fuse_session;

namespace replicator::shim {

struct DirectoryOptions {
  std::string path;
  std::uint32_t largest_write = 4096;  // bytes; 1 MiB at most
  std::uint32_t receive_buffers = 1;
  std::uint32_t receive_buffers_max = 1;  // while some stay in use for long
  // Then other work of the thread gets its turn.
  std::uint32_t requests_in_a_row = 32;
  bool for_everybody = false;  // otherwise for this process's user alone
};

class Directory {
 public:
  // Mounted and served from here on.
  static Task<Result<std::unique_ptr<Directory>>> mount(uring::Reactor& reactor,
                                                        DirectoryOptions options);
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory();

  // The file outlives its being here. No two have the same name.
  void add(std::string_view name, File& file);
  void remove(const File& file) noexcept;
  [[nodiscard]] std::string path_of(std::string_view name) const;
  [[nodiscard]] uring::Reactor& reactor() const noexcept { return reactor_; }

  // Takes the mount away, also when it is in use; what is still open answers with errors
  // afterwards. All files were removed before, and have no request in flight.
  Task<void> unmount();

 private:
  friend struct Operations;
  struct Entry {
    std::string name;
    File* file;
  };

  Directory(uring::Reactor& reactor, DirectoryOptions options);
  Status open_session(int fd);
  Task<void> serve();
  Task<void> wait_for_buffer();
  void buffer_returned() noexcept;
  void receive_some();
  [[nodiscard]] Entry* entry(std::uint64_t inode) noexcept;
  [[nodiscard]] std::uint64_t inode_of(std::string_view name) const noexcept;

  uring::Reactor& reactor_;
  DirectoryOptions options_;
  std::map<std::uint64_t, Entry> entries_;  // by inode number, which is never used again
  std::uint64_t next_inode_ = 2;            // 1 is the folder itself
  ReceiveBuffers buffers_;
  ReceiveBuffers::Buffer receiving_;
  io::Op* waiting_ = nullptr;  // for a buffer
  fuse_session* session_ = nullptr;
  int fd_ = -1;
  bool stopping_ = false;
  bool ended_ = false;  // the kernel has closed the connection
  io::Gate server_;
};

}  // namespace replicator::shim
