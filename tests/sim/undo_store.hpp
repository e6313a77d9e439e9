// Undo files as disks of a simulated machine: they survive its crashes. What a real file system
// does at a crash between the creation of a file and its first flush is not simulated.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/node.hpp"
#include "undo/undo_store.hpp"

namespace replicator::sim {

class SimUndoStore final : public UndoStore {
 public:
  explicit SimUndoStore(Node& node) : node_(node) {}

  Task<Result<std::unique_ptr<io::Disk>>> create(std::string /*resource*/, std::uint32_t /*volume*/,
                                                 ByteCount size) override {
    if (refuse) co_return failure(Fault::no_space, "undo directory");
    if (growing_ != nullptr) co_return failure(Fault::exists, "undo file");
    const std::string path = "/undo/" + std::to_string(files_.size());
    growing_ = &node_.add_disk(path, size);
    files_.push_back(growing_);
    co_return node_.io().storage.open(path, io::DiskAccess::exclusive);
  }
  Task<Result<std::unique_ptr<io::Disk>>> reopen(std::string /*resource*/,
                                                 std::uint32_t /*volume*/) override {
    if (growing_ == nullptr) co_return failure(Fault::not_found, "undo file");
    co_return node_.io().storage.open(growing_->path(), io::DiskAccess::exclusive);
  }
  Task<std::string> finish(std::string /*resource*/, std::uint32_t /*volume*/) override {
    ++finished;
    co_return growing_ == nullptr ? std::string() : std::exchange(growing_, nullptr)->path();
  }
  Task<void> set_aside(std::string /*resource*/, std::uint32_t /*volume*/) override {
    ++put_aside;
    growing_ = nullptr;
    co_return;
  }
  Task<Space> space() override { co_return Space{free, ByteCount(1ULL << 30U)}; }
  [[nodiscard]] Space last_space() const noexcept override {
    return Space{free, ByteCount(1ULL << 30U)};
  }
  [[nodiscard]] std::uint64_t seconds_since_1970() const override { return 1'700'000'000; }

  [[nodiscard]] const std::vector<SimDisk*>& files() const noexcept { return files_; }
  [[nodiscard]] SimDisk* growing() const noexcept { return growing_; }

  bool refuse = false;
  ByteCount free{1ULL << 30U};
  int finished = 0;
  int put_aside = 0;

 private:
  Node& node_;
  std::vector<SimDisk*> files_;
  SimDisk* growing_ = nullptr;
};

}  // namespace replicator::sim
