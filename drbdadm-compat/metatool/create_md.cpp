#include <algorithm>

#include "metadata/activity_log_format.hpp"
#include "metatool/commands.hpp"
#include "metatool/convert_md.hpp"
#include "metatool/create_parts.hpp"
#include "metatool/existing_data.hpp"
#include "metatool/relocate.hpp"

namespace replicator::metatool {

namespace {

constexpr std::size_t ring_piece = 1U << 20U;

bool internal(const Session& session) noexcept {
  return session.call.index.kind == MetaDiskIndex::Kind::internal;
}

const char* truncation =
    "Device size would be truncated, which\nwould corrupt data and result in\n"
    "'access beyond end of device' errors.\n";
const char* zero_out_first =
    "If you want me to do this, you need to zero out the first part\n"
    "of the device (destroy the content).\nYou should be very sure that you mean it.\n"
    "Operation refused.\n\n";

int explain_refusal(Console& console, Verdict verdict) {
  if (verdict == Verdict::refuse_overwrite) {
    console.out("\nThis would corrupt existing data.\n{}", zero_out_first);
  } else if (verdict == Verdict::refuse_truncate) {
    console.out(
        "\n{}You need to either\n   * use external meta data (recommended)\n"
        "   * shrink that filesystem first\n"
        "   * zero out the device (destroy the filesystem)\nOperation refused.\n\n",
        truncation);
  } else {
    console.out("{}{}", truncation, zero_out_first);
  }
  return exit_data_in_the_way;
}

int ask_to_proceed(Console& console) {
  if (console.confirm("Do you want to proceed?")) return exit_ok;
  console.out("Operation canceled.\n");
  return exit_failed;
}

}  // namespace

int check_existing_data(Session& session, const MetadataLayout& layout, bool metadata_in_place) {
  const Result<ExistingData> data = find_existing_data(session.device);
  if (!data) {
    report(session, data.error());
    return exit_failed;
  }
  const std::uint64_t usable = layout.data_limit * sector_bytes;
  const Verdict verdict =
      judge(*data, internal(session), usable, session.call.ignore_sanity_checks);
  // Data beside meta data that is in place is expected; it must only not lose its end.
  const bool confirm = verdict == Verdict::confirm_guess || verdict == Verdict::confirm_unknown;
  const bool unknown_size = internal(session) && !data->bytes;
  if (verdict == Verdict::proceed || (metadata_in_place && (confirm || unknown_size))) {
    return exit_ok;
  }
  Console& console = session.console;
  console.out("md_offset {}\nal_offset {}\nbm_offset {}\n\nFound {}\n",
              layout.superblock * sector_bytes, layout.activity_log * sector_bytes,
              layout.bitmap * sector_bytes, data->name);
  if (internal(session) && data->kind != ExistingData::Kind::unknown) {
    if (data->bytes) console.out("{:12} kB data area apparently used\n", *data->bytes / 1024);
    console.out("{:12} kB left usable by current configuration\n", usable / 1024);
    if (!data->bytes && data->kind == ExistingData::Kind::filesystem) {
      console.out("Could not determine the size of the actually used data area.\n\n");
    }
  }
  switch (verdict) {
    case Verdict::proceed: return exit_ok;
    case Verdict::ignored:
      console.out("\nThis would corrupt existing data.\n");
      console.out("\nIgnoring sanity check on user request.\n\n");
      return exit_ok;
    case Verdict::confirm_unknown:
      console.out("\n ==> This might destroy existing data! <==\n");
      return ask_to_proceed(console);
    case Verdict::confirm_guess:
      console.out(
          "\nEven though it looks like this would place the new meta data into\n"
          "unused space, you still need to confirm, as this is only a guess.\n");
      return ask_to_proceed(console);
    case Verdict::refuse_overwrite:
    case Verdict::refuse_truncate:
    case Verdict::refuse_unshrinkable: break;
  }
  return explain_refusal(console, verdict);
}

InPlace what_is_in_place(Session& session) {
  const Result<MetadataOnDisk> found = read_metadata(session);
  if (found) return InPlace::ours;
  const Result<FoundOther> other = find_other(session);
  if (other) {
    return other->metadata.format == OtherMetadata::Format::v07 ? InPlace::v07 : InPlace::v09;
  }
  switch (found.error().fault()) {
    case Fault::no_metadata: return InPlace::nothing;
    // Our magic, but numbers for another size or place: worth asking as well.
    case Fault::metadata_mismatch:
    case Fault::too_small: return InPlace::ours;
    case Fault::unsupported:
      return std::string_view(found.error().where()).starts_with("v07") ? InPlace::v07
                                                                        : InPlace::v09;
    default: report(session, found.error()); return InPlace::unreadable;
  }
}

namespace {

enum class Answer : std::uint8_t { cancel, replace, convert };

Answer ask_to(Session& session, const std::string& question, Answer answer) {
  return session.console.confirm(question.c_str()) ? answer : Answer::cancel;
}

void tell_what_is_in_place(Session& session, const MetadataLayout& layout, const char* format,
                           const FoundOther* other) {
  if (!internal(session)) return;
  const bool fixed = other != nullptr && other->place == OtherPlace::fixed;
  session.console.err(
      "You want me to create a v08 style flexible-size internal meta data block.\n"
      "There appears to be a {} {} internal meta data block\n"
      "already in place on {} at byte offset {}\n",
      format, fixed ? "fixed-size" : "flexible-size", session.device.name(),
      (other != nullptr ? other->superblock : layout.superblock) * sector_bytes);
}

Answer ask_about_metadata(Session& session, const MetadataLayout& layout, InPlace in_place,
                          const FoundOther* other) {
  const char* format = in_place == InPlace::v07 ? "v07" : in_place == InPlace::v09 ? "v09" : "v08";
  tell_what_is_in_place(session, layout, format, other);
  if (in_place == InPlace::ours) {
    return ask_to(session,
                  internal(session)
                      ? "Do you really want to overwrite the existing meta-data?"
                      : "Valid meta data seems to be in place.\nDo you really want to overwrite?",
                  Answer::replace);
  }
  if (other != nullptr) {
    const Result<Converted> possible = convert(other->metadata, false);
    if (possible) {
      const Answer answer =
          ask_to(session, fmt::format("Valid {} meta-data found, convert to v08?", format),
                 Answer::convert);
      if (answer != Answer::cancel) return answer;
    } else {
      session.console.err("It cannot be converted to v08: {}.\n", possible.error().where());
    }
  }
  return ask_to(session,
                fmt::format("So you want me to replace the {} meta-data\n"
                            "with newly initialized v08 meta-data?",
                            format),
                Answer::replace);
}

}  // namespace

Status initialise_activity_log(Session& session, const MetadataLayout& layout, AlStripes stripes) {
  const std::uint64_t total = stripes.blocks() * al_block_bytes;
  AlignedBuffer buffer(static_cast<std::size_t>(std::min<std::uint64_t>(total, ring_piece)));
  for (std::size_t at = 0; at + al_block_bytes <= buffer.bytes().size(); at += al_block_bytes) {
    encode_al_initialized(buffer.bytes().subspan(at, al_block_bytes));
  }
  const std::uint64_t begin = layout.activity_log * sector_bytes;
  for (std::uint64_t done = 0; done < total;) {
    const std::uint64_t piece = std::min<std::uint64_t>(total - done, buffer.bytes().size());
    const Bytes bytes = buffer.bytes().first(static_cast<std::size_t>(piece));
    const Status written = session.device.write(begin + done, bytes);
    if (!written.ok()) return written;
    done += piece;
  }
  return Status();
}

Status wipe_superblock(Session& session, const MetadataLayout& layout) {
  const Status wiped = session.device.zero(layout.superblock * sector_bytes, superblock_bytes);
  return wiped.ok() ? session.device.flush() : wiped;
}

namespace {

Superblock fresh_superblock(const MetaCall& call, const MetadataLayout& layout) {
  Superblock superblock;
  superblock.generations.current = uuid_just_created;
  superblock.flags = md_flag_al_clean;
  superblock.md_size_sectors = layout.md_size;
  superblock.al_offset = layout.al_offset;
  superblock.bm_offset = layout.bm_offset;
  superblock.la_peer_max_bio_bytes = call.peer_max_bio_bytes;
  superblock.al_stripes = call.stripes.stripes;
  superblock.al_stripe_size_4k = call.stripes.stripe_blocks;
  return superblock;
}

// The whole area of internal meta data. Of an external one no more than would describe a device of
// the meta device's size, as the original does: the data device is not known here, and its first
// attach writes the whole bitmap anyway.
std::uint64_t bitmap_bytes_to_zero(const Session& session, const MetadataLayout& layout) {
  const std::uint64_t area = layout.bitmap_sectors * sector_bytes;
  const std::uint64_t bits = ceil_div(session.device.size(), block_bytes);
  return std::min(area, round_up(ceil_div(bits, 8), block_bytes));
}

Status write_all(Session& session, const MetadataLayout& layout) {
  Console& console = session.console;
  // An old superblock in front of new areas would be believed.
  const Status wiped = wipe_superblock(session, layout);
  if (!wiped.ok()) return wiped;
  console.out("initializing activity log\n");
  const Status logged = initialise_activity_log(session, layout, session.call.stripes);
  if (!logged.ok()) return logged;
  const std::uint64_t bitmap = bitmap_bytes_to_zero(session, layout);
  console.err("initializing bitmap ({}) to all zero\n", size_text(bitmap / 1024));
  const Status zeroed = session.device.zero(layout.bitmap * sector_bytes, bitmap);
  if (!zeroed.ok()) return zeroed;
  const Status flushed = session.device.flush();
  if (!flushed.ok()) return flushed;
  console.out("Writing meta data...\n");
  return write_superblock(session, fresh_superblock(session.call, layout), layout);
}

// exit_ok: go on.
int check_size(Session& session, const MetadataLayout& layout) {
  const std::uint64_t sectors = session.device.size() / sector_bytes;
  const bool small = !internal(session) && sectors < metadata_device_sectors_min;
  if (layout.data_limit == 0 || small) {
    session.console.err("{} is only {} bytes. That's not enough.\n", session.device.name(),
                        session.device.size());
    return exit_range;
  }
  if (internal(session) && sectors > device_sectors_max) {
    session.console.err("{}: Bitmap for that device got too large.\n", session.device.name());
    return exit_range;
  }
  return exit_ok;
}

}  // namespace

namespace {

int create_anew(Session& session, const MetadataLayout& layout) {
  const Status written = write_all(session, layout);
  if (!written.ok()) {
    report(session, written);
    session.console.err("operation failed\n");
    return exit_failed;
  }
  session.console.out("New drbd meta data block successfully created.\n");
  return exit_ok;
}

int convert_in_place(Session& session, const FoundOther& other) {
  const bool v07 = other.metadata.format == OtherMetadata::Format::v07;
  session.console.out("{}Writing meta data...\n", v07 ? "Converting meta data...\n" : "");
  const Status converted = convert_md(session, other);
  if (!converted.ok()) {
    if (converted.fault() == Fault::unsupported) session.console.err("{}\n", converted.where());
    else report(session, converted);
    session.console.err("operation failed\n");
    return exit_failed;
  }
  session.console.out("New drbd meta data block successfully created.\n");
  return exit_ok;
}

}  // namespace

int create_md(Session& session) {
  const MetadataLayout layout = layout_of(session, session.call.stripes);
  int code = check_size(session, layout);
  if (code != exit_ok) return code;
  const InPlace in_place = what_is_in_place(session);
  if (in_place == InPlace::unreadable) return exit_failed;
  const bool occupied = in_place != InPlace::nothing;
  const std::optional<LastKnown> displaced = occupied ? std::nullopt : find_displaced(session);
  // Who forces it wants new ones; check-resize moves the old without a question.
  if (displaced && !session.call.force &&
      session.console.confirm("Move internal meta data from last-known position?\n")) {
    return move_to_the_end(session, *displaced);
  }
  code = check_existing_data(session, layout, occupied);
  if (code != exit_ok) return code;
  if (!occupied) return create_anew(session, layout);
  const bool foreign = in_place == InPlace::v07 || in_place == InPlace::v09;
  const Result<FoundOther> other =
      foreign ? find_other(session) : failure(Fault::no_metadata, "not of another format");
  switch (ask_about_metadata(session, layout, in_place, other ? &*other : nullptr)) {
    case Answer::convert: return convert_in_place(session, *other);
    case Answer::replace: return create_anew(session, layout);
    case Answer::cancel: break;
  }
  session.console.out("Operation cancelled.\n");
  return exit_failed;
}

int wipe_md(Session& session) {
  const InPlace in_place = what_is_in_place(session);
  if (in_place == InPlace::unreadable) return exit_failed;
  if (in_place == InPlace::nothing) {
    session.console.err("There appears to be no drbd meta data to wipe out?\n");
    return exit_ok;
  }
  if (!session.console.confirm("Do you really want to wipe out the DRBD meta data?")) {
    session.console.out("Operation cancelled.\n");
    return exit_failed;
  }
  session.console.out("Wiping meta data...\n");
  const Status wiped = wipe_superblock(session, layout_of(session, AlStripes()));
  if (!wiped.ok()) {
    report(session, wiped);
    session.console.err("operation failed\n");
    return exit_failed;
  }
  session.console.out("DRBD meta data block successfully wiped out.\n");
  return exit_ok;
}

int check_resize(Session& session) {
  const Result<MetadataOnDisk> found = read_metadata(session);
  if (found) return exit_ok;
  const std::optional<LastKnown> displaced = find_displaced(session);
  if (displaced) return move_to_the_end(session, *displaced);
  session.console.err("no suitable meta data found :(\n");
  return exit_failed;
}

}  // namespace replicator::metatool
