// Generations of a volume and the media.
//   G3  a write that only this disk has is answered when its generation is on media, or not at all
//   G1, L1  a generation that no disk and no answer knows of is forgotten with the disk: the data
//   in
//       use is that of the one before, and whoever has it may serve
#include "base/log.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/volume.hpp"

namespace replicator {

Task<Status> Volume::generation_settled() {
  while (generation_stable_ != generation_changes_ && has_disk()) {
    const std::uint64_t reached = generation_changes_;
    const Status written = co_await backing_->write_superblock();
    if (!written.ok()) {
      // The disk can't keep a promise any more.
      resource_.local_disk_failed(*this);
      co_return written;
    }
    if (generation_stable_ < reached) generation_stable_ = reached;
  }
  co_return Status();
}

Task<Status> Volume::generation_on_media() {
  const Status settled = co_await generation_settled();
  if (settled.ok() && generation_stable_ != generation_changes_) {
    co_return Status(Fault::no_disk, "generation");
  }
  co_return settled;
}

void Volume::disk_went() noexcept {
  if (!backing_ || generation_stable_ == generation_changes_) return;
  const GenerationSet& media = backing_->generations_on_media();
  const std::uint64_t current = backing_->superblock().generations.current;
  if (same_generation(media.current, current)) return;
  unsettled_ = Unsettled{current, media};
  if (!same_generation(exposed_uuid_, current)) return;
  log::warning("{}/{} generation {:016X} was never written, {:016X} is in use", resource_.name(),
               number_, current, media.current);
  exposed_uuid_ = media.current;
}

// Of a disk that is attached: it may have got it after all, when its last writes came late.
void Volume::generations_read() noexcept {
  generation_stable_ = generation_changes_;
  GenerationSet& own = backing_->superblock().generations;
  if (unsettled_ && same_generation(own.current, unsettled_->current)) {
    own = unsettled_->before;
    ++generation_changes_;
  }
  unsettled_.reset();
}

}  // namespace replicator
