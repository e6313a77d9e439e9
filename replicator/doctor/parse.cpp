#include "doctor/parse.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <charconv>
#include <cstring>

namespace replicator::doctor {

namespace {

std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

std::string_view next_word(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
  const std::size_t end = std::min(line.find(' ', begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

template <class Number>
bool read_number(std::string_view word, Number& number, int base) {
  const char* const end = word.data() + word.size();
  const auto [stopped, error] = std::from_chars(word.data(), end, number, base);
  return error == std::errc() && stopped == end && !word.empty();
}

// Words of 32 bits, each as the machine has it in memory.
bool read_ip(std::string_view digits, bool six, std::string& ip) {
  std::array<std::uint32_t, 4> words{};
  const std::size_t count = six ? 4 : 1;
  if (digits.size() != count * 8) return false;
  for (std::size_t i = 0; i < count; ++i) {
    if (!read_number(digits.substr(i * 8, 8), words[i], 16)) return false;
  }
  char text[INET6_ADDRSTRLEN] = "";
  if (inet_ntop(six ? AF_INET6 : AF_INET, words.data(), text, sizeof text) == nullptr) return false;
  ip = text;
  return true;
}

// "  0: 0100007F:1E6D 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 …"
bool read_listener(std::string_view line, bool six, Listener& listener) {
  constexpr std::string_view listening = "0A";
  next_word(line);
  const std::string_view local = next_word(line);
  next_word(line);
  if (next_word(line) != listening) return false;
  for (int skipped = 0; skipped < 5; ++skipped)
    next_word(line);
  const std::size_t colon = local.find(':');
  return colon != std::string_view::npos && read_ip(local.substr(0, colon), six, listener.ip) &&
         read_number(local.substr(colon + 1), listener.port, 16) &&
         read_number(next_word(line), listener.inode, 10);
}

}  // namespace

bool lists_module(std::string_view file, std::string_view name) {
  const std::string wanted = "/" + std::string(name) + ".ko";
  while (!file.empty()) {
    const std::string_view line = next_line(file);
    // Behind the colon is what a module needs.
    if (line.substr(0, line.find(':')).find(wanted) != std::string_view::npos) return true;
  }
  return false;
}

std::vector<Listener> parse_listeners(std::string_view file, bool six) {
  std::vector<Listener> listeners;
  while (!file.empty()) {
    Listener listener;
    if (read_listener(next_line(file), six, listener)) listeners.push_back(std::move(listener));
  }
  return listeners;
}

bool takes(const Listener& listener, std::string_view ip, std::uint16_t port) {
  const bool six = ip.find(':') != std::string_view::npos;
  // All of version 6 is usually all of version 4 as well.
  const bool all = listener.ip == "::" || (!six && listener.ip == "0.0.0.0");
  return listener.port == port && (all || listener.ip == ip);
}

std::uint64_t locked_kib(std::string_view status) {
  constexpr std::string_view key = "VmLck:";
  while (!status.empty()) {
    std::string_view line = next_line(status);
    if (!line.starts_with(key)) continue;
    line.remove_prefix(std::min(line.find_first_of("0123456789"), line.size()));
    std::uint64_t kib = 0;
    return read_number(next_word(line), kib, 10) ? kib : 0;
  }
  return 0;
}

bool is_io_flusher(std::string_view stat) {
  constexpr std::uint64_t no_io = 0x00080000;
  constexpr std::uint64_t local_throttle = 0x00100000;
  // The name of the command, in brackets, may hold anything.
  const std::size_t bracket = stat.rfind(')');
  if (bracket == std::string_view::npos) return false;
  std::string_view rest = stat.substr(bracket + 1);
  for (int skipped = 0; skipped < 6; ++skipped)
    next_word(rest);
  std::uint64_t flags = 0;
  constexpr std::uint64_t both = no_io | local_throttle;
  return read_number(next_word(rest), flags, 10) && (flags & both) == both;
}

}  // namespace replicator::doctor
