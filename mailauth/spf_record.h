// The SPF record as a value (RFC 7208 sections 4.6.1, 5, 6 and 12): parse, print, and what a generator needs.
// Evaluation is in spf.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/dns_name.h"
#include "core/ip_address.h"
#include "core/resolver.h"
#include "core/result.h"
#include "mailauth/verdict.h"

namespace mailzone::mailauth {

enum class SpfMechanismKind { all, include, a, mx, ptr, ip4, ip6, exists };

/// One directive. The constructing functions make those that our own records consist of.
struct SpfMechanism {
  SpfMechanismKind kind = SpfMechanismKind::all;
  Verdict qualifier = Verdict::pass;  ///< pass "+", fail "-", softfail "~" or neutral "?"
  std::string domainSpec;             ///< unexpanded; "" where it is absent and the current domain is meant
  std::optional<IpNetwork> network;   ///< ip4 and ip6 only
  unsigned prefix4 = 32;              ///< a and mx only
  unsigned prefix6 = 128;             ///< a and mx only

  [[nodiscard]] static SpfMechanism all(Verdict qualifier);
  [[nodiscard]] static SpfMechanism include(const DnsName& domain);
  [[nodiscard]] static SpfMechanism ip(const IpNetwork& network);
  /// `a` of the current domain: what a HELO host publishes.
  [[nodiscard]] static SpfMechanism ownAddress();

  friend bool operator==(const SpfMechanism&, const SpfMechanism&) = default;
};

/// A record without syntax errors.
struct SpfRecord {
  std::vector<SpfMechanism> mechanisms;
  std::optional<std::string> redirect;                         ///< unexpanded domain-spec
  std::optional<std::string> exp;                              ///< unexpanded domain-spec
  std::vector<std::pair<std::string, std::string>> modifiers;  ///< unknown ones, name and value: ignored, but kept
  friend bool operator==(const SpfRecord&, const SpfRecord&) = default;
};

/// Whether this TXT text is an SPF record at all (section 4.5): "v=spf1" followed by a blank or the end.
[[nodiscard]] bool isSpfRecord(std::string_view txt) noexcept;
/// Any syntax error anywhere is an error (section 4.6). Texts above 64 KiB are refused.
[[nodiscard]] Result<SpfRecord> parseSpfRecord(std::string_view txt);
/// `parseSpfRecord(printSpfRecord(x)) == x`; the "+" is left out, modifiers come last.
[[nodiscard]] std::string printSpfRecord(const SpfRecord& record);
/// One directive as it stands in a record: "~all", "ip4:192.0.2.0/24".
[[nodiscard]] std::string printSpfMechanism(const SpfMechanism& mechanism);

/// The same set of addresses in the fewest networks: duplicates and covered ones go, halves are joined; sorted.
[[nodiscard]] std::vector<IpNetwork> mergeNetworks(std::vector<IpNetwork> networks);

/// RFC 7208 section 4.6.4.
inline constexpr unsigned kSpfLookupLimit = 10;

/// What a record costs a receiver at worst, when no mechanism matches early.
struct SpfBudget {
  unsigned lookups = 0;            ///< include, a, mx, ptr, exists and redirect terms, over all includes
  std::vector<std::string> notes;  ///< what could not be followed: domain-specs with macros
  [[nodiscard]] bool fits() const noexcept { return lookups <= kSpfLookupLimit; }
};
/// Counts over the included and redirected records. Errc::temporary: cannot tell. Errc::invalidInput: an included name
/// has no record, two, or a malformed one, which makes the whole record permerror. Errc::limitExceeded: the record
/// includes itself, or costs more than 100 lookups (the exact number does not matter any more).
[[nodiscard]] Result<SpfBudget> countLookups(const SpfRecord& record, Resolver& resolver);

}  // namespace mailzone::mailauth
