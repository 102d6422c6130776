// DKIM: verify every signature of a message, or make one (RFC 6376, 8301, 8463). The octets that came are the octets
// that are hashed; a message is never rebuilt.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/resolver.h"
#include "core/result.h"
#include "mailauth/dkim_crypto.h"
#include "mailauth/dkim_key_record.h"
#include "mailauth/dkim_signature.h"
#include "mailauth/message.h"
#include "mailauth/verdict.h"

namespace mailzone::mailauth {

struct DkimLimits {
  /// Signatures that are checked, from the top; each costs a look-up and a public-key operation. Further ones are
  /// neutral (RFC 6376 section 6.1 allows a limit).
  std::size_t signatures = 10;
  MessageLimits message;
};

/// One signature. The verdicts, by RFC 8601 section 2.7.1:
///   pass       it verifies
///   fail       body or header was changed, or another key signed
///   policy     it verifies, but must not count: the key is in testing mode (t=y), or l= leaves a part of the body out
///   neutral    the field has errors or was not checked
///   temperror  the key could not be looked up
///   permerror  there is no usable key, the signature has expired, or the algorithm is not allowed
struct DkimResult {
  Verdict verdict = Verdict::neutral;
  std::optional<DnsName> domain;           ///< d=, when it could be read
  std::optional<DnsName> selector;         ///< s=
  std::string reason;                      ///< for a person, never empty
  std::optional<DkimSignature> signature;  ///< all of it, when it could be parsed
  unsigned keyBits = 0;                    ///< 0 when no key was found
};

/// One result per DKIM-Signature field, from the top; none when the message is not signed. A message that cannot be
/// split into fields gives one neutral result.
[[nodiscard]] std::vector<DkimResult> verifyDkim(std::string_view message, Resolver& resolver, TimePoint now,
                                                 const DkimLimits& limits = {});

struct DkimSignOptions {
  DnsName domain;
  DnsName selector;
  Canonicalization header = Canonicalization::relaxed;
  Canonicalization body = Canonicalization::relaxed;
  /// Lower case. Those present are signed as often as they occur and once more, so that none can be added (section
  /// 8.15). From must be among them.
  std::vector<std::string> headers = {"from",
                                      "to",
                                      "cc",
                                      "subject",
                                      "date",
                                      "message-id",
                                      "reply-to",
                                      "mime-version",
                                      "content-type",
                                      "content-transfer-encoding",
                                      "list-unsubscribe",
                                      "list-unsubscribe-post"};
  std::optional<TimePoint> signedAt;
  std::optional<TimePoint> expiresAt;
};

/// The whole field, "DKIM-Signature: ...\r\n", to be put in front of the message.
[[nodiscard]] Result<std::string> signDkim(std::string_view message, const DkimPrivateKey& key,
                                           const DkimSignOptions& options);

/// Canonical forms (section 3.4), for tests and tools.
[[nodiscard]] std::string canonicalHeader(const HeaderField& field, Canonicalization how);
[[nodiscard]] std::string canonicalBody(std::string_view body, Canonicalization how);

}  // namespace mailzone::mailauth
