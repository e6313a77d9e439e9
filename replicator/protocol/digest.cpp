#include "protocol/digest.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <string>

#include "base/crc32c.hpp"
#include "protocol/header.hpp"

namespace replicator {

namespace {

const EVP_MD* find_digest(std::string_view name) {
  if (name.starts_with("hmac(") && name.ends_with(")")) name = name.substr(5, name.size() - 6);
  if (name != "md5" && name != "sha1" && name != "sha256" && name != "sha384" && name != "sha512") {
    return nullptr;
  }
  return EVP_get_digestbyname(std::string(name).c_str());
}

// The kernel's names of what OpenSSL calls otherwise.
struct Spelling {
  std::string_view kernel;
  const char* openssl;
};
constexpr std::array spellings{Spelling{"md5", "MD5"},
                               Spelling{"sha1", "SHA1"},
                               Spelling{"sha224", "SHA224"},
                               Spelling{"sha256", "SHA256"},
                               Spelling{"sha384", "SHA384"},
                               Spelling{"sha512", "SHA512"},
                               Spelling{"sha3-224", "SHA3-224"},
                               Spelling{"sha3-256", "SHA3-256"},
                               Spelling{"sha3-384", "SHA3-384"},
                               Spelling{"sha3-512", "SHA3-512"},
                               Spelling{"sm3", "SM3"},
                               Spelling{"rmd160", "RIPEMD160"},
                               Spelling{"blake2b-512", "BLAKE2B512"}};

constexpr std::string_view checksum_crc32c = "crc32c";
constexpr std::string_view checksum_crc32 = "crc32";
constexpr std::size_t checksum_bytes = 4;

const char* openssl_name(std::string_view name) noexcept {
  for (const Spelling& spelling : spellings) {
    if (spelling.kernel == name) return spelling.openssl;
  }
  return nullptr;
}

struct FreeDigest {
  void operator()(EVP_MD* digest) const noexcept { EVP_MD_free(digest); }
};
struct FreeContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

}  // namespace

struct BlockDigest::Context {
  std::unique_ptr<EVP_MD, FreeDigest> digest;
  std::unique_ptr<EVP_MD_CTX, FreeContext> state;
};

BlockDigest::BlockDigest() noexcept = default;
BlockDigest::BlockDigest(BlockDigest&& other) noexcept = default;
BlockDigest& BlockDigest::operator=(BlockDigest&& other) noexcept = default;
BlockDigest::~BlockDigest() = default;

bool BlockDigest::known(std::string_view name) { return make(name).has_value(); }

Result<BlockDigest> BlockDigest::make(std::string_view name) {
  BlockDigest made;
  if (name.empty()) return made;
  made.name_ = name;
  if (name == checksum_crc32c || name == checksum_crc32) {
    made.bytes_ = checksum_bytes;
    return made;
  }
  const char* wanted = openssl_name(name);
  if (wanted == nullptr) return failure(Fault::unsupported, "unknown digest");
  made.context_ = std::make_unique<Context>();
  made.context_->digest.reset(EVP_MD_fetch(nullptr, wanted, nullptr));
  made.context_->state.reset(EVP_MD_CTX_new());
  const EVP_MD* digest = made.context_->digest.get();
  EVP_MD_CTX* state = made.context_->state.get();
  if (digest == nullptr || state == nullptr || EVP_DigestInit_ex2(state, digest, nullptr) != 1) {
    return failure(Fault::unsupported, "digest not available");
  }
  made.bytes_ = static_cast<std::size_t>(EVP_MD_get_size(digest));
  ensure(made.bytes_ > 0 && made.bytes_ <= digest_bytes_max);
  return made;
}

void BlockDigest::compute(ConstBytes data, Bytes out) const noexcept {
  ensure(bytes_ != 0 && out.size() >= bytes_);
  if (!context_) {
    // The kernel stores a checksum in the order of x86, whatever the machine.
    write_native(out, 0, name_ == checksum_crc32c ? crc32c(data) : crc32_plain(data));
    return;
  }
  EVP_MD_CTX* state = context_->state.get();
  auto* result = reinterpret_cast<unsigned char*>(out.data());
  unsigned length = 0;
  const bool done = EVP_DigestInit_ex2(state, context_->digest.get(), nullptr) == 1 &&
                    EVP_DigestUpdate(state, data.data(), data.size()) == 1 &&
                    EVP_DigestFinal_ex(state, result, &length) == 1;
  ensure(done && length == bytes_);
}

bool BlockDigest::matches(ConstBytes data, ConstBytes digest) const noexcept {
  if (digest.size() != bytes_) return false;
  std::array<std::byte, digest_bytes_max> mine{};
  compute(data, mine);
  return std::memcmp(mine.data(), digest.data(), bytes_) == 0;
}

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
