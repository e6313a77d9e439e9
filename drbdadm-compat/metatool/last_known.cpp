#include "metatool/last_known.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>

#include "metatool/generations_text.hpp"

namespace replicator::metatool {

namespace {

std::string file_name(const std::string& directory, std::uint32_t minor) {
  return fmt::format("{}/drbd-minor-{}.lkbd", directory, minor);
}

std::string_view take_line(std::string_view& text) noexcept {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

}  // namespace

std::optional<LastKnown> parse_last_known(std::string_view text) {
  LastKnown found;
  const std::string_view first = take_line(text);
  const std::size_t tab = first.find('\t');
  if (tab == std::string_view::npos) return std::nullopt;
  const auto [end, error] = std::from_chars(first.data(), first.data() + tab, found.bytes);
  if (error != std::errc() || end != first.data() + tab) return std::nullopt;
  found.device = first.substr(tab + 1);
  const std::string_view second = take_line(text);
  constexpr std::string_view label = "uuid:\t";
  if (second.empty()) return found;
  if (!second.starts_with(label)) return std::nullopt;
  const std::optional<std::uint64_t> uuid = parse_hex(second.substr(label.size()));
  if (!uuid) return std::nullopt;
  found.device_uuid = *uuid;
  return found;
}

std::string last_known_text(const LastKnown& last_known) {
  std::string text = fmt::format("{}\t{}\n", last_known.bytes, last_known.device);
  if (last_known.device_uuid != 0) text += fmt::format("uuid:\t{:016X}\n", last_known.device_uuid);
  return text;
}

std::optional<LastKnown> load_last_known(const std::string& directory, std::uint32_t minor) {
  std::FILE* file = std::fopen(file_name(directory, minor).c_str(), "re");
  if (file == nullptr) return std::nullopt;
  std::array<char, 4096> text{};
  const std::size_t length = std::fread(text.data(), 1, text.size(), file);
  std::fclose(file);
  return parse_last_known(std::string_view(text.data(), length));
}

Status save_last_known(const std::string& directory, std::uint32_t minor,
                       const LastKnown& last_known) {
  if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
    return Status(Fault::io_error, "create", errno);
  }
  const std::string name = file_name(directory, minor);
  const std::string fresh = name + ".new";
  std::FILE* file = std::fopen(fresh.c_str(), "we");
  if (file == nullptr) return Status(Fault::io_error, "create", errno);
  const std::string text = last_known_text(last_known);
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size() &&
                       std::fflush(file) == 0 && fsync(fileno(file)) == 0;
  const int error = errno;
  if (std::fclose(file) != 0 || !written) return Status(Fault::io_error, "write", error);
  if (std::rename(fresh.c_str(), name.c_str()) != 0) {
    return Status(Fault::io_error, "rename", errno);
  }
  return Status();
}

void forget_last_known(const std::string& directory, std::uint32_t minor) noexcept {
  unlink(file_name(directory, minor).c_str());
}

}  // namespace replicator::metatool
