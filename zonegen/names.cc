#include "zonegen/names.h"

#include <fmt/format.h>

#include <algorithm>

namespace mailzone::zonegen {
namespace {

/// `labels`, left-most first, in front of `base`. `value` is what a person would have to shorten.
Result<DnsName> prefixed(std::initializer_list<std::string_view> labels, const DnsName& base, std::string_view value) {
  Result<DnsName> name = base;
  for (auto it = std::rbegin(labels); it != std::rend(labels); ++it) {
    name = name->child(*it);
    if (!name) {
      std::string prefix;
      for (const auto label : labels) prefix += std::string(label) + '.';
      return fail(Errc::limitExceeded, value,
                  fmt::format("with \"{}\" in front of it, the name is no longer within 255 octets (RFC 1035 section "
                              "2.3.4)",
                              escapeForDisplay(prefix, 80)),
                  "use a shorter name");
    }
  }
  return name;
}

Result<void> requireToken(std::string_view token) {
  const bool hex =
      std::all_of(token.begin(), token.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (token.size() == 32 && hex) return {};
  return fail(Errc::invalidInput, token, "a token is 32 hexadecimal digits in lower case",
              "leave the column token to its default");
}

}  // namespace

Result<DnsName> poolSpfName(const Platform& platform, const Pool& pool) {
  if (!isLdhLabel(pool.name)) {
    return fail(Errc::invalidInput, pool.name,
                "a pool's name is one label of lower-case letters, digits and inner hyphens, at most 63",
                "rename the pool (ip_pool.name)");
  }
  return prefixed({pool.name, label::kPoolSpf}, platform.name, pool.name);
}

Result<DnsName> platformName(const Platform& platform, std::string_view labelText) {
  return prefixed({labelText}, platform.name, platform.name.textNoDot());
}

Result<DnsName> selectorName(Slot slot, const DnsName& domain) {
  return prefixed({slotName(slot), "_domainkey"}, domain, domain.textNoDot());
}

Result<DnsName> dmarcName(const DnsName& domain) {
  return prefixed({"_dmarc"}, domain, domain.textNoDot());
}

Result<DnsName> reportName(const DnsName& policyDomain, const DnsName& host) {
  auto base = prefixed({"_report", "_dmarc"}, host, host.textNoDot());
  if (!base) return base;
  auto name = policyDomain.under(*base);
  if (!name) {
    return fail(Errc::limitExceeded, policyDomain.textNoDot(),
                "with \"._report._dmarc." + host.textNoDot() +
                    "\" behind it, the name is no longer within 255 octets (RFC 1035 section 2.3.4)",
                "use a report address (dmarc_rua) whose host name is shorter");
  }
  return name;
}

Result<DnsName> keyTargetName(const Platform& platform, Slot slot, std::string_view token) {
  if (auto ok = requireToken(token); !ok) return pass(ok);
  return prefixed({slotName(slot), token, label::kKeyTarget}, platform.name, platform.name.textNoDot());
}

Result<DnsName> returnPathName(const Platform& platform, std::string_view token) {
  if (auto ok = requireToken(token); !ok) return pass(ok);
  return prefixed({token, label::kReturnPath}, platform.name, platform.name.textNoDot());
}

Result<void> requireHostName(const DnsName& host, std::string_view column) {
  if (host.isHostName()) return {};
  return fail(Errc::invalidInput, host.textNoDot(),
              fmt::format("{} is a host name: letters, digits and inner hyphens (RFC 1123 section 2.1)", column),
              "correct the name");
}

}  // namespace mailzone::zonegen
