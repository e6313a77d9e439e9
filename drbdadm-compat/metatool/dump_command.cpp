#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "metatool/commands.hpp"
#include "metatool/convert_md.hpp"
#include "metatool/dump_text.hpp"

namespace replicator::metatool {

namespace {

constexpr std::uint64_t piece_bytes = 1U << 20U;

std::string heading(const std::string& command_line) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 64> when{};
  std::strftime(when.data(), when.size(), "%F %T %z [%s]", &local);
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return fmt::format("# DRBD meta data dump\n# {}\n# {}> {}\n#\n\n", when.data(), host.data(),
                     command_line);
}

Status print_bitmap(Session& session, const MetadataOnDisk& found, BitmapText& bitmap) {
  AlignedBuffer buffer(piece_bytes);
  std::string text;
  const std::uint64_t begin = found.layout.bitmap * sector_bytes;
  const std::uint64_t total = found.bitmap_bytes();
  for (std::uint64_t done = 0; done < total;) {
    const std::uint64_t piece = std::min(piece_bytes, total - done);
    const Bytes bytes = buffer.bytes().first(static_cast<std::size_t>(piece));
    const Status read = session.device.read(begin + done, bytes);
    if (!read.ok()) return read;
    bitmap.add(bytes, text);
    session.console.out("{}", text);
    text.clear();
    done += piece;
  }
  bitmap.finish(text);
  session.console.out("{}", text);
  return Status();
}

// exit_ok: go on.
int begin_dump(Session& session, const std::string& command_line, const char* format, bool clean) {
  Console& console = session.console;
  if (!clean) {
    console.err("Found meta data is \"unclean\", please apply-al first\n");
    if (!session.call.force) return exit_failed;
  }
  if (session.stale) {
    const std::string user = session.call.minor
                                 ? fmt::format("minor {} is attached", *session.call.minor)
                                 : session.device.name() + " is in use";
    console.out("# Output might be stale, since {}\n", user);
  }
  console.out("{}version \"{}\";\n\n", heading(command_line), format);
  if (!clean) {
    // This line does not parse, so that nobody restores the dump by accident.
    console.out(
        "This_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.\n"
        "# You should \"apply-al\" first, if you plan to restore this.\n\n");
  }
  return exit_ok;
}

// One of the interleaved bitmaps.
Status print_slot(Session& session, const FoundOther& found, std::uint32_t slot,
                  BitmapText& bitmap) {
  const std::uint32_t peers = found.metadata.max_peers;
  constexpr std::uint64_t piece = 64U << 10U;
  AlignedBuffer from(static_cast<std::size_t>(piece * peers));
  AlignedBuffer to(piece);
  const std::uint64_t end = found.metadata.bitmap_bytes();
  // What rounds the area up to whole blocks belongs to the last bitmap, or to all in turn.
  const std::uint64_t total = end / peers / 8 * 8;
  std::string text;
  for (std::uint64_t done = 0; done < total; done += piece) {
    const auto length = static_cast<std::size_t>(std::min(piece * peers, end - done * peers));
    const Status read = session.device.read(found.bitmap() * sector_bytes + done * peers,
                                            from.bytes().first(length));
    if (!read.ok()) return read;
    pick_bitmap(from.bytes().first(length), peers, slot, to.bytes());
    bitmap.add(to.bytes().first(static_cast<std::size_t>(std::min(piece, total - done))), text);
    session.console.out("{}", text);
    text.clear();
  }
  bitmap.finish(text);
  session.console.out("{}", text);
  return Status();
}

int dump_other(Session& session, const std::string& command_line) {
  const Result<FoundOther> found = find_other(session);
  const bool v07 = session.call.format == MetaFormat::v07;
  if (!found || (found->metadata.format == OtherMetadata::Format::v07) != v07) {
    if (!found && found.error().fault() == Fault::metadata_mismatch) {
      session.console.err("{}: {}: {}\n", session.device.name(), text(found.error().fault()),
                          found.error().where());
    }
    session.console.err("No valid meta data found\n");
    return exit_failed;
  }
  const OtherMetadata& metadata = found->metadata;
  const int begun = begin_dump(session, command_line, metadata.name(), metadata.clean());
  if (begun != exit_ok) return begun;
  session.console.out("{}", dump_head(*found));
  std::uint64_t bits_set = 0;
  for (std::uint32_t slot = 0; slot < metadata.max_peers; ++slot) {
    session.console.out("{}", v07 ? std::string("bm {") : fmt::format("bitmap[{}] {{", slot));
    BitmapText bitmap;
    const Status printed = print_slot(session, *found, slot, bitmap);
    if (!printed.ok()) {
      report(session, printed);
      return exit_failed;
    }
    bits_set += bitmap.bits_set();
  }
  session.console.out("# bits-set {};\n", bits_set);
  return exit_ok;
}

}  // namespace

int dump_md(Session& session, const std::string& command_line) {
  if (session.call.format != MetaFormat::v08) return dump_other(session, command_line);
  const Result<MetadataOnDisk> found = read_metadata(session);
  if (!found) return without_metadata(session, found.error());
  Console& console = session.console;
  const bool clean = found->superblock.clean();
  const int begun = begin_dump(session, command_line, "v08", clean);
  if (begun != exit_ok) return begun;
  console.out("{}", dump_head(*found));
  BitmapText bitmap;
  const Status printed = print_bitmap(session, *found, bitmap);
  if (!printed.ok()) {
    report(session, printed);
    return exit_failed;
  }
  console.out("# bits-set {};\n", bitmap.bits_set());
  return exit_ok;
}

}  // namespace replicator::metatool
