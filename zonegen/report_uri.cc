#include "zonegen/report_uri.h"

#include <fmt/format.h>

#include "mailauth/dmarc_record.h"

namespace mailzone::zonegen {
namespace {

bool isHex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// RFC 3986 section 2. What others publish is read more generously; what we publish is exactly a URI.
bool hasUriCharacters(std::string_view uri) {
  constexpr std::string_view kOthers = "GHIJKLMNOPQRSTUVWXYZghijklmnopqrstuvwxyz-._~:/?#[]@!$&'()*+,;=";
  for (std::size_t at = 0; at < uri.size(); ++at) {
    const char c = uri[at];
    if (isHex(c) || kOthers.find(c) != std::string_view::npos) continue;
    if (c != '%' || at + 2 >= uri.size() || !isHex(uri[at + 1]) || !isHex(uri[at + 2])) return false;
  }
  return true;
}

/// The host's text within a mailto: or https: URI; "" if there is none, or none for certain.
std::string_view hostText(std::string_view uri) {
  const auto colon = uri.find(':');
  if (colon == 5) {  // https
    const auto rest = uri.substr(8);
    return rest.substr(0, rest.find_first_of("/?#:"));
  }
  const auto address = uri.substr(colon + 1, uri.find('?') - colon - 1);
  const auto sign = address.find('@');
  return sign == std::string_view::npos || sign != address.rfind('@') ? std::string_view() : address.substr(sign + 1);
}

Result<ReportUri> withHost(std::string uri) {
  if (uri.size() > kMaxReportUriOctets) {
    return fail(Errc::limitExceeded, uri, fmt::format("dmarc_rua: a URI has at most {} octets", kMaxReportUriOctets),
                "use a shorter address");
  }
  if (!hasUriCharacters(uri)) {
    return fail(Errc::invalidInput, uri,
                "dmarc_rua: a URI holds no quotes, backslashes or other such characters (RFC "
                "3986 section 2)",
                "write mailto:NAME@HOST; encode other characters as %XX");
  }
  auto host = DnsName::parse(hostText(uri));
  if (!host || !host->isHostName()) {
    return fail(Errc::invalidInput, uri, "dmarc_rua: the URI has no host name",
                "write mailto:NAME@HOST, an international name as A-labels");
  }
  return ReportUri{std::move(uri), std::move(*host)};
}

}  // namespace

Result<std::vector<ReportUri>> parseReportUris(std::string_view list) {
  std::vector<ReportUri> out;
  if (list.find_first_not_of(" \t") == std::string_view::npos) return out;
  auto uris = mailauth::parseReportUris(list);
  if (!uris) {
    uris.error().rule.insert(0, "dmarc_rua: ");
    if (uris.error().remedy.empty()) uris.error().remedy = "let one address distribute the reports";
    return pass(uris);
  }
  if (uris->size() > kMaxReportUris) {
    return fail(Errc::limitExceeded, list, fmt::format("dmarc_rua: at most {} URIs", kMaxReportUris),
                "let one address distribute the reports");
  }
  for (auto& text : *uris) {
    auto uri = withHost(std::move(text));
    if (!uri) return pass(uri);
    out.push_back(std::move(*uri));
  }
  return out;
}

}  // namespace mailzone::zonegen
