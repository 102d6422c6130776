// Where DMARC reports go: the list in dmarc_rua columns.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/dns_name.h"
#include "core/result.h"

namespace mailzone::zonegen {

inline constexpr std::size_t kMaxReportUris = 10;
inline constexpr std::size_t kMaxReportUriOctets = 255;

struct ReportUri {
  std::string text;  ///< as it stands in the record
  DnsName host;      ///< whose consent is asked at POLICY-DOMAIN._report._dmarc.HOST (RFC 9990 section 4)
  friend bool operator==(const ReportUri&, const ReportUri&) = default;
};

/// Reads a comma-separated list of mailto: and https: URIs; "" is the empty list. Nothing that could end the tag, the
/// record or the quoted string gets through: `;` `!` and `,` must be percent-encoded (RFC 9989 section 4.7), and what
/// is no URI character (RFC 3986 section 2) is refused.
[[nodiscard]] Result<std::vector<ReportUri>> parseReportUris(std::string_view list);

}  // namespace mailzone::zonegen
