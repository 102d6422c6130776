// The DKIM key record of RFC 6376 section 3.6.1, with RFC 8301 and RFC 8463.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model.h"
#include "core/result.h"

namespace mailzone::mailauth {

struct DkimKeyRecord {
  std::string keyType = "rsa";        ///< k=; a type that we do not know is kept, and no signature fits it
  std::vector<std::string> hashes;    ///< h=; empty: all
  std::vector<std::string> services;  ///< s=; empty: all, as is "*"
  std::vector<std::string> flags;     ///< t=
  std::string notes;                  ///< n=, still quoted-printable
  std::string publicKey;              ///< p=, decoded; empty: revoked

  [[nodiscard]] bool revoked() const noexcept { return publicKey.empty(); }
  [[nodiscard]] bool testing() const noexcept;         ///< t=y
  [[nodiscard]] bool strictIdentity() const noexcept;  ///< t=s: the domain of i= must be d= itself
  [[nodiscard]] bool allowsHash(std::string_view hash) const noexcept;
  [[nodiscard]] bool allowsEmail() const noexcept;  ///< s= names "*" or "email"
  friend bool operator==(const DkimKeyRecord&, const DkimKeyRecord&) = default;
};

/// v=, when present, must be the first tag and exactly DKIM1. Does not look into the key itself: see dkim_crypto.h.
[[nodiscard]] Result<DkimKeyRecord> parseDkimKeyRecord(std::string_view txt);
/// `parseDkimKeyRecord(printDkimKeyRecord(x)) == x`. Begins "v=DKIM1; k=TYPE; ".
[[nodiscard]] std::string printDkimKeyRecord(const DkimKeyRecord& record);
/// What a slot says in DNS: "v=DKIM1; k=rsa; p=..." or, revoked, "v=DKIM1; p=". An error when p= is not base64 of a key
/// of that algorithm: SubjectPublicKeyInfo of 1024 to 4096 bits, or 32 octets (RFC 8463 section 4.2).
[[nodiscard]] Result<std::string> dkimKeyText(const std::optional<PublicKey>& key);

}  // namespace mailzone::mailauth
