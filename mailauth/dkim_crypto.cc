#include "mailauth/dkim_crypto.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <vector>

#include "mailauth/text.h"

namespace mailzone::mailauth {
namespace {

constexpr std::size_t kEd25519Octets = 32;
// SubjectPublicKeyInfo of 4096 bits has 550 octets with the usual exponent.
constexpr std::size_t kMaxKeyOctets = 2048;

using Context = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;
using Digest = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

const unsigned char* bytes(std::string_view octets) noexcept {
  return reinterpret_cast<const unsigned char*>(octets.data());
}
unsigned char* bytes(std::string& octets) noexcept {
  return reinterpret_cast<unsigned char*>(octets.data());
}

/// OpenSSL keeps its errors per thread; what we do not read must not be found by the next caller.
struct ErrorQueue {
  ~ErrorQueue() { ERR_clear_error(); }
};

tl::unexpected<Error> broken(std::string what) {
  return fail(Errc::internal, "", "OpenSSL: " + std::move(what));
}

EVP_PKEY* readRsa(std::string_view octets) {
  const unsigned char* at = bytes(octets);
  EVP_PKEY* key = d2i_PUBKEY(nullptr, &at, static_cast<long>(octets.size()));
  if (key == nullptr) {
    at = bytes(octets);
    key = d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, static_cast<long>(octets.size()));
  }
  if (key == nullptr) return nullptr;
  if (at != bytes(octets) + octets.size() || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
    EVP_PKEY_free(key);
    return nullptr;
  }
  return key;
}

bool prepareRsa(EVP_PKEY_CTX* context) {
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
         EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1;
}

}  // namespace

std::string sha256(std::string_view octets) {
  std::string hash(32, '\0');
  unsigned length = 0;
  if (EVP_Digest(octets.data(), octets.size(), bytes(hash), &length, EVP_sha256(), nullptr) != 1 || length != 32) {
    throw std::bad_alloc();  // SHA-256 of memory that we hold fails for want of memory only
  }
  return hash;
}

Result<DkimPublicKey> DkimPublicKey::parse(std::string_view keyType, std::string_view octets) {
  const ErrorQueue queue;
  DkimPublicKey out;
  EVP_PKEY* key = nullptr;
  if (keyType == "rsa") {
    if (octets.size() <= kMaxKeyOctets) key = readRsa(octets);
    if (key == nullptr) {
      return fail(Errc::invalidInput, encodeBase64(octets), "p= is not an RSA public key",
                  "publish the base64 of SubjectPublicKeyInfo, without PEM lines");
    }
  } else if (keyType == "ed25519") {
    out.algorithm_ = KeyAlgorithm::ed25519Sha256;
    if (octets.size() == kEd25519Octets) {
      key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes(octets), octets.size());
    }
    if (key == nullptr) {
      return fail(Errc::invalidInput, encodeBase64(octets), "an ed25519 key has 32 octets (RFC 8463 section 4.2)",
                  "strip the first 12 octets of what openssl pkey -pubout prints");
    }
  } else {
    return fail(Errc::invalidInput, keyType, "unknown key type", "k= is rsa or ed25519");
  }
  out.key_ = std::shared_ptr<void>(key, [](void* held) { EVP_PKEY_free(static_cast<EVP_PKEY*>(held)); });
  out.bits_ = static_cast<unsigned>(EVP_PKEY_get_bits(key));
  if (keyType == "rsa" && (out.bits_ < kMinRsaBits || out.bits_ > kMaxRsaBits)) {
    return fail(Errc::limitExceeded, fmt::format("{} bits", out.bits_),
                "an RSA key has 1024 to 4096 bits (RFC 8301 section 3.2)");
  }
  return out;
}

bool DkimPublicKey::verifies(std::string_view hash, std::string_view signature) const {
  const ErrorQueue queue;
  auto* key = static_cast<EVP_PKEY*>(key_.get());
  if (algorithm_ == KeyAlgorithm::ed25519Sha256) {
    const Digest digest(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    return digest && EVP_DigestVerifyInit(digest.get(), nullptr, nullptr, nullptr, key) == 1 &&
           EVP_DigestVerify(digest.get(), bytes(signature), signature.size(), bytes(hash), hash.size()) == 1;
  }
  const Context context(EVP_PKEY_CTX_new(key, nullptr), &EVP_PKEY_CTX_free);
  return context && EVP_PKEY_verify_init(context.get()) == 1 && prepareRsa(context.get()) &&
         EVP_PKEY_verify(context.get(), bytes(signature), signature.size(), bytes(hash), hash.size()) == 1;
}

void DkimPrivateKey::Free::operator()(void* key) const noexcept {
  EVP_PKEY_free(static_cast<EVP_PKEY*>(key));
}

Result<DkimPrivateKey> DkimPrivateKey::fromPem(const Secret& pem) {
  const ErrorQueue queue;
  const auto text = pem.reveal();
  const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(std::min<std::size_t>(text.size(), 65536))), &BIO_free);
  // Without a callback OpenSSL would ask for the pass phrase on the terminal.
  const auto noPhrase = [](char*, int, int, void*) { return -1; };
  DkimPrivateKey out;
  out.key_.reset(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, noPhrase, nullptr) : nullptr);
  auto* key = static_cast<EVP_PKEY*>(out.key_.get());
  const int type = key == nullptr ? EVP_PKEY_NONE : EVP_PKEY_get_base_id(key);
  if (type == EVP_PKEY_ED25519) {
    out.algorithm_ = KeyAlgorithm::ed25519Sha256;
  } else if (type != EVP_PKEY_RSA) {
    return fail(Errc::invalidInput, "", "not the PEM of an RSA or Ed25519 private key without a pass phrase");
  } else if (EVP_PKEY_get_bits(key) < static_cast<int>(kMinRsaBits)) {
    return fail(Errc::invalidInput, fmt::format("{} bits", EVP_PKEY_get_bits(key)),
                "an RSA key that signs has 1024 bits or more (RFC 8301 section 3.2)");
  }
  return out;
}

Result<DkimPrivateKey> DkimPrivateKey::fromEd25519Seed(const Secret& seed) {
  const ErrorQueue queue;
  const auto octets = seed.reveal();
  DkimPrivateKey out;
  out.algorithm_ = KeyAlgorithm::ed25519Sha256;
  if (octets.size() == kEd25519Octets) {
    out.key_.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytes(octets), octets.size()));
  }
  if (!out.key_) return fail(Errc::invalidInput, "", "the seed of an Ed25519 key has 32 octets");
  return out;
}

Result<PublicKey> DkimPrivateKey::publicKey() const {
  const ErrorQueue queue;
  auto* key = static_cast<EVP_PKEY*>(key_.get());
  std::string octets;
  if (algorithm_ == KeyAlgorithm::ed25519Sha256) {
    std::size_t size = kEd25519Octets;
    octets.resize(size);
    if (EVP_PKEY_get_raw_public_key(key, bytes(octets), &size) != 1) return broken("public key");
  } else {
    const int size = i2d_PUBKEY(key, nullptr);
    if (size <= 0) return broken("i2d_PUBKEY");
    octets.resize(static_cast<std::size_t>(size));
    unsigned char* at = bytes(octets);
    i2d_PUBKEY(key, &at);
  }
  return PublicKey{algorithm_, encodeBase64(octets)};
}

Result<std::string> DkimPrivateKey::sign(std::string_view hash) const {
  const ErrorQueue queue;
  auto* key = static_cast<EVP_PKEY*>(key_.get());
  std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(key));
  std::string signature(size, '\0');
  if (algorithm_ == KeyAlgorithm::ed25519Sha256) {
    const Digest digest(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    if (!digest || EVP_DigestSignInit(digest.get(), nullptr, nullptr, nullptr, key) != 1 ||
        EVP_DigestSign(digest.get(), bytes(signature), &size, bytes(hash), hash.size()) != 1) {
      return broken("Ed25519 signature");
    }
  } else {
    const Context context(EVP_PKEY_CTX_new(key, nullptr), &EVP_PKEY_CTX_free);
    if (!context || EVP_PKEY_sign_init(context.get()) != 1 || !prepareRsa(context.get()) ||
        EVP_PKEY_sign(context.get(), bytes(signature), &size, bytes(hash), hash.size()) != 1) {
      return broken("RSA signature");
    }
  }
  signature.resize(size);
  return signature;
}

}  // namespace mailzone::mailauth
