#include "mailauth/dmarc_record.h"

#include <algorithm>

#include "mailauth/tag_list.h"
#include "mailauth/text.h"

namespace mailzone::mailauth {
namespace {

constexpr std::size_t kMaxUris = 20;

std::optional<DmarcPolicy> policyOf(std::optional<std::string_view> text) {
  if (!text) return std::nullopt;
  for (const auto policy : {DmarcPolicy::none, DmarcPolicy::quarantine, DmarcPolicy::reject}) {
    if (equalsIgnoreCase(*text, word(policy))) return policy;
  }
  return std::nullopt;
}

bool isUri(std::string_view uri) noexcept {
  const auto colon = uri.find(':');
  if (colon == std::string_view::npos || colon + 1 == uri.size()) return false;
  const auto scheme = uri.substr(0, colon);
  if (!isAlpha(scheme.front())) return false;
  const bool schemeOk =
      std::all_of(scheme.begin(), scheme.end(), [](char c) { return isAlnum(c) || c == '+' || c == '-' || c == '.'; });
  const auto visible = [](char c) { return c > 0x20 && c < 0x7f && c != ',' && c != ';'; };
  return schemeOk && std::all_of(uri.begin(), uri.end(), visible);
}

bool isReportUri(std::string_view uri) noexcept {
  if (!isUri(uri) || uri.find('!') != std::string_view::npos) return false;
  if (startsWithIgnoreCase(uri, "https://")) return uri.size() > 8;
  if (!startsWithIgnoreCase(uri, "mailto:")) return false;
  const auto address = uri.substr(7, uri.find('?') == std::string_view::npos ? uri.npos : uri.find('?') - 7);
  const auto at = address.rfind('@');
  if (at == std::string_view::npos || at == 0) return false;
  const auto host = nameFromRaw(address.substr(at + 1));
  return host && host->isHostName();
}

// The valid URIs of a list; others are ignored (RFC 9989 section 4.7). The size limit of RFC 7489 ("!10m") is kept as
// written.
std::vector<std::string> uris(std::optional<std::string_view> list) {
  std::vector<std::string> out;
  if (!list) return out;
  for (const auto part : split(*list, ',')) {
    const auto uri = trim(part);
    if (isUri(uri) && out.size() < kMaxUris) out.emplace_back(uri);
  }
  return out;
}

std::vector<std::string> failureOptions(std::optional<std::string_view> list) {
  std::vector<std::string> out;
  if (!list) return out;
  for (const auto part : split(*list, ':')) {
    auto option = lower(trim(part));
    if (option == "0" || option == "1" || option == "d" || option == "s") out.push_back(std::move(option));
  }
  return out;
}

AlignmentMode alignmentOf(std::optional<std::string_view> text) {
  return text && equalsIgnoreCase(*text, "s") ? AlignmentMode::strict : AlignmentMode::relaxed;
}

std::string joined(const std::vector<std::string>& parts, char separator) {
  std::string out;
  for (const auto& part : parts) {
    if (!out.empty()) out += separator;
    out += part;
  }
  return out;
}

}  // namespace

bool isDmarcRecord(std::string_view txt) noexcept {
  // dmarc-version = "v" *WSP "=" *WSP %s"DMARC1": the value is case-sensitive (RFC 9989 section 4.8).
  const auto first = txt.substr(0, txt.find(';'));
  const auto equals = first.find('=');
  if (equals == std::string_view::npos || first.empty() || isFws(first.front())) return false;
  return trim(first.substr(0, equals)) == "v" && trim(first.substr(equals + 1)) == "DMARC1";
}

Result<DmarcRecord> parseDmarcRecord(std::string_view txt) {
  if (!isDmarcRecord(txt)) {
    return fail(Errc::invalidInput, txt, "a DMARC record begins with v=DMARC1 (RFC 9989 section 4.7)");
  }
  const auto tags = TagList::parse(txt);
  if (!tags) return pass(tags);
  DmarcRecord record;
  record.rua = uris(tags->find("rua"));
  record.ruf = uris(tags->find("ruf"));
  record.fo = failureOptions(tags->find("fo"));
  record.adkim = alignmentOf(tags->find("adkim"));
  record.aspf = alignmentOf(tags->find("aspf"));
  record.testing = tags->find("t") && equalsIgnoreCase(*tags->find("t"), "y");
  if (const auto psd = tags->find("psd")) {
    if (equalsIgnoreCase(*psd, "y")) record.psd = PublicSuffix::yes;
    if (equalsIgnoreCase(*psd, "n")) record.psd = PublicSuffix::no;
  }
  const auto policy = policyOf(tags->find("p"));
  const auto subdomain = policyOf(tags->find("sp"));
  const auto nonexistent = policyOf(tags->find("np"));
  const bool valid = policy && (subdomain || !tags->find("sp")) && (nonexistent || !tags->find("np"));
  if (valid) {
    record.policy = *policy;
    record.subdomainPolicy = subdomain;
    record.nonexistentPolicy = nonexistent;
  } else if (record.rua.empty()) {
    return fail(Errc::invalidInput, txt,
                "p= is missing, or p=, sp= or np= is not none, quarantine or reject, and no rua= "
                "stands there (RFC 9989 section 4.10.1)",
                "write v=DMARC1; p=POLICY");
  }
  return record;
}

std::string printDmarcRecord(const DmarcRecord& record) {
  std::string out = "v=DMARC1; p=" + std::string(word(record.policy));
  const auto add = [&out](std::string_view name, std::string_view value) {
    out += "; ";
    out += name;
    out += '=';
    out += value;
  };
  if (record.subdomainPolicy) add("sp", word(*record.subdomainPolicy));
  if (record.nonexistentPolicy) add("np", word(*record.nonexistentPolicy));
  if (record.adkim == AlignmentMode::strict) add("adkim", "s");
  if (record.aspf == AlignmentMode::strict) add("aspf", "s");
  if (record.psd != PublicSuffix::unknown) add("psd", record.psd == PublicSuffix::yes ? "y" : "n");
  if (record.testing) add("t", "y");
  if (!record.fo.empty()) add("fo", joined(record.fo, ':'));
  if (!record.rua.empty()) add("rua", joined(record.rua, ','));
  if (!record.ruf.empty()) add("ruf", joined(record.ruf, ','));
  return out;
}

Result<std::vector<std::string>> parseReportUris(std::string_view list) {
  std::vector<std::string> out;
  for (const auto part : split(list, ',')) {
    const auto uri = trim(part);
    if (!isReportUri(uri)) {
      return fail(Errc::invalidInput, part, "not the address of reports (RFC 9989 section 4.7)",
                  "write mailto:LOCAL@DOMAIN, several with commas; \",\" \"!\" and \";\" inside are %2C %21 %3B");
    }
    out.emplace_back(uri);
    if (out.size() > kMaxUris) return fail(Errc::limitExceeded, list, "more than 20 addresses of reports");
  }
  return out;
}

}  // namespace mailzone::mailauth
