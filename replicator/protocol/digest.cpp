#include "protocol/digest.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string>

namespace replicator {

namespace {

const EVP_MD* find_digest(std::string_view name) {
  if (name.starts_with("hmac(") && name.ends_with(")")) name = name.substr(5, name.size() - 6);
  if (name != "md5" && name != "sha1" && name != "sha256" && name != "sha384" && name != "sha512") {
    return nullptr;
  }
  return EVP_get_digestbyname(std::string(name).c_str());
}

}  // namespace

bool digest_known(std::string_view name) { return find_digest(name) != nullptr; }

Result<std::size_t> hmac(std::string_view digest, std::string_view secret, ConstBytes message,
                         Bytes out) {
  const EVP_MD* algorithm = find_digest(digest);
  if (algorithm == nullptr) return failure(Fault::unsupported, "unknown digest");
  ensure(out.size() >= static_cast<std::size_t>(EVP_MD_get_size(algorithm)));
  unsigned length = 0;
  const auto* data = reinterpret_cast<const unsigned char*>(message.data());
  auto* result = reinterpret_cast<unsigned char*>(out.data());
  if (HMAC(algorithm, secret.data(), static_cast<int>(secret.size()), data, message.size(), result,
           &length) == nullptr) {
    return failure(Fault::unsupported, "digest not available");
  }
  return std::size_t{length};
}

bool equal_constant_time(ConstBytes a, ConstBytes b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace replicator
