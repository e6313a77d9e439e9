// Log lines as heartbeat writes them, for the eyes and the scripts that know them.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "ha/membership/diagnostic.hpp"

namespace ha::daemon {

// "ERROR: ", "WARN: ", "info: "; nothing before a text that brings its own ("CRIT: …").
std::string with_level(membership::Severity severity, std::string_view text);
// "Apr 22 08:42:45 node1 heartbeat: [4979]: info: Link node2:eth0 up."
std::string log_line(const std::string& when, const std::string& node, int pid,
                     std::string_view text);

// What a script said, in one line.
std::string one_line(std::string_view output);

class Log {
 public:
  // Opens what is named; empty or "none": not there. False with errno when a file can't be opened.
  bool open(const std::string& node, const std::string& file, const std::string& debug_file,
            const std::string& facility, bool to_stderr);
  void write(membership::Severity severity, std::string_view text);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, Close>;
  std::string node_;
  File file_;
  File debug_file_;
  bool syslog_ = false;
  bool to_stderr_ = false;
};

}  // namespace ha::daemon
