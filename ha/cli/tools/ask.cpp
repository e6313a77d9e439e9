#include "ha/cli/tools/ask.hpp"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <utility>

#include "control/client.hpp"
#include "ha/daemon/paths.hpp"

namespace ha::cli {

namespace control = replicator::control;

namespace {

constexpr std::uint32_t patience_ms = 60'000;
// Beyond that a text does not fit in a line of the control socket, quoted as it is there.
constexpr std::size_t short_text = 16U << 10U;

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = write(fd, text.data(), text.size());
    if (done <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

}  // namespace

Said ask(control::Request request) {
  const std::string path = std::string(daemon::default_run_folder) + "/control.sock";
  const auto reply = control::Client(path).call(request, patience_ms);
  if (!reply) return {not_connected, {}, "Transport endpoint is not connected"};
  Said said;
  said.code = reply->code;
  said.text = control::data_text(*reply, "text");
  for (const std::string& line : reply->info)
    said.error += (said.error.empty() ? "" : "\n") + line;
  return said;
}

Said ask_with_text(control::Request request, const std::string& text) {
  if (text.size() <= short_text) {
    request.options["xml"] = text;
    return ask(std::move(request));
  }
  const std::string name = "request-" + std::to_string(getpid());
  const std::string path = std::string(daemon::default_run_folder) + "/" + name;
  unlink(path.c_str());
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return {not_connected, {}, "Transport endpoint is not connected"};
  const bool written = write_all(fd, text);
  close(fd);
  request.options["file"] = name;
  Said said = written ? ask(std::move(request)) : Said{1, {}, "No space left on device"};
  unlink(path.c_str());
  return said;
}

std::string own_node() {
  utsname name{};
  if (uname(&name) != 0) return {};
  std::string node = name.nodename;
  for (char& c : node)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return node;
}

}  // namespace ha::cli
