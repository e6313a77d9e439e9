#include "tls/session.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace replicator::tls {

namespace {

// What TLS adds to a record, and what an answer of the protocol itself may need in between.
constexpr std::size_t record_overhead = 256;
constexpr std::size_t reserve = 4096;
// A server that verifies takes no key whose session bears another one.
constexpr unsigned char session_context[] = {'p', 'o', 'l', 'l', 'u', 'x'};
// A key of AES-GCM is good for some 2^24 records (RFC 8446, 5.5); a new one costs next to nothing.
constexpr std::uint32_t records_per_key = 1U << 16U;
// Certificate chains of the handshake travel through the same buffer.
constexpr std::size_t output_bytes =
    Session::write_bytes_max + 8 * record_overhead + reserve + (64U << 10U);

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
using ContextPointer = std::unique_ptr<SSL_CTX, Deleter<&SSL_CTX_free>>;
using SslPointer = std::unique_ptr<SSL, Deleter<&SSL_free>>;
using BioPointer = std::unique_ptr<BIO, Deleter<&BIO_free>>;
using CertificatePointer = std::unique_ptr<X509, Deleter<&X509_free>>;
using KeyPointer = std::unique_ptr<EVP_PKEY, Deleter<&EVP_PKEY_free>>;
using MethodPointer = std::unique_ptr<BIO_METHOD, Deleter<&BIO_meth_free>>;

std::string openssl_text() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "unknown error" : reason;
}

BioPointer text_bio(const std::string& text) {
  return BioPointer(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// A key with a pass phrase is not asked for one: nobody sits in front of a daemon.
int no_pass_phrase(char*, int, int, void*) { return 0; }

bool use_certificate(SSL_CTX* context, const std::string& pem) {
  const BioPointer bio = text_bio(pem);
  CertificatePointer leaf(PEM_read_bio_X509(bio.get(), nullptr, &no_pass_phrase, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) return false;
  for (;;) {
    CertificatePointer next(PEM_read_bio_X509(bio.get(), nullptr, &no_pass_phrase, nullptr));
    if (!next) break;
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) return false;
  }
  ERR_clear_error();  // the end of the text
  return true;
}

bool use_private_key(SSL_CTX* context, const std::string& pem) {
  const BioPointer bio = text_bio(pem);
  const KeyPointer key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_pass_phrase, nullptr));
  return key && SSL_CTX_use_PrivateKey(context, key.get()) == 1;
}

std::size_t add_authorities(SSL_CTX* context, const std::string& pem) {
  const BioPointer bio = text_bio(pem);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  std::size_t count = 0;
  for (;;) {
    CertificatePointer one(PEM_read_bio_X509(bio.get(), nullptr, &no_pass_phrase, nullptr));
    if (!one) break;
    if (X509_STORE_add_cert(store, one.get()) == 1) ++count;
  }
  ERR_clear_error();
  return count;
}

bool bears_name(X509* certificate, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    if (X509_check_ip_asc(certificate, name.c_str(), 0) == 1) return true;
    ERR_clear_error();
    return X509_check_host(certificate, name.data(), name.size(), 0, nullptr) == 1;
  });
}

}  // namespace

struct Context::Impl {
  Material material;
  ContextPointer context;

  static Impl& of(SSL* ssl) {
    return *static_cast<Impl*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  }
  SSL_SESSION* psk_session(SSL* ssl) const {
    static constexpr unsigned char aes_128_gcm_sha256[] = {0x13, 0x01};
    const SSL_CIPHER* cipher = SSL_CIPHER_find(ssl, aes_128_gcm_sha256);
    SSL_SESSION* session = SSL_SESSION_new();
    if (cipher == nullptr || session == nullptr ||
        SSL_SESSION_set1_master_key(session,
                                    reinterpret_cast<const unsigned char*>(material.psk.data()),
                                    material.psk.size()) != 1 ||
        SSL_SESSION_set1_id_context(session, session_context, sizeof session_context) != 1 ||
        SSL_SESSION_set_cipher(session, cipher) != 1 ||
        SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1) {
      SSL_SESSION_free(session);
      return nullptr;
    }
    return session;
  }
  static int offer_psk(SSL* ssl, const EVP_MD* digest, const unsigned char** identity,
                       std::size_t* length, SSL_SESSION** session) {
    const Impl& self = of(ssl);
    *session = nullptr;
    if (digest != nullptr && EVP_MD_get_type(digest) != NID_sha256) return 1;
    *session = self.psk_session(ssl);
    *identity = reinterpret_cast<const unsigned char*>(self.material.psk_identity.data());
    *length = self.material.psk_identity.size();
    return *session != nullptr ? 1 : 0;
  }
  static int find_psk_session(SSL* ssl, const unsigned char* identity, std::size_t length,
                              SSL_SESSION** session) {
    const Impl& self = of(ssl);
    const std::string& mine = self.material.psk_identity;
    *session = nullptr;
    if (length != mine.size() || std::memcmp(identity, mine.data(), length) != 0) return 1;
    *session = self.psk_session(ssl);
    return *session != nullptr ? 1 : 0;
  }
  // The chain, as usual, and the name: a certificate of the same authority for another machine does
  // not do. Judged here, so that the peer is told by an alert.
  static int verify_peer(X509_STORE_CTX* store, void* argument) {
    const Impl& self = *static_cast<const Impl*>(argument);
    if (X509_verify_cert(store) != 1) return 0;
    if (bears_name(X509_STORE_CTX_get0_cert(store), self.material.peer_names)) return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
    return 0;
  }
  std::string prepare();
  std::string prepare_psk();
  std::string prepare_certificates();
};

Context::~Context() = default;

std::string Context::Impl::prepare_psk() {
  if (!material.certificate.empty()) return "a certificate and a pre-shared key at once";
  if (material.psk.empty()) return "no pre-shared key";
  SSL_CTX_set_psk_use_session_callback(context.get(), &offer_psk);
  SSL_CTX_set_psk_find_session_callback(context.get(), &find_psk_session);
  // Without the key there is nothing else to get in with: no certificate is ours, and none of the
  // peer's would be accepted.
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return {};
}

std::string Context::Impl::prepare_certificates() {
  SSL_CTX* ctx = context.get();
  if (!use_certificate(ctx, material.certificate)) return "tls-certificate: " + openssl_text();
  if (!use_private_key(ctx, material.private_key)) return "tls-privkey: " + openssl_text();
  if (SSL_CTX_check_private_key(ctx) != 1) {
    ERR_clear_error();
    return "tls-privkey does not belong to tls-certificate";
  }
  if (add_authorities(ctx, material.authorities) == 0) return "tls-keyring: no certificate in it";
  if (material.peer_names.empty()) return "no name that the peer's certificate could bear";
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(ctx, &verify_peer, this);
  return {};
}

std::string Context::Impl::prepare() {
  context.reset(SSL_CTX_new(TLS_method()));
  if (!context) return openssl_text();
  SSL_CTX* ctx = context.get();
  SSL_CTX_set_app_data(ctx, this);
  // Session tickets and early data would be a second way in, and replayable.
  if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_session_id_context(ctx, session_context, sizeof session_context) != 1 ||
      SSL_CTX_set_num_tickets(ctx, 0) != 1 || SSL_CTX_set_max_early_data(ctx, 0) != 1 ||
      SSL_CTX_set_ciphersuites(ctx,
                               "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                               "TLS_CHACHA20_POLY1305_SHA256") != 1) {
    return openssl_text();
  }
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  return material.uses_psk() ? prepare_psk() : prepare_certificates();
}

struct Session::Impl {
  std::shared_ptr<const Context> context;
  std::vector<std::byte> input = std::vector<std::byte>(input_bytes);
  std::size_t input_begin = 0;
  std::size_t input_end = 0;
  std::vector<std::byte> filling = std::vector<std::byte>(output_bytes);
  std::vector<std::byte> lent = std::vector<std::byte>(output_bytes);
  std::size_t filled = 0;
  std::uint32_t records = 0;  // under the present key of ours
  std::string problem;
  SslPointer ssl;

  static Impl& of(BIO* bio) { return *static_cast<Impl*>(BIO_get_data(bio)); }
  static int bio_write(BIO* bio, const char* data, std::size_t count, std::size_t* written) {
    Impl& self = of(bio);
    BIO_clear_retry_flags(bio);
    if (count > self.filling.size() - self.filled) return 0;  // more than a round ever needs
    std::memcpy(self.filling.data() + self.filled, data, count);
    self.filled += count;
    *written = count;
    return 1;
  }
  static int bio_read(BIO* bio, char* into, std::size_t room, std::size_t* count) {
    Impl& self = of(bio);
    BIO_clear_retry_flags(bio);
    *count = std::min(room, self.input_end - self.input_begin);
    if (*count == 0) {
      BIO_set_retry_read(bio);
      return 0;
    }
    std::memcpy(into, self.input.data() + self.input_begin, *count);
    self.input_begin += *count;
    return 1;
  }
  static long bio_control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }
  static const BIO_METHOD* bio_method() {
    static const MethodPointer method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "replicator");
      ensure(made != nullptr);
      BIO_meth_set_write_ex(made, &bio_write);
      BIO_meth_set_read_ex(made, &bio_read);
      BIO_meth_set_ctrl(made, &bio_control);
      return MethodPointer(made);
    }();
    return method.get();
  }
  Step fail(std::string text) {
    if (problem.empty()) problem = std::move(text);
    ERR_clear_error();
    return Step::failed;
  }
  Step outcome(int result);
  std::string verdict_on_peer() const;
};

std::shared_ptr<const Context> Context::create(const Material& material, std::string& problem) {
  std::shared_ptr<Context> made(new Context());
  made->impl_ = std::make_unique<Impl>();
  Impl& impl = *made->impl_;
  impl.material = material;
  problem = impl.prepare();
  return problem.empty() ? made : nullptr;
}

Session::Session(std::shared_ptr<const Context> context, Side side)
    : impl_(std::make_unique<Impl>()) {
  Impl& impl = *impl_;
  impl.context = std::move(context);
  impl.ssl.reset(SSL_new(impl.context->impl_->context.get()));
  BIO* bio = BIO_new(Impl::bio_method());
  ensure(impl.ssl && bio != nullptr);
  BIO_set_data(bio, &impl);
  BIO_set_init(bio, 1);
  SSL_set_bio(impl.ssl.get(), bio, bio);
  if (side == Side::client) SSL_set_connect_state(impl.ssl.get());
  else SSL_set_accept_state(impl.ssl.get());
}

Session::~Session() = default;

std::string Session::Impl::verdict_on_peer() const {
  const long verdict = SSL_get_verify_result(ssl.get());
  if (verdict == X509_V_OK) return {};
  return std::string("the peer's certificate: ") + X509_verify_cert_error_string(verdict);
}

Session::Step Session::Impl::outcome(int result) {
  switch (SSL_get_error(ssl.get(), result)) {
    case SSL_ERROR_WANT_READ: ERR_clear_error(); return Step::needs_more;
    case SSL_ERROR_ZERO_RETURN: ERR_clear_error(); return Step::closed;
    default: break;
  }
  const std::string verdict = verdict_on_peer();
  return fail(verdict.empty() ? openssl_text() : verdict);
}

Session::Step Session::handshake() {
  Impl& impl = *impl_;
  if (!impl.problem.empty()) return Step::failed;
  const int result = SSL_do_handshake(impl.ssl.get());
  if (result != 1) return impl.outcome(result);
  if (SSL_version(impl.ssl.get()) != TLS1_3_VERSION) return impl.fail("not TLS 1.3");
  const bool psk = impl.context->impl_->material.uses_psk();
  const bool proven = psk ? SSL_session_reused(impl.ssl.get()) == 1
                          : SSL_get0_peer_certificate(impl.ssl.get()) != nullptr &&
                                SSL_get_verify_result(impl.ssl.get()) == X509_V_OK;
  return proven ? Step::done : impl.fail("the peer has not proven who it is");
}

Session::Step Session::read(Bytes into, std::size_t& count) {
  Impl& impl = *impl_;
  if (!impl.problem.empty()) return Step::failed;
  count = 0;
  while (count < into.size()) {
    std::size_t more = 0;
    const int result = SSL_read_ex(impl.ssl.get(), into.data() + count, into.size() - count, &more);
    if (result == 1) {
      count += more;
      continue;
    }
    if (count != 0) {
      // The same answer comes again with the next call.
      ERR_clear_error();
      break;
    }
    return impl.outcome(result);
  }
  return Step::done;
}

bool Session::write(ConstBytes plain, std::size_t& count) {
  Impl& impl = *impl_;
  count = 0;
  if (!impl.problem.empty()) return false;
  const std::size_t most = std::min(plain.size(), write_room());
  while (count < most) {
    if (++impl.records > records_per_key) {
      impl.records = 1;
      if (SSL_key_update(impl.ssl.get(), SSL_KEY_UPDATE_NOT_REQUESTED) != 1) {
        impl.fail(openssl_text());
        return false;
      }
    }
    std::size_t moved = 0;
    const std::size_t piece = std::min(most - count, record_bytes_max);
    const int result = SSL_write_ex(impl.ssl.get(), plain.data() + count, piece, &moved);
    if (result != 1) {
      impl.outcome(result);
      impl.fail("write");
      return false;
    }
    count += moved;
  }
  return true;
}

// Short pieces make short records, of which each has the overhead.
std::size_t Session::write_room() const noexcept {
  const std::size_t taken = impl_->filled + reserve + 2 * record_overhead;
  if (taken >= write_bytes_max) return 0;
  return (write_bytes_max - taken) / (record_bytes_max + record_overhead) * record_bytes_max;
}

Bytes Session::input_room() noexcept {
  Impl& impl = *impl_;
  if (impl.input_begin != 0) {
    std::memmove(impl.input.data(), impl.input.data() + impl.input_begin,
                 impl.input_end - impl.input_begin);
    impl.input_end -= impl.input_begin;
    impl.input_begin = 0;
  }
  return Bytes(impl.input).subspan(impl.input_end);
}

void Session::received(std::size_t count) noexcept {
  ensure(count <= impl_->input.size() - impl_->input_end);
  impl_->input_end += count;
}

bool Session::has_output() const noexcept { return impl_->filled != 0; }

ConstBytes Session::take_output() noexcept {
  std::swap(impl_->filling, impl_->lent);
  const std::size_t count = std::exchange(impl_->filled, 0);
  return ConstBytes(impl_->lent).first(count);
}

const std::string& Session::problem() const noexcept { return impl_->problem; }

std::string Session::description() const {
  return std::string(SSL_get_version(impl_->ssl.get())) + " " +
         SSL_get_cipher_name(impl_->ssl.get());
}

}  // namespace replicator::tls
