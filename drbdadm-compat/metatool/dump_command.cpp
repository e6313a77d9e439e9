#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "metatool/commands.hpp"
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

}  // namespace

int dump_md(Session& session, const std::string& command_line) {
  const Result<MetadataOnDisk> found = read_metadata(session);
  if (!found) return without_metadata(session, found.error());
  Console& console = session.console;
  const bool clean = found->superblock.magic == md_magic_v08;
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
  console.out("{}version \"v08\";\n\n", heading(command_line));
  if (!clean) {
    // This line does not parse, so that nobody restores the dump by accident.
    console.out(
        "This_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.\n"
        "# You should \"apply-al\" first, if you plan to restore this.\n\n");
  }
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
