// DMARC by RFC 9989: the tree walk, alignment, and what the author's domain asks for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/dns_name.h"
#include "core/resolver.h"
#include "core/result.h"
#include "mailauth/dkim.h"
#include "mailauth/dmarc_record.h"
#include "mailauth/spf.h"
#include "mailauth/verdict.h"

namespace mailzone::mailauth {

/// At most 8 look-ups for one walk (section 4.10).
inline constexpr std::size_t kDmarcWalkLimit = 8;

/// What the walk from an author's domain found.
struct DmarcDiscovery {
  std::optional<DmarcRecord> record;  ///< that applies; none: the domain takes no part
  DnsName recordDomain;               ///< the name it stands for (under _dmarc.), when there is a record
  DnsName organizationalDomain;
  DmarcPolicy policy = DmarcPolicy::none;  ///< of p, sp or np, whichever applies; before t=
};
/// Errc::temporary when a look-up fails: neither pass nor fail (section 4.10.1).
[[nodiscard]] Result<DmarcDiscovery> discoverDmarc(const DnsName& authorDomain, Resolver& resolver);
/// Section 4.10.2. The name itself when nothing says otherwise.
[[nodiscard]] Result<DnsName> organizationalDomain(const DnsName& domain, Resolver& resolver);

enum class DmarcAlignment { none, spf, dkim, both };
[[nodiscard]] std::string_view word(DmarcAlignment alignment) noexcept;

struct DmarcResult {
  /// none (no record), pass, fail, temperror (cannot tell), permerror (the records there are void).
  Verdict verdict = Verdict::none;
  std::string reason;  ///< for a person, never empty
  std::optional<DmarcRecord> record;
  DnsName recordDomain;
  DnsName organizationalDomain;
  DmarcPolicy policy = DmarcPolicy::none;       ///< what the record says for this name
  DmarcPolicy disposition = DmarcPolicy::none;  ///< what is asked for this mail: none on pass, one step less with t=y
  /// By the record's own modes (relaxed when there is no record).
  DmarcAlignment alignment = DmarcAlignment::none;
  /// Relaxed, whatever the record says: what bulk-sender rules look at.
  DmarcAlignment relaxedAlignment = DmarcAlignment::none;
  /// Index into the DKIM results: the first that passed and is aligned by the record's mode.
  std::optional<std::size_t> alignedSignature;
};

/// SPF counts by MAIL FROM's domain (HELO's only when MAIL FROM is null), DKIM by d= of signatures that pass.
[[nodiscard]] DmarcResult evaluateDmarc(const DnsName& authorDomain, const SpfResult& spf,
                                        const std::vector<DkimResult>& dkim, Resolver& resolver);

/// Whether `reportHost` agrees to get reports about `policyDomain` (RFC 9990 section 4). True without asking when both
/// are of one organizational domain.
[[nodiscard]] Result<bool> reportDestinationAgrees(const DnsName& policyDomain, const DnsName& reportHost,
                                                   Resolver& resolver);

}  // namespace mailzone::mailauth
