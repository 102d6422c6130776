#include "cli/names.h"

#include <fmt/format.h>
#include <libpsl.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace mailzone::cli {
namespace {

/// The distribution's list, which is updated; else the one built into libpsl.
const psl_ctx_t* publicSuffixes() {
  static const std::unique_ptr<psl_ctx_t, void (*)(psl_ctx_t*)> list(psl_latest(nullptr), psl_free);
  return list ? list.get() : psl_builtin();
}

Error about(const Error& error, std::string_view what) {
  Error named = error;
  named.rule = fmt::format("is no {}: {}", what, error.rule);
  return named;
}

bool hasRoomBelow(const DnsName& name) {
  // The longest names that stand below a sending domain: the key slots and the report authorisation.
  return DnsName::parse("mz1._domainkey").value().under(name).has_value() &&
         DnsName::parse("_report._dmarc").value().under(name).has_value();
}

bool isPrintableUtf8(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

constexpr std::string_view kLoginLetters = "abcdefghijklmnopqrstuvwxyz0123456789._-+@";

}  // namespace

Result<DnsName> readName(std::string_view text) {
  return DnsName::parseUnicode(text);
}

Result<DnsName> readHostName(std::string_view text, std::string_view what) {
  auto name = DnsName::parseUnicode(text);
  if (!name) return tl::unexpected<Error>(about(name.error(), what));
  if (name->isRoot() || !name->isHostName()) {
    return fail(Errc::invalidInput, text, fmt::format("is no {}: labels are letters, digits and inner hyphens", what),
                "write it like mx1.shop.example");
  }
  return name;
}

Result<DnsName> readCustomDomain(std::string_view text) {
  if (text.find("://") != std::string_view::npos || text.find('/') != std::string_view::npos ||
      text.find('@') != std::string_view::npos) {
    return fail(Errc::invalidInput, text, "is an address, not a domain", "write the domain alone, like custom.example");
  }
  auto name = readHostName(text, "domain");
  if (!name) return name;
  if (psl_is_public_suffix(publicSuffixes(), name->textNoDot().c_str()) != 0) {
    return fail(Errc::invalidInput, name->textNoDot(), "is a public suffix: everybody registers names below it",
                "name the domain that the customer has registered");
  }
  if (!hasRoomBelow(*name)) {
    return fail(Errc::limitExceeded, name->textNoDot(),
                "is too long: mz1._domainkey and _report._dmarc below it do not fit into 255 octets",
                "use a name of at most 238 letters");
  }
  return name;
}

Result<std::string> readSlug(std::string_view text) {
  const auto name = DnsName::parseUnicode(text);
  if (!name) return tl::unexpected<Error>(about(name.error(), "slug"));
  const auto labels = name->labels();
  if (labels.size() != 1 || !isLdhLabel(labels.front())) {
    return fail(Errc::invalidInput, text, "is no slug: one label of 1 to 63 letters, digits and inner hyphens",
                "write one like flower-shop");
  }
  return labels.front();
}

Result<std::string> readWord(std::string_view text, std::string_view what) {
  std::string word(text);
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (!isLdhLabel(word)) {
    return fail(Errc::invalidInput, text,
                fmt::format("is no name of a {}: one label of 1 to 63 letters, digits and inner hyphens", what),
                "choose another");
  }
  return word;
}

Result<std::string> readLoginName(std::string_view text) {
  if (text.empty() || text.size() > 255 || text.find_first_not_of(kLoginLetters) != std::string_view::npos) {
    return fail(Errc::invalidInput, text,
                "is no login: 1 to 255 lower-case letters, digits and the characters . _ - + @",
                "write one like owner@t1.shop.example");
  }
  return std::string(text);
}

Result<std::string> readRua(std::string_view text) {
  if (text.size() > 1000) return fail(Errc::limitExceeded, text, "is longer than 1000 octets", "name fewer addresses");
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view uri = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    const std::size_t at = uri.find('@');
    const bool plain = uri.find_first_of(" \t\";\\!") == std::string_view::npos && isPrintableUtf8(uri);
    if (uri.rfind("mailto:", 0) != 0 || at == std::string_view::npos || at == 7 || !plain ||
        !readHostName(uri.substr(at + 1), "host")) {
      return fail(Errc::invalidInput, uri, "is no mailto: URI of one plain address",
                  "write mailto:dmarc@reports.example, several separated by commas");
    }
  }
  return std::string(text);
}

Result<std::string> readExternalId(std::string_view text) {
  if (text.empty() || text.size() > 255 || !isPrintableUtf8(text)) {
    return fail(Errc::invalidInput, text, "is no external id: 1 to 255 octets without control characters",
                "shorten it");
  }
  return std::string(text);
}

Result<std::int64_t> readNumber(std::string_view text, std::string_view what, std::int64_t min, std::int64_t max) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < min || number > max) {
    return fail(Errc::invalidInput, text, fmt::format("is no {}", what), fmt::format("write {} to {}", min, max));
  }
  return number;
}

Result<DnsName> tenantDomain(const std::string& slug, const DnsName& platform) {
  const auto name = platform.child(slug);
  if (!name || !hasRoomBelow(*name)) {
    return fail(
        Errc::limitExceeded, slug,
        fmt::format("is too long: the names below {}.{} do not fit into 255 octets", slug, platform.textNoDot()),
        "choose a shorter slug");
  }
  return *name;
}

std::string registrarHost(const DnsName& name) {
  const std::string text = name.textNoDot();
  const char* registrable = psl_registrable_domain(publicSuffixes(), text.c_str());
  if (registrable == nullptr) return text;
  const std::size_t length = std::char_traits<char>::length(registrable);
  return text.size() == length ? "@" : text.substr(0, text.size() - length - 1);
}

}  // namespace mailzone::cli
