#include "zonegen/report_uri.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace mailzone::zonegen {
namespace {

bool isAlnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool isHex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

tl::unexpected<Error> bad(std::string_view uri, std::string rule, std::string remedy) {
  return fail(Errc::invalidInput, uri, "dmarc_rua: " + std::move(rule), std::move(remedy));
}

Result<void> requireUriCharacters(std::string_view uri) {
  constexpr std::string_view kOthers = "-._~:/?#[]@$&'()*+=";  // RFC 3986 section 2 without the three of DMARC
  for (std::size_t at = 0; at < uri.size(); ++at) {
    const char c = uri[at];
    if (isAlnum(c) || kOthers.find(c) != std::string_view::npos) continue;
    if (c == '%' && at + 2 < uri.size() && isHex(uri[at + 1]) && isHex(uri[at + 2])) continue;
    if (c == '!') {
      return bad(uri, "a size suffix is obsolete, and an exclamation mark is written %21 (RFC 9989 section 4.7)",
                 "remove the suffix");
    }
    return bad(uri, "a URI holds no blank, quote, semicolon, control or non-ASCII character (RFC 3986 section 2)",
               "write mailto:NAME@HOST; encode other characters as %XX");
  }
  return {};
}

bool startsWith(std::string_view text, std::string_view lowerPrefix) {
  return text.size() >= lowerPrefix.size() &&
         std::equal(lowerPrefix.begin(), lowerPrefix.end(), text.begin(),
                    [](char a, char b) { return a == static_cast<char>(std::tolower(static_cast<unsigned char>(b))); });
}

/// The host's text within a mailto: or https: URI, "" if there is none.
Result<std::string_view> hostText(std::string_view uri) {
  if (startsWith(uri, "mailto:")) {
    const auto address = uri.substr(7, uri.find('?') == std::string_view::npos ? uri.npos : uri.find('?') - 7);
    const auto at = address.rfind('@');
    if (at == std::string_view::npos || at == 0 || address.find('@') != at) return std::string_view();
    return address.substr(at + 1);
  }
  if (startsWith(uri, "https://")) {
    const auto rest = uri.substr(8);
    return rest.substr(0, rest.find_first_of("/?#:"));
  }
  return bad(uri, "reports go to a mailto: or https: URI (RFC 9989 section 4.7)", "write mailto:NAME@HOST");
}

Result<ReportUri> parseOne(std::string_view uri) {
  if (uri.empty()) return bad(uri, "a URI of the list is empty", "remove the comma");
  if (uri.size() > kMaxReportUriOctets) {
    return fail(Errc::limitExceeded, uri, fmt::format("dmarc_rua: a URI has at most {} octets", kMaxReportUriOctets),
                "use a shorter address");
  }
  if (auto ok = requireUriCharacters(uri); !ok) return pass(ok);
  const auto text = hostText(uri);
  if (!text) return pass(text);
  const auto host = DnsName::parse(*text);
  if (!host || !host->isHostName()) {
    return bad(uri, "the URI has no host name", "write mailto:NAME@HOST, an international name as A-labels");
  }
  return ReportUri{std::string(uri), *host};
}

}  // namespace

Result<std::vector<ReportUri>> parseReportUris(std::string_view list) {
  std::vector<ReportUri> out;
  if (trimmed(list).empty()) return out;
  for (std::string_view rest = list;;) {
    const auto comma = rest.find(',');
    auto uri = parseOne(trimmed(rest.substr(0, comma)));
    if (!uri) return pass(uri);
    if (out.size() == kMaxReportUris) {
      return fail(Errc::limitExceeded, list, fmt::format("dmarc_rua: at most {} URIs", kMaxReportUris),
                  "let one address distribute the reports");
    }
    out.push_back(std::move(*uri));
    if (comma == std::string_view::npos) return out;
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace mailzone::zonegen
