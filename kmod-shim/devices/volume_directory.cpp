#include "devices/volume_directory.hpp"

#include "devices/loop_record.hpp"
#include "off_thread.hpp"

namespace replicator::shim {

Task<Result<std::unique_ptr<Directory>>> mount_volume_directory(uring::Reactor& reactor) {
  const auto work = [] {
    release_stale_loops();
    return true;
  };
  co_await off_thread(reactor, work);
  DirectoryOptions options;
  options.path = "/run/pollux/volumes";
  options.largest_write = 256U << 10U;
  options.receive_buffers = 12;
  // As many as two devices that stand still have requests in their queues (64 MiB).
  options.receive_buffers_max = 256;
  co_return co_await Directory::mount(reactor, std::move(options));
}

}  // namespace replicator::shim
