// Where undo files live. One per volume may be growing at a time. The adapter (daemon/undo_files)
// keeps them in a directory; the engine sees disks. Everything here may take its time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "base/units.hpp"
#include "io/io.hpp"
#include "io/task.hpp"

namespace replicator {

class UndoStore {
 public:
  virtual ~UndoStore() = default;
  // A sparse file that reads as zeroes. Fault::exists when the volume has a growing one, no_space,
  // unsupported (no file may be that large), io_error.
  virtual Task<Result<std::unique_ptr<io::Disk>>> create(std::string resource, std::uint32_t volume,
                                                         ByteCount size) = 0;
  // The growing one, left by an earlier connection or daemon; not_found.
  virtual Task<Result<std::unique_ptr<io::Disk>>> reopen(std::string resource,
                                                         std::uint32_t volume) = 0;
  // It grows no more and gets its final name, which is returned; empty when that failed (it keeps
  // growing then).
  virtual Task<std::string> finish(std::string resource, std::uint32_t volume) = 0;
  // What cannot be used is put aside under another name, for a human to look at.
  virtual Task<void> set_aside(std::string resource, std::uint32_t volume) = 0;
  // Of the file system, for unprivileged users; and its size.
  struct Space {
    ByteCount free;
    ByteCount total;
  };
  virtual Task<Space> space() = 0;
  // As it was when it was last asked for.
  [[nodiscard]] virtual Space last_space() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t seconds_since_1970() const = 0;
};

}  // namespace replicator
