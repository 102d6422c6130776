// The DKIM-Signature field as a value (RFC 6376 section 3.5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/dns_name.h"
#include "core/model.h"
#include "core/result.h"

namespace mailzone::mailauth {

enum class Canonicalization { simple, relaxed };

struct DkimSignature {
  KeyAlgorithm algorithm = KeyAlgorithm::rsaSha256;  ///< a=
  Canonicalization header = Canonicalization::simple;
  Canonicalization body = Canonicalization::simple;
  DnsName domain;                           ///< d=
  DnsName selector;                         ///< s=; may have several labels
  std::string identityLocal;                ///< i= before the "@"; may be empty
  DnsName identityDomain;                   ///< i= after it; d= when i= is absent
  std::vector<std::string> headers;         ///< h=, lower case, in order, repetitions kept
  std::string bodyHash;                     ///< bh=, decoded
  std::string signature;                    ///< b=, decoded
  std::optional<std::uint64_t> bodyLength;  ///< l=
  std::optional<std::uint64_t> signedAt;    ///< t=, seconds since 1970
  std::optional<std::uint64_t> expiresAt;   ///< x=
  friend bool operator==(const DkimSignature&, const DkimSignature&) = default;

  /// SELECTOR._domainkey.DOMAIN; an error when it is too long for a name.
  [[nodiscard]] Result<DnsName> keyName() const;
  /// How often h= names this field (lower case).
  [[nodiscard]] std::size_t timesSigned(std::string_view header) const noexcept;
};

/// `value` is what follows "DKIM-Signature:". Errors: a required tag is missing or malformed, v= is not 1, rsa-sha1
/// (RFC 8301 section 3.1), h= without From, i= outside d=, q= without dns/txt, x= not after t=.
[[nodiscard]] Result<DkimSignature> parseDkimSignature(std::string_view value);
/// The field's value, folded at 78 columns, b= last. `parseDkimSignature(printDkimSignature(x)) == x`.
[[nodiscard]] std::string printDkimSignature(const DkimSignature& signature);

}  // namespace mailzone::mailauth
