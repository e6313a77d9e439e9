// A folder of files that this process serves through FUSE, on the reactor's thread and no other.
//
// Deadlock rule: the thread that answers the kernel never asks the kernel anything about these
// files. Whatever opens, mounts or looks at them runs in Reactor::run_blocking.
//
// A server that dies leaves a mount that answers every access with ENOTCONN, and the next one takes
// it away first; unless somebody has kept the descriptor (keeper/): then requests wait, and the
// next server goes on with take_over(). It knows the same files by the same inode numbers when it
// adds them in the same order. Memory and requests in flight are bounded (P6): when no receive
// buffer is free, requests wait in the kernel.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "devices/file_descriptor.hpp"
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
  // Used together with other folders instead of its own; large enough, and it outlives them.
  ReceiveBuffers* shared_buffers = nullptr;
  // Then other work of the thread gets its turn.
  std::uint32_t requests_in_a_row = 32;
  bool for_everybody = false;  // otherwise for this process's user alone
};

// For folders that share them.
std::unique_ptr<ReceiveBuffers> receive_buffers(std::uint32_t count, std::uint32_t largest_write);

class Directory {
 public:
  // Mounted and served from here on.
  static Task<Result<std::unique_ptr<Directory>>> mount(uring::Reactor& reactor,
                                                        DirectoryOptions options);
  // The mount of a server that is gone. `first_request` is what it was asked first: what this one
  // has to know of the kernel. Not served before go_on(), when the files are there.
  static Result<std::unique_ptr<Directory>> take_over(uring::Reactor& reactor,
                                                      DirectoryOptions options, FileDescriptor fd,
                                                      std::string first_request);
  void go_on();
  // Whether the kernel asks again what a server that is gone has not answered.
  static bool asked_again(std::string_view first_request) noexcept;
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory();

  // The file outlives its being here. No two have the same name.
  void add(std::string_view name, File& file);
  void remove(const File& file) noexcept;
  [[nodiscard]] std::string path_of(std::string_view name) const;
  [[nodiscard]] uring::Reactor& reactor() const noexcept { return reactor_; }

  // What a successor needs; after the first file was opened.
  [[nodiscard]] int descriptor() const noexcept { return fd_; }
  [[nodiscard]] const std::string& first_request() const noexcept { return first_request_; }
  // From here on requests wait in the kernel. What was received before may still be in progress.
  void pause() noexcept { paused_ = true; }
  void unpause() noexcept;

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
  std::unique_ptr<ReceiveBuffers> own_buffers_;
  ReceiveBuffers& buffers_;
  ReceiveBuffers::Buffer receiving_;
  io::Op* polling_ = nullptr;  // the descriptor
  io::Op* waiting_ = nullptr;  // for a buffer
  fuse_session* session_ = nullptr;
  int fd_ = -1;
  std::string first_request_;
  bool paused_ = false;
  io::Event unpaused_;
  bool stopping_ = false;
  bool ended_ = false;  // the kernel has closed the connection
  io::Gate server_;
};

}  // namespace replicator::shim
