// An undo file as a tool reads it: while it grows, too. Blocks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "metadata/bitmap.hpp"
#include "undo/undo_format.hpp"

namespace replicator::pollux {

class UndoFile {
 public:
  // not_found, io_error, malformed; `where` says what does not fit.
  static Result<UndoFile> open(const std::string& path);
  UndoFile(UndoFile&& other) noexcept;
  UndoFile& operator=(UndoFile&&) = delete;
  ~UndoFile();

  [[nodiscard]] const UndoHeader& header() const noexcept { return header_; }
  [[nodiscard]] const Bitmap& kept() const noexcept { return kept_; }
  [[nodiscard]] ByteCount kept_bytes() const noexcept;
  // Neighbouring blocks that are kept, in order; within the device.
  [[nodiscard]] std::vector<ByteRange> ranges() const;
  // `into` is as long as the range.
  Status read(ByteRange range, Bytes into) const;
  // A daemon adds to it now.
  [[nodiscard]] bool in_use() const;

 private:
  UndoFile(int fd, UndoHeader header);
  Status load_bitmap();

  int fd_;
  UndoHeader header_;
  Bitmap kept_;
};

}  // namespace replicator::pollux
