// Undo files in a directory of this machine: RESOURCE-VOLUME.growing while a resync adds to it,
// then RESOURCE-VOLUME-YYYYMMDDTHHMMSSZ.undo (docs/undo.md). Names and sizes are on media before
// anything relies on them. Blocks for the time of a few system calls, at the begin and the end of a
// resync.
#pragma once

#include <string>

#include "undo/undo_store.hpp"

namespace replicator {

class UndoFiles final : public UndoStore {
 public:
  UndoFiles(io::Storage& storage, std::string directory);

  Result<std::unique_ptr<io::Disk>> create(const std::string& resource, std::uint32_t volume,
                                           ByteCount size) override;
  Result<std::unique_ptr<io::Disk>> reopen(const std::string& resource,
                                           std::uint32_t volume) override;
  std::string finish(const std::string& resource, std::uint32_t volume) override;
  void set_aside(const std::string& resource, std::uint32_t volume) override;
  Space space() override;
  [[nodiscard]] std::uint64_t seconds_since_1970() const override;

 private:
  [[nodiscard]] std::string growing(const std::string& resource, std::uint32_t volume) const;
  // The new path; empty when it could not be renamed.
  [[nodiscard]] std::string rename_growing(const std::string& resource, std::uint32_t volume,
                                           const char* ending) const;

  io::Storage& storage_;
  std::string directory_;
};

}  // namespace replicator
