// Keys and digests of DKIM over OpenSSL's EVP. Nothing here knows messages or DNS.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/model.h"
#include "core/result.h"
#include "core/secret.h"

namespace mailzone::mailauth {

/// SHA-256, 32 octets.
[[nodiscard]] std::string sha256(std::string_view octets);

/// Verifiers handle 1024 to 4096 bits; less is not valid (RFC 8301 section 3.2).
inline constexpr unsigned kMinRsaBits = 1024;
inline constexpr unsigned kMaxRsaBits = 4096;

/// The public half of a key, checked. Copyable, thread-safe.
class DkimPublicKey {
 public:
  /// `octets` is p= decoded: SubjectPublicKeyInfo or RSAPublicKey for "rsa" (erratum 3017 of RFC 6376), 32 octets for
  /// "ed25519". Errors: not such a key, or an RSA key outside 1024 to 4096 bits.
  [[nodiscard]] static Result<DkimPublicKey> parse(std::string_view keyType, std::string_view octets);
  [[nodiscard]] KeyAlgorithm algorithm() const noexcept { return algorithm_; }
  [[nodiscard]] unsigned bits() const noexcept { return bits_; }
  /// Whether `signature` is that of the SHA-256 digest `hash` (RFC 8017 section 8.2.2; RFC 8463 section 3).
  [[nodiscard]] bool verifies(std::string_view hash, std::string_view signature) const;

 private:
  DkimPublicKey() = default;
  std::shared_ptr<void> key_;
  KeyAlgorithm algorithm_ = KeyAlgorithm::rsaSha256;
  unsigned bits_ = 0;
};

/// The private half. Move-only; OpenSSL wipes it.
class DkimPrivateKey {
 public:
  /// PEM, PKCS#8 or PKCS#1, without a pass phrase.
  [[nodiscard]] static Result<DkimPrivateKey> fromPem(const Secret& pem);
  /// The 32-octet seed of an Ed25519 key (RFC 8032 section 5.1.5).
  [[nodiscard]] static Result<DkimPrivateKey> fromEd25519Seed(const Secret& seed);
  [[nodiscard]] KeyAlgorithm algorithm() const noexcept { return algorithm_; }
  /// What its key record says.
  [[nodiscard]] Result<PublicKey> publicKey() const;
  [[nodiscard]] Result<std::string> sign(std::string_view hash) const;

 private:
  DkimPrivateKey() = default;
  struct Free {
    void operator()(void* key) const noexcept;
  };
  std::unique_ptr<void, Free> key_;
  KeyAlgorithm algorithm_ = KeyAlgorithm::rsaSha256;
};

}  // namespace mailzone::mailauth
