// Reads what `dump-md` of format v08 writes, this tool's or DRBD's (docs/metadata.md): in pieces,
// because the bitmap of a large device is larger than memory should be. Any bytes are either such a
// dump or an error with a line number.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metadata/superblock.hpp"

namespace replicator::metatool {

class DumpReader {
 public:
  explicit DumpReader(std::FILE* file) noexcept : file_(file) {}

  // Everything in front of the bitmap's words. None: see problem().
  std::optional<Superblock> head();
  struct Run {
    std::uint64_t count = 0;
    std::uint64_t word = 0;  // as a number; little endian on the disk
  };
  // The bitmap's words, one run after the other; none at its end, which is that of the file, or
  // when there is a problem.
  std::optional<Run> next();

  // Empty: none so far.
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
  enum class Kind : std::uint8_t { end, word, number, hex32, hex64, string, punctuation, bad };
  struct Token {
    Kind kind = Kind::end;
    std::string text;
    std::uint64_t value = 0;
  };

  int character();
  Token token();
  Token string_token();
  void fail(const Token& found, std::string_view expected);
  bool expect(std::string_view text);  // a word, or punctuation
  std::uint64_t value(Kind kind, std::string_view what);
  std::uint64_t field(std::string_view name, Kind kind);

  std::FILE* file_;
  std::vector<char> buffer_;
  std::size_t at_ = 0;
  int pushed_back_ = -1;
  unsigned line_ = 1;
  std::string problem_;
};

}  // namespace replicator::metatool
