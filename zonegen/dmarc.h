// DMARC policy records (RFC 9989 section 4.7) and authorisations of report addresses (RFC 9990 section 4).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/model.h"
#include "core/result.h"
#include "zonegen/record_set.h"
#include "zonegen/report_uri.h"

namespace mailzone::zonegen {

/// Of names that are nobody's From: the common signing domain, srs.PLATFORM, HELO hosts. psd=n: no organizational
/// domain above, so nothing else of the platform aligns with them.
inline constexpr std::string_view kDmarcOfNobody = "v=DMARC1; p=reject; adkim=s; aspf=s; psd=n";
/// The same for a name that has names below it: rp.PLATFORM and dkim.PLATFORM.
inline constexpr std::string_view kDmarcOfNobodyBelow =
    "v=DMARC1; p=reject; sp=reject; np=reject; adkim=s; aspf=s; psd=n";
/// RFC 9990 section 4: what consents to reports about POLICY-DOMAIN.
inline constexpr std::string_view kDmarcReportConsent = "v=DMARC1;";

/// Of a tenant below the platform's name: strict alignment and psd=n, so that siblings cannot speak for each other,
/// neither for RFC 7489 nor for RFC 9989 receivers. p stands second, where RFC 7489 section 6.3 wants it.
[[nodiscard]] std::string dmarcOfTenant(DmarcPolicy policy, const std::vector<ReportUri>& reports);
/// Of the platform's own domain.
[[nodiscard]] std::string dmarcOfPlatform(DmarcPolicy policy, const std::vector<ReportUri>& reports);
/// What a customer is advised to publish for a domain of his own: relaxed, so that bounce.DOMAIN aligns.
[[nodiscard]] std::string dmarcOfCustomer(DmarcPolicy policy, const std::vector<ReportUri>& reports);

/// Adds POLICY-DOMAIN._report._dmarc.HOST for each report host in a zone of ours. Explicit names only: a wildcard is
/// hidden by the empty non-terminals that such names make (RFC 4592 section 3.3.1).
[[nodiscard]] Result<void> addReportConsent(RecordSet& records, const DnsName& policyDomain,
                                            const std::vector<ReportUri>& reports);

}  // namespace mailzone::zonegen
