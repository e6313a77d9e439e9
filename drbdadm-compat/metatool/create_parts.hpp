// What writing meta data anew consists of: shared by create-md and restore-md.
#pragma once

#include <cstdint>

#include "metatool/session.hpp"

namespace replicator::metatool {

enum class InPlace : std::uint8_t { nothing, ours, v07, v09, unreadable };
// What lies where the meta data would go; unreadable is told of.
InPlace what_is_in_place(Session& session);

// Whether data on the device stand in the way: asks or refuses. exit_ok: go on.
int check_existing_data(Session& session, const MetadataLayout& layout, bool metadata_in_place);

// Stable when it returns: from then on there are no meta data.
Status wipe_superblock(Session& session, const MetadataLayout& layout);
Status initialise_activity_log(Session& session, const MetadataLayout& layout, AlStripes stripes);

}  // namespace replicator::metatool
