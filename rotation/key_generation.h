// Makes DKIM keys by OpenSSL. The private half exists as a Secret only.
#pragma once

#include "core/clock.h"
#include "core/result.h"
#include "core/secret.h"
#include "tenantdb/secret/secret_store.h"

namespace mailzone::rotation {

inline constexpr int kRsaBits = 2048;  ///< RFC 8301 section 3.2: signers SHOULD use at least 2048

/// What can be published of a private key.
struct PublicHalf {
  KeyAlgorithm algorithm = KeyAlgorithm::rsaSha256;
  int bits = 0;
  std::string base64;       ///< the p= value: SubjectPublicKeyInfo for RSA (RFC 6376 erratum 3017)
  std::string fingerprint;  ///< SHA-256 of the SubjectPublicKeyInfo, hexadecimal
};

/// A new RSA pair, PKCS#8 PEM. About 0.2 s of CPU for 2048 bits. Errc::invalidInput outside 1024 to 4096 bits, the
/// range that verifiers must handle (RFC 8301 section 3.2); Errc::internal when OpenSSL fails.
[[nodiscard]] Result<tenantdb::NewKey> generateRsaKey(int bits, TimePoint now);

/// Reads PKCS#8 or PKCS#1 PEM. Errc::corrupt when it is no private key; the error never shows what was read.
[[nodiscard]] Result<PublicHalf> publicHalfOf(const Secret& privatePem);

}  // namespace mailzone::rotation
