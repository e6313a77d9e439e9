// restore-md and verify-dump. The dump is read twice: once to know that all of it can be restored,
// once to restore it; nothing is written before the first is done.
//   E2  a second reading that fails or says something else leaves no meta data
#include <algorithm>
#include <memory>

#include "metatool/commands.hpp"
#include "metatool/create_parts.hpp"
#include "metatool/dump_reader.hpp"

namespace replicator::metatool {

namespace {

constexpr std::uint64_t piece_bytes = 1U << 20U;
constexpr std::uint32_t al_blocks_max = 8192;  // 32 MiB, as create-md has it

struct Close {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

int refuse(Session& session, const std::string& problem) {
  session.console.err("{}\n", problem);
  return exit_range;
}

// Empty: all of it is sound and fits here.
std::string problem_of(Session& session, const Superblock& superblock) {
  const AlStripes stripes = superblock.stripes();
  if (superblock.bm_bytes_per_bit != block_bytes) return "bm-byte-per-bit is not 4096";
  if (stripes.stripes == 0 || stripes.blocks() < 8 || stripes.blocks() > al_blocks_max) {
    return "the activity log of the dump has an impossible size";
  }
  const MetadataLayout layout = layout_of(session, stripes);
  const std::uint64_t bitmap_bits = layout.bitmap_sectors * sector_bytes * 8;
  if (layout.data_limit == 0 || superblock.la_size_sectors > layout.data_limit ||
      ceil_div(superblock.la_size_sectors, sectors_per_block) > bitmap_bits) {
    return session.device.name() + " is too small for the device in the dump: " +
           std::to_string(superblock.la_size_sectors) + " sectors and its meta data";
  }
  return {};
}

// The whole dump, without writing. `words` of the bitmap are in it.
std::string problem_of_bitmap(DumpReader& reader, const Superblock& superblock,
                              const MetadataLayout& layout, std::uint64_t& words) {
  const std::uint64_t most = layout.bitmap_sectors * sector_bytes / 8;
  const std::uint64_t least = ceil_div(ceil_div(superblock.la_size_sectors, sectors_per_block), 64);
  while (const auto run = reader.next()) {
    if (run->count > most - words) return "the bitmap of the dump is too large for this device";
    words += run->count;
  }
  if (!reader.problem().empty()) return reader.problem();
  if (words < least) return "the bitmap of the dump ends before the device does";
  return {};
}

// Collects words into pieces and writes those.
class BitmapWriter {
 public:
  BitmapWriter(Session& session, const MetadataLayout& layout)
      : session_(session),
        offset_(layout.bitmap * sector_bytes),
        end_(offset_ + layout.bitmap_sectors * sector_bytes),
        buffer_(piece_bytes) {}

  Status add(DumpReader::Run run) {
    for (; run.count > 0; --run.count) {
      write_le64(buffer_.bytes(), filled_, run.word);
      filled_ += 8;
      if (filled_ < piece_bytes) continue;
      const Status written = write(piece_bytes);
      if (!written.ok()) return written;
    }
    return Status();
  }

  // The rest of the last page is clean, and so is the page behind: nobody looks further.
  Status finish() {
    const std::uint64_t length =
        std::min<std::uint64_t>(round_up(filled_, block_bytes), end_ - offset_);
    for (std::size_t at = filled_; at < length; ++at)
      buffer_.bytes()[at] = std::byte{0};
    return length == 0 ? Status() : write(length);
  }

 private:
  Status write(std::uint64_t length) {
    const Status written =
        session_.device.write(offset_, buffer_.bytes().first(static_cast<std::size_t>(length)));
    offset_ += length;
    filled_ = 0;
    return written;
  }

  Session& session_;
  std::uint64_t offset_;
  std::uint64_t end_;
  AlignedBuffer buffer_;
  std::size_t filled_ = 0;
};

// What the first reading found.
struct Checked {
  std::optional<Superblock> superblock;
  std::uint64_t words = 0;  // of the bitmap
  int code = exit_ok;
};

Checked check(Session& session, std::FILE* file) {
  DumpReader reader(file);
  Checked checked;
  checked.superblock = reader.head();
  std::string problem = reader.problem();
  if (problem.empty()) problem = problem_of(session, *checked.superblock);
  if (problem.empty()) {
    const MetadataLayout layout = layout_of(session, checked.superblock->stripes());
    problem = problem_of_bitmap(reader, *checked.superblock, layout, checked.words);
  }
  if (!problem.empty()) checked.code = refuse(session, problem);
  return checked;
}

// All words that were found sound, not one more.
Status write_bitmap(Session& session, const MetadataLayout& layout, std::uint64_t words,
                    DumpReader& reader) {
  const Status changed(Fault::malformed, "reading the dump again");
  BitmapWriter bitmap(session, layout);
  while (const auto run = reader.next()) {
    if (run->count > words) return changed;
    words -= run->count;
    const Status added = bitmap.add(*run);
    if (!added.ok()) return added;
  }
  if (!reader.problem().empty() || words != 0) return changed;
  return bitmap.finish();
}

// The superblock goes first and comes last: interrupted, there are no meta data.
Status write_all(Session& session, const Checked& checked, DumpReader& reader) {
  if (reader.head() != checked.superblock) {
    return Status(Fault::malformed, "reading the dump again");
  }
  Superblock superblock = *checked.superblock;
  const MetadataLayout layout = layout_of(session, superblock.stripes());
  Status status = wipe_superblock(session, layout);
  if (status.ok()) status = initialise_activity_log(session, layout, superblock.stripes());
  if (status.ok()) status = write_bitmap(session, layout, checked.words, reader);
  if (status.ok()) status = session.device.flush();
  if (!status.ok()) return status;
  superblock.magic = md_magic_v08;
  superblock.flags |= md_flag_al_clean;
  superblock.md_size_sectors = layout.md_size;
  superblock.al_offset = layout.al_offset;
  superblock.bm_offset = layout.bm_offset;
  return write_superblock(session, superblock, layout);
}

File open_dump(Session& session) {
  const std::string& name = session.call.arguments.front();
  File file(std::fopen(name.c_str(), "re"));
  if (!file) session.console.err("open of '{}' failed.\n", name);
  return file;
}

int ask(Session& session, const Superblock& superblock) {
  const InPlace in_place = what_is_in_place(session);
  if (in_place == InPlace::unreadable) return exit_failed;
  const bool occupied = in_place != InPlace::nothing;
  if (occupied && !session.console.confirm("Valid meta-data in place, overwrite?")) {
    session.console.out("Operation cancelled.\n");
    return exit_failed;
  }
  return check_existing_data(session, layout_of(session, superblock.stripes()), occupied);
}

}  // namespace

int verify_dump(Session& session) {
  const File file = open_dump(session);
  if (!file) return exit_usage;
  const Checked checked = check(session, file.get());
  if (checked.code == exit_ok) session.console.out("input file parsed ok\n");
  return checked.code;
}

int restore_md(Session& session) {
  const File file = open_dump(session);
  if (!file) return exit_usage;
  const Checked checked = check(session, file.get());
  if (checked.code != exit_ok) return checked.code;
  const int asked = ask(session, *checked.superblock);
  if (asked != exit_ok) return asked;
  if (std::fseek(file.get(), 0, SEEK_SET) != 0) {
    return refuse(session, session.call.arguments.front() + " can not be read twice");
  }
  session.console.err("reinitializing\n");
  DumpReader again(file.get());
  const Status written = write_all(session, checked, again);
  if (!written.ok()) {
    if (again.problem().empty()) report(session, written);
    else session.console.err("{}\n", again.problem());
    session.console.err("Writing failed\n");
    return exit_failed;
  }
  const Superblock& superblock = *checked.superblock;
  if (superblock.flags == 0 && superblock.generations.current != uuid_just_created) {
    session.console.err(
        "The dump has no flags, as DRBD's tool before 9.33 writes it: the disk is Inconsistent "
        "now.\n"
        "If it was not, set-gi with what get-gi said then makes it so.\n");
  }
  session.console.out("Successfully restored meta data\n");
  return exit_ok;
}

}  // namespace replicator::metatool
