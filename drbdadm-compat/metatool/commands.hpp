// The commands of drbdmeta; each returns the exit code.
#pragma once

#include <string>

#include "base/units.hpp"
#include "metatool/session.hpp"

namespace replicator::metatool {

// Asks before anything is overwritten, refuses when data would be; the superblock is written last,
// so that an interrupted run leaves no meta data rather than half of it.
int create_md(Session& session);
int wipe_md(Session& session);
int check_resize(Session& session);

// `command_line` for the heading.
int dump_md(Session& session, const std::string& command_line);

// The file that `dump-md` wrote, back onto the device, or only read and checked. The activity log
// is empty afterwards: only clean meta data are dumped.
int restore_md(Session& session);
int verify_dump(Session& session);

// Marks what the activity log covers, then empties the log, then says so in the superblock, each
// stable before the next (D2, D6): interrupted anywhere, it can be run again.
int apply_al(Session& session);

int get_gi(Session& session);
int show_gi(Session& session);
int set_gi(Session& session);
int dstate(Session& session);
int outdate(Session& session);
int invalidate(Session& session);
int read_dev_uuid(Session& session);
int write_dev_uuid(Session& session);

}  // namespace replicator::metatool
