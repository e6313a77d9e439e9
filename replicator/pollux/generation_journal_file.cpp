#include "pollux/generation_journal_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "control/node_report_json.hpp"

namespace replicator::pollux {

namespace {

// Many times what the daemon lets such a file grow to.
constexpr std::size_t journal_bytes_max = 16U << 20U;

int read_all(int fd, std::size_t most, std::string& text) {
  char piece[65536];
  for (;;) {
    const ssize_t got = read(fd, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return 0;
    if (text.size() + static_cast<std::size_t>(got) > most) return EFBIG;
    text.append(piece, static_cast<std::size_t>(got));
  }
}

void add_notes(const std::string& path, std::vector<GenerationNote>& notes) {
  std::string text;
  if (read_whole(path, journal_bytes_max, text) != 0) return;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    Result<GenerationNote> note = control::decode_note(line);
    if (note) notes.push_back(*note);
  }
}

}  // namespace

int read_whole(const std::string& path, std::size_t most, std::string& text) {
  text.clear();
  if (path == "-") return read_all(STDIN_FILENO, most, text);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int error = read_all(fd, most, text);
  close(fd);
  return error;
}

std::vector<GenerationNote> read_journal(const std::string& directory, const std::string& resource,
                                         std::uint32_t volume) {
  std::vector<GenerationNote> notes;
  if (resource.find('/') != std::string::npos) return notes;
  const std::string path = directory + "/" + resource + "." + std::to_string(volume);
  add_notes(path + ".old", notes);
  add_notes(path, notes);
  return notes;
}

}  // namespace replicator::pollux
