// Undo files in a directory of this machine: RESOURCE-VOLUME.growing while a resync adds to it,
// then RESOURCE-VOLUME-YYYYMMDDTHHMMSSZ.undo (docs/undo.md). Names and sizes are on media before
// anything relies on them. The file system is asked on a helper thread: it may be slow, or lie on a
// device of ours (L1).
#pragma once

#include <string>

#include "undo/undo_store.hpp"
#include "uring/reactor.hpp"

namespace replicator {

class UndoFiles final : public UndoStore {
 public:
  UndoFiles(uring::Reactor& reactor, std::string directory);

  Task<Result<std::unique_ptr<io::Disk>>> create(std::string resource, std::uint32_t volume,
                                                 ByteCount size) override;
  Task<Result<std::unique_ptr<io::Disk>>> reopen(std::string resource,
                                                 std::uint32_t volume) override;
  Task<std::string> finish(std::string resource, std::uint32_t volume) override;
  Task<void> set_aside(std::string resource, std::uint32_t volume) override;
  Task<Space> space() override;
  [[nodiscard]] Space last_space() const noexcept override { return last_space_; }
  [[nodiscard]] std::uint64_t seconds_since_1970() const override;

 private:
  [[nodiscard]] std::string stem(const std::string& resource, std::uint32_t volume) const;

  uring::Reactor& reactor_;
  std::string directory_;
  Space last_space_;
};

}  // namespace replicator
