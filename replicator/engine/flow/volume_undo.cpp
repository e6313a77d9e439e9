// What the volume does for the undo of a victim's resync (docs/undo.md).
#include <utility>

#include "base/log.hpp"
#include "engine/decide/handshake.hpp"
#include "engine/decide/undo_choice.hpp"
#include "engine/flow/resource.hpp"
#include "engine/flow/undo_log.hpp"
#include "engine/flow/volume.hpp"

namespace replicator {

void Volume::note_undo(const SyncDecision& decision, const HandshakeSide& mine,
                       const HandshakeSide& theirs) {
  undo_wanted_.reset();
  const std::optional<UndoReason> reason = undo_reason(decision, mine);
  if (!reason) return;
  UndoHeader header;
  header.resource = resource_.name();
  header.volume = number_;
  header.device = size_;
  header.reason = *reason;
  header.mine = mine.generations;
  header.peer = theirs.generations;
  undo_wanted_ = std::move(header);
}

// A file that an interrupted resync left growing is gone on with, whatever this resync is for.
Task<void> Volume::prepare_undo() {
  std::optional<UndoHeader> wanted = std::exchange(undo_wanted_, std::nullopt);
  if (undo_ || resource_.undo_store() == nullptr) co_return;
  UndoStore& store = *resource_.undo_store();
  UndoLimits limits;
  limits.kept_max = to_bytes(SectorCount(disk_options_.undo_max_size_sectors));
  limits.free_percent_min = disk_options_.undo_min_free_percent;
  std::string resource = resource_.name();
  Result<std::unique_ptr<UndoLog>> old =
      co_await UndoLog::resume(store, std::move(resource), number_, size_, limits);
  if (old) {
    undo_ = std::move(*old);
    log::info("{}/{} undo: goes on with the file that was begun, {} KB are kept", resource_.name(),
              number_, undo_->kept().value() / 1024);
    co_return;
  }
  if (old.error().fault() != Fault::not_found) {
    log::warning("{}/{} undo: the file that was begun is of no use ({}: {}), it was put aside",
                 resource_.name(), number_, text(old.error().fault()), old.error().where());
  }
  if (!wanted || !disk_options_.undo) co_return;
  wanted->device = size_;
  wanted->began_seconds = store.seconds_since_1970();
  const char* const why = text(wanted->reason);
  Result<std::unique_ptr<UndoLog>> log = co_await UndoLog::begin(store, std::move(*wanted), limits);
  if (!log) {
    log::warning("{}/{} undo: no file can be made ({}: {}); what is overwritten is lost",
                 resource_.name(), number_, text(log.error().fault()), log.error().where());
    co_return;
  }
  undo_ = std::move(*log);
  log::info("{}/{} undo: {}; up to {} KB will be overwritten, the old content is kept",
            resource_.name(), number_, why, out_of_sync_blocks() * 4);
}

// Only blocks that are marked differ from what the source already had.
bool Volume::keeps_undo(ByteRange range) const noexcept {
  return undo_ && undo_->recording() && has_disk() &&
         backing_->bitmap().weight_in(range).value() != 0;
}

Task<void> Volume::keep_old(ByteRange range) {
  BackingDevice& disk = *backing_;
  ++local_pending_;
  co_await undo_->keep(disk, range);
  --local_pending_;
}

Task<void> Volume::finish_undo() {
  if (!undo_) co_return;
  const std::unique_ptr<UndoLog> log = std::move(undo_);
  const std::string name = co_await log->finish();
  if (name.empty()) {
    log::warning("{}/{} undo: the file can't be given its name", resource_.name(), number_);
    co_return;
  }
  log::info("{}/{} undo: {} KB of what was overwritten are kept{} in {}", resource_.name(), number_,
            log->kept().value() / 1024, log->header().partial ? ", not all of it," : "", name);
}

}  // namespace replicator
