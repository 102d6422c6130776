// Names as people type them become names that may be used, or an error that says why not.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/dns_name.h"
#include "core/model.h"
#include "core/result.h"

namespace mailzone::cli {

/// A name of a host or zone: U-labels become A-labels; letters, digits and hyphens only.
[[nodiscard]] Result<DnsName> readHostName(std::string_view text, std::string_view what);
/// A customer's domain: as readHostName(), at least two labels, no public suffix (publicsuffix.org, ICANN and private
/// part), and short enough that all names below it that mail needs fit into 255 octets.
[[nodiscard]] Result<DnsName> readCustomDomain(std::string_view text);
/// A name whose owner was checked elsewhere, as in `domain show`; any octets.
[[nodiscard]] Result<DnsName> readName(std::string_view text);
/// A tenant's slug: one label, U-labels become A-labels.
[[nodiscard]] Result<std::string> readSlug(std::string_view text);
/// A word for a pool, a relay, a stream: one label of letters, digits and hyphens.
[[nodiscard]] Result<std::string> readWord(std::string_view text, std::string_view what);
/// A login: lower case, and free of what separates names in Postfix's maps.
[[nodiscard]] Result<std::string> readLoginName(std::string_view text);
/// A list of mailto: URIs as dmarc_rua holds it (RFC 9990 section 3).
[[nodiscard]] Result<std::string> readRua(std::string_view text);
/// A free identifier of the application's: 1 to 255 octets of UTF-8 without control characters.
[[nodiscard]] Result<std::string> readExternalId(std::string_view text);
[[nodiscard]] Result<std::int64_t> readNumber(std::string_view text, std::string_view what, std::int64_t min,
                                              std::int64_t max);

/// Errc::invalidInput when SLUG.PLATFORM leaves no room for the names below it.
[[nodiscard]] Result<DnsName> tenantDomain(const std::string& slug, const DnsName& platform);

/// The part below the registrable domain, as a registrar's form wants it: "mz1._domainkey" for
/// mz1._domainkey.custom.example, "@" for custom.example itself.
[[nodiscard]] std::string registrarHost(const DnsName& name);

}  // namespace mailzone::cli
