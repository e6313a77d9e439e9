#include "daemon/tls_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/log.hpp"
#include "tls/session.hpp"

namespace replicator {

namespace {

constexpr std::size_t file_bytes_max = 256U << 10U;

// Empty `problem`: fine.
std::string read_file(const char* option, const std::string& path, bool secret,
                      std::string& problem) {
  const auto complain = [&](const char* what) {
    problem = std::string(option) + " " + path + ": " + what;
    return std::string();
  };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return complain(std::strerror(errno));
  struct stat info{};
  std::string content;
  std::array<char, 4096> piece{};
  ssize_t got = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? 1 : -1;
  while (got > 0 && content.size() <= file_bytes_max) {
    got = ::read(fd, piece.data(), piece.size());
    if (got > 0) content.append(piece.data(), static_cast<std::size_t>(got));
  }
  ::close(fd);
  if (got != 0) return complain("not a readable file of at most 256 KiB");
  if (secret && (info.st_mode & 077U) != 0) {
    log::warning("{} {}: others than its owner may read it; chmod 600", option, path);
  }
  return content;
}

std::string load_psk(const NetOptions& options, tls::Material& material) {
  std::string problem;
  if (options.tls_psk_identity.empty()) return "tls-psk-file needs tls-psk-identity";
  const std::string file = read_file("tls-psk-file", options.tls_psk_file, true, problem);
  if (!problem.empty()) return problem;
  Result<std::vector<std::byte>> key = tls::find_psk(file, options.tls_psk_identity);
  if (!key) {
    return "tls-psk-file " + options.tls_psk_file + ": " + key.error().where() + " '" +
           options.tls_psk_identity + "'";
  }
  material.psk_identity = options.tls_psk_identity;
  material.psk = std::move(*key);
  return {};
}

std::string load_certificates(const NetOptions& options, tls::Material& material) {
  if (options.tls_certificate.empty() || options.tls_privkey.empty() ||
      options.tls_keyring.empty()) {
    return "tls needs tls-certificate, tls-privkey and tls-keyring, or tls-psk-file and "
           "tls-psk-identity";
  }
  std::string problem;
  material.certificate = read_file("tls-certificate", options.tls_certificate, false, problem);
  if (problem.empty()) {
    material.private_key = read_file("tls-privkey", options.tls_privkey, true, problem);
  }
  if (problem.empty()) {
    material.authorities = read_file("tls-keyring", options.tls_keyring, false, problem);
  }
  return problem;
}

}  // namespace

std::optional<std::string> load_tls(NetOptions& options, const PeerConfig& peer,
                                    const std::string& peer_name) {
  options.tls_context.reset();
  if (!options.tls) return std::nullopt;
  const bool psk = !options.tls_psk_file.empty();
  if (psk && !options.tls_certificate.empty()) {
    return "tls-certificate and tls-psk-file exclude each other";
  }
  tls::Material material;
  std::string problem = psk ? load_psk(options, material) : load_certificates(options, material);
  if (!problem.empty()) return problem;
  if (!peer_name.empty()) material.peer_names.push_back(peer_name);
  material.peer_names.push_back(io::host_text(peer.peer));
  options.tls_context = tls::Context::create(material, problem);
  if (!options.tls_context) return problem;
  return std::nullopt;
}

}  // namespace replicator
