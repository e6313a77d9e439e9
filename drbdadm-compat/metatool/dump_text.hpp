// The text form of meta data, as dump-md prints it: the bitmap as words, four to a line, runs of
// equal words as a count. Takes the bitmap piece by piece, because it may be larger than memory.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "metatool/convert_md.hpp"
#include "metatool/session.hpp"

namespace replicator::metatool {

// Everything in front of the words of the bitmap, with the brace that opens them.
std::string dump_head(const MetadataOnDisk& metadata);
// The same of v07 and v09, but for the brace: v09 has a bitmap for each peer.
std::string dump_head(const FoundOther& found);

class BitmapText {
 public:
  // Whole words. What can be printed is appended to `text`.
  void add(ConstBytes words, std::string& text);
  void finish(std::string& text);
  [[nodiscard]] std::uint64_t bits_set() const noexcept { return bits_set_; }

 private:
  void add_word(std::uint64_t word, std::string& text);
  void print_run(std::string& text);
  void print_line_word(std::uint64_t word, std::string& text);
  void note_place(std::string& text) const;

  std::uint64_t run_word_ = 0;
  std::uint64_t run_length_ = 0;
  std::uint64_t printed_ = 0;  // words
  std::uint64_t bits_set_ = 0;
};

}  // namespace replicator::metatool
