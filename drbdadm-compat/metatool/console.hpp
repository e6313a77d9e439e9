// What drbdmeta says and asks. A question is answered by a terminal only, or by --force.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

namespace replicator::metatool {

class Console {
 public:
  Console(std::FILE* in, std::FILE* out, std::FILE* err, bool force) noexcept
      : in_(in), out_(out), err_(err), force_(force) {}

  template <class... Values>
  void out(fmt::format_string<Values...> format, Values&&... values) {
    put(out_, fmt::format(format, std::forward<Values>(values)...));
  }
  template <class... Values>
  void err(fmt::format_string<Values...> format, Values&&... values) {
    // What was said before on the other stream stands before it, also when both are one file.
    std::fflush(out_);
    put(err_, fmt::format(format, std::forward<Values>(values)...));
  }
  // True only for the whole word "yes", or with --force.
  bool confirm(const char* question);
  // All that was said has arrived; false when a stream could not take it.
  bool finish() noexcept;

 private:
  static void put(std::FILE* stream, const std::string& text) noexcept {
    std::fputs(text.c_str(), stream);
  }

  std::FILE* in_;
  std::FILE* out_;
  std::FILE* err_;
  bool force_;
};

// "4 KB", "16 MB": up to four digits, as DRBD prints sizes.
std::string size_text(std::uint64_t kib);

}  // namespace replicator::metatool
