// The live /run/pollux/proc/drbd: made anew each time it is opened, readable by everybody. It has a
// mount of its own, so that a volume that waits for its peer never delays a reader of the status.
#pragma once

#include <memory>

#include "fuse/directory.hpp"
#include "fuse/text_file.hpp"

namespace replicator::shim {

class ProcFile {
 public:
  static Task<Result<std::unique_ptr<ProcFile>>> mount(uring::Reactor& reactor,
                                                       TextFile::Generate generate);
  Task<void> unmount();

 private:
  explicit ProcFile(TextFile::Generate generate) : file_(std::move(generate)) {}
  TextFile file_;
  std::unique_ptr<Directory> directory_;
};

}  // namespace replicator::shim
