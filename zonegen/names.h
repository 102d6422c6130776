// The names that this project publishes at, each made in one place. An Error names the row's value when a name does not
// fit into 255 octets.
#pragma once

#include "core/model.h"
#include "core/result.h"

namespace mailzone::zonegen {

/// POOL._spf.PLATFORM: what senders' SPF records include.
[[nodiscard]] Result<DnsName> poolSpfName(const Platform& platform, const Pool& pool);
/// srs.PLATFORM, sig.PLATFORM, rp.PLATFORM, dkim.PLATFORM: `labelText` is one of mailzone::label.
[[nodiscard]] Result<DnsName> platformName(const Platform& platform, std::string_view labelText);
/// SLOT._domainkey.DOMAIN (RFC 6376 section 3.6.2.1).
[[nodiscard]] Result<DnsName> selectorName(Slot slot, const DnsName& domain);
/// _dmarc.DOMAIN (RFC 9989 section 4.7).
[[nodiscard]] Result<DnsName> dmarcName(const DnsName& domain);
/// POLICY-DOMAIN._report._dmarc.HOST (RFC 9990 section 4).
[[nodiscard]] Result<DnsName> reportName(const DnsName& policyDomain, const DnsName& host);
/// SLOT.TOKEN.dkim.PLATFORM: what a customer's selector CNAME points at.
[[nodiscard]] Result<DnsName> keyTargetName(const Platform& platform, Slot slot, std::string_view token);
/// TOKEN.rp.PLATFORM: envelope domain of a customer's mail, and what bounce.CUSTOM points at.
[[nodiscard]] Result<DnsName> returnPathName(const Platform& platform, std::string_view token);

/// Succeeds when `host` may be a mail host: letters, digits, hyphens (RFC 1123 section 2.1). `column` says where it
/// stands.
[[nodiscard]] Result<void> requireHostName(const DnsName& host, std::string_view column);

}  // namespace mailzone::zonegen
