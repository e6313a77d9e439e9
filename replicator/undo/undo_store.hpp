// Where undo files live. One per volume may be growing at a time. The adapter (daemon/undo_files)
// keeps them in a directory; the engine sees disks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "base/units.hpp"
#include "io/io.hpp"

namespace replicator {

class UndoStore {
 public:
  virtual ~UndoStore() = default;
  // A sparse file that reads as zeroes. Fault::exists when the volume has a growing one, no_space,
  // io_error.
  virtual Result<std::unique_ptr<io::Disk>> create(const std::string& resource,
                                                   std::uint32_t volume, ByteCount size) = 0;
  // The growing one, left by an earlier connection or daemon; not_found.
  virtual Result<std::unique_ptr<io::Disk>> reopen(const std::string& resource,
                                                   std::uint32_t volume) = 0;
  // It grows no more and gets its final name, which is returned; empty when that failed (it keeps
  // growing then).
  virtual std::string finish(const std::string& resource, std::uint32_t volume) = 0;
  // What cannot be used is put aside under another name, for a human to look at.
  virtual void set_aside(const std::string& resource, std::uint32_t volume) = 0;
  // Of the file system, for unprivileged users; and its size.
  struct Space {
    ByteCount free;
    ByteCount total;
  };
  virtual Space space() = 0;
  [[nodiscard]] virtual std::uint64_t seconds_since_1970() const = 0;
};

}  // namespace replicator
