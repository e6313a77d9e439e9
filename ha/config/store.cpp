#include "ha/config/store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "ha/config/cib.hpp"
#include "ha/config/md5.hpp"
#include "ha/config/xml.hpp"

namespace ha::config {
namespace {

using replicator::failure;
using replicator::Fault;
using replicator::Status;

constexpr std::string_view sum_begins = "<!-- md5 ";
constexpr std::string_view sum_ends = " -->\n";
constexpr std::size_t sum_digits = 32;

std::optional<std::string> read_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::string content;
  char buffer[65536];
  ssize_t got = 0;
  while (content.size() <= max_xml_bytes && (got = read(fd, buffer, sizeof buffer)) > 0)
    content.append(buffer, static_cast<std::size_t>(got));
  close(fd);
  if (got < 0) return std::nullopt;
  return content;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = write(fd, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

bool sync_folder(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = fsync(fd) == 0;
  close(fd);
  return synced;
}

std::string kept_name(const std::string& folder, int number) {
  return folder + "/cib-" + std::to_string(number) + ".xml";
}

void make_folders(const std::string& folder) {
  for (std::size_t end = folder.find('/', 1);; end = folder.find('/', end + 1)) {
    mkdir(folder.substr(0, end).c_str(), end == std::string::npos ? 0750 : 0755);
    if (end == std::string::npos) return;
  }
}

// The present file gets one of ten further names, by its version, so that none is copied.
void keep_present(const std::string& folder) {
  const std::string present = folder + "/cib.xml";
  const auto text = read_file(present);
  if (!text) return;
  const replicator::Result<Element> root = parse_stored(*text);
  if (!root) return;
  const Version version = Cib(*root).version();
  const std::string name =
      kept_name(folder, static_cast<int>(static_cast<std::uint64_t>(version.epoch) %
                                         static_cast<std::uint64_t>(kept_configurations)));
  unlink(name.c_str());
  // Without it only the way back is missing.
  if (link(present.c_str(), name.c_str()) != 0) return;
}

}  // namespace

std::string stored_text(const Element& root) {
  Element bare = root;
  bare.child_or_new("status").children.clear();
  std::string text = format_xml(bare);
  text += std::string(sum_begins) + md5(text) + std::string(sum_ends);
  return text;
}

replicator::Result<Element> parse_stored(std::string_view text) {
  const std::size_t length = sum_begins.size() + sum_digits + sum_ends.size();
  const std::size_t at = text.rfind(sum_begins);
  if (at != text.npos) {
    const std::string_view body = text.substr(0, at);
    const std::string_view sum = text.substr(at).substr(sum_begins.size()).substr(0, sum_digits);
    if (text.size() - at != length || sum != md5(body))
      return failure(Fault::malformed, "its checksum is wrong");
    text = body;
  }
  replicator::Result<Cib> cib = Cib::parse(text);
  if (!cib) return tl::unexpected(cib.error());
  cib->root().child_or_new("configuration");
  cib->root().child_or_new("status").children.clear();
  return std::move(cib->root());
}

LoadedCib load_cib(const std::string& folder) {
  LoadedCib loaded;
  const std::string present = folder + "/cib.xml";
  if (const auto text = read_file(present)) {
    replicator::Result<Element> root = parse_stored(*text);
    if (root) {
      loaded.root = std::move(*root);
      return loaded;
    }
    loaded.remarks.push_back(present + " can't be used: " + root.error().where());
  }
  Version newest;
  std::string from;
  for (int number = 0; number < kept_configurations; ++number) {
    const std::string name = kept_name(folder, number);
    const auto text = read_file(name);
    if (!text) continue;
    replicator::Result<Element> root = parse_stored(*text);
    if (!root) {
      loaded.remarks.push_back(name + " can't be used: " + root.error().where());
      continue;
    }
    const Version version = Cib(*root).version();
    if (loaded.root && version <= newest) continue;
    newest = version;
    from = name;
    loaded.root = std::move(*root);
  }
  if (loaded.root) loaded.remarks.push_back("the configuration is that of " + from);
  return loaded;
}

Status store_cib(const std::string& folder, const std::string& text) {
  make_folders(folder);
  const std::string fresh = folder + "/cib.new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return Status(Fault::io_error, "configuration", errno);
  const bool written = write_all(fd, text) && fsync(fd) == 0;
  const int error = written ? 0 : errno;
  close(fd);
  if (!written) {
    unlink(fresh.c_str());
    return Status(error == ENOSPC ? Fault::no_space : Fault::io_error, "configuration", error);
  }
  keep_present(folder);
  if (rename(fresh.c_str(), (folder + "/cib.xml").c_str()) != 0 || !sync_folder(folder))
    return Status(Fault::io_error, "configuration", errno);
  return Status();
}

}  // namespace ha::config
