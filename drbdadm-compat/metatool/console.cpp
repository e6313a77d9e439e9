#include "metatool/console.hpp"

#include <unistd.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace replicator::metatool {

bool Console::confirm(const char* question) {
  err("\n{}\n", question);
  if (force_) {
    err("*** confirmation forced via --force option ***\n");
    return true;
  }
  if (isatty(fileno(in_)) == 0) {
    err("stdin not a TTY, not waiting for confirmation\n");
    return false;
  }
  err("[need to type 'yes' to confirm] ");
  std::fflush(err_);
  std::array<char, 80> line{};
  if (std::fgets(line.data(), static_cast<int>(line.size()), in_) == nullptr) return false;
  err("\n");
  return std::string_view(line.data()) == "yes\n";
}

bool Console::finish() noexcept {
  return std::fflush(out_) == 0 && std::ferror(out_) == 0 && std::fflush(err_) == 0;
}

std::string size_text(std::uint64_t kib) {
  constexpr std::string_view units = "KMGTPE";
  std::size_t unit = 0;
  std::uint64_t size = kib;
  while (size >= 10000 && unit + 1 < units.size()) {
    size = (size >> 10U) + ((size >> 9U) & 1U);
    ++unit;
  }
  return fmt::format("{} {}B", size, units[unit]);
}

}  // namespace replicator::metatool
