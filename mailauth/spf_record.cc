#include "mailauth/spf_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "mailauth/spf_macro.h"
#include "mailauth/text.h"

namespace mailzone::mailauth {
namespace {

constexpr std::size_t kMaxRecord = 64 * 1024;
constexpr unsigned kCountingLimit = 100;

constexpr std::array<std::pair<std::string_view, SpfMechanismKind>, 8> kKinds = {{
    {"all", SpfMechanismKind::all},
    {"include", SpfMechanismKind::include},
    {"a", SpfMechanismKind::a},
    {"mx", SpfMechanismKind::mx},
    {"ptr", SpfMechanismKind::ptr},
    {"ip4", SpfMechanismKind::ip4},
    {"ip6", SpfMechanismKind::ip6},
    {"exists", SpfMechanismKind::exists},
}};

constexpr std::array<std::pair<char, Verdict>, 4> kQualifiers = {
    {{'+', Verdict::pass}, {'-', Verdict::fail}, {'~', Verdict::softfail}, {'?', Verdict::neutral}}};

bool isModifierName(std::string_view name) noexcept {
  return !name.empty() && isAlpha(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return isAlnum(c) || c == '-' || c == '_' || c == '.'; });
}

// Takes "/NUMBER" off the end of `text` when it stands there, with `slashes` slashes in front.
bool takePrefixLength(std::string_view& text, std::string_view slashes, unsigned& length) {
  auto at = text.size();
  while (at > 0 && isDigit(text[at - 1])) --at;
  const auto digits = text.substr(at);
  if (digits.empty() || digits.size() > 3 || at < slashes.size()) return false;
  if (text.substr(at - slashes.size(), slashes.size()) != slashes) return false;
  if (digits.size() > 1 && digits.front() == '0') return false;  // "0" / %x31-39 ...
  length = 0;
  for (const char c : digits) length = length * 10 + static_cast<unsigned>(c - '0');
  text = text.substr(0, at - slashes.size());
  return true;
}

Result<void> parseNetwork(SpfMechanism& mechanism, std::string_view term, std::string_view argument) {
  const bool v4 = mechanism.kind == SpfMechanismKind::ip4;
  std::string_view addressText = argument;
  unsigned length = v4 ? 32 : 128;
  if (argument.find('/') != std::string_view::npos && !takePrefixLength(addressText, "/", length)) {
    return fail(Errc::invalidInput, term, "not a prefix length (RFC 7208 section 5.6)");
  }
  const auto address = IpAddress::parse(addressText);
  if (!address || address->isV4() != v4) {
    return fail(Errc::invalidInput, term, v4 ? "ip4 takes an IPv4 address" : "ip6 takes an IPv6 address");
  }
  auto network = IpNetwork::of(*address, length);
  if (!network) return pass(network);
  mechanism.network = *network;
  return {};
}

// domain-spec and dual-cidr-length of a and mx: "[:domain][/n][//m]".
Result<void> parseHost(SpfMechanism& mechanism, std::string_view term, std::string_view rest) {
  // "//128" before "/32": the longer ending first.
  const bool has6 = takePrefixLength(rest, "//", mechanism.prefix6);
  const bool has4 = takePrefixLength(rest, "/", mechanism.prefix4);
  if ((has6 && mechanism.prefix6 > 128) || (has4 && mechanism.prefix4 > 32)) {
    return fail(Errc::invalidInput, term, "the prefix length is too long (RFC 7208 section 5.6)");
  }
  if (rest.empty()) return {};
  if (rest.front() != ':') return fail(Errc::invalidInput, term, "not a prefix length (RFC 7208 section 5.6)");
  mechanism.domainSpec = rest.substr(1);
  return checkSpfDomainSpec(mechanism.domainSpec);
}

Result<SpfMechanism> parseMechanism(std::string_view term) {
  SpfMechanism mechanism;
  std::string_view rest = term;
  for (const auto& [sign, verdict] : kQualifiers) {
    if (rest.front() == sign) {
      mechanism.qualifier = verdict;
      rest.remove_prefix(1);
      break;
    }
  }
  const auto name = rest.substr(0, rest.find_first_of(":/"));
  rest.remove_prefix(name.size());
  const auto* known = std::find_if(kKinds.begin(), kKinds.end(),
                                   [name](const auto& kind) { return equalsIgnoreCase(kind.first, name); });
  if (known == kKinds.end()) return fail(Errc::invalidInput, term, "unknown mechanism (RFC 7208 section 4.6.1)");
  mechanism.kind = known->second;
  const bool hasArgument = !rest.empty() && rest.front() == ':';
  Result<void> done;
  switch (mechanism.kind) {
    case SpfMechanismKind::all:
      if (!rest.empty()) done = fail(Errc::invalidInput, term, "all takes no argument (RFC 7208 section 5.1)");
      break;
    case SpfMechanismKind::a:
    case SpfMechanismKind::mx:
      done = parseHost(mechanism, term, rest);
      break;
    case SpfMechanismKind::ip4:
    case SpfMechanismKind::ip6:
      done = parseNetwork(mechanism, term, hasArgument ? rest.substr(1) : std::string_view());
      break;
    case SpfMechanismKind::ptr:
      if (rest.empty()) break;
      [[fallthrough]];
    case SpfMechanismKind::include:
    case SpfMechanismKind::exists:
      if (!hasArgument) {
        done = fail(Errc::invalidInput, term, "a domain is missing");
        break;
      }
      mechanism.domainSpec = rest.substr(1);
      done = checkSpfDomainSpec(mechanism.domainSpec);
      break;
  }
  if (!done) return pass(done);
  return mechanism;
}

Result<void> parseModifier(SpfRecord& record, std::string_view term, std::string_view name, std::string_view value) {
  const bool redirect = equalsIgnoreCase(name, "redirect");
  if (redirect || equalsIgnoreCase(name, "exp")) {
    auto& field = redirect ? record.redirect : record.exp;
    if (field) return fail(Errc::invalidInput, term, "the modifier stands twice (RFC 7208 section 6)");
    field = std::string(value);
    return checkSpfDomainSpec(value);
  }
  if (auto macros = parseSpfMacros(value, SpfMacroUse::domainSpec); !macros) return pass(macros);
  record.modifiers.emplace_back(name, value);
  return {};
}

// countLookups() walks the records below one.
class Counter {
 public:
  explicit Counter(Resolver& resolver) : resolver_(resolver) {}

  Result<void> count(const SpfRecord& record) {
    bool all = false;
    for (const auto& mechanism : record.mechanisms) {
      if (mechanism.kind == SpfMechanismKind::all) {
        all = true;
        break;  // nothing after it is ever evaluated
      }
      if (mechanism.kind == SpfMechanismKind::ip4 || mechanism.kind == SpfMechanismKind::ip6) continue;
      ++budget_.lookups;
      if (mechanism.kind != SpfMechanismKind::include) continue;
      if (auto done = follow(mechanism.domainSpec); !done) return done;
    }
    if (record.redirect && !all) {
      ++budget_.lookups;
      return follow(*record.redirect);
    }
    return {};
  }

  SpfBudget take() { return std::move(budget_); }

 private:
  Result<void> follow(const std::string& domainSpec) {
    if (budget_.lookups > kCountingLimit) {
      return fail(Errc::limitExceeded, domainSpec, "the records below cost more than 100 lookups",
                  "include fewer senders: a receiver allows 10 (RFC 7208 section 4.6.4)");
    }
    if (domainSpec.find('%') != std::string::npos) {
      budget_.notes.push_back(domainSpec + " depends on the message; what it includes is not counted");
      return {};
    }
    const auto name = nameFromRaw(domainSpec);
    if (!name) return pass(name);
    if (!path_.insert(*name).second) {
      return fail(Errc::limitExceeded, domainSpec, "the record includes itself",
                  "remove one of the includes of the loop");
    }
    const auto answer = resolver_.txt(*name);
    if (!answer) return pass(answer);
    std::vector<std::string> found;
    std::copy_if(answer->records.begin(), answer->records.end(), std::back_inserter(found), isSpfRecord);
    if (found.size() != 1) {
      return fail(Errc::invalidInput, domainSpec,
                  fmt::format("has {} SPF records, which makes a record that includes it permerror (RFC 7208 section "
                              "5.2)",
                              found.size()),
                  "include a name with exactly one SPF record");
    }
    auto record = parseSpfRecord(found.front());
    if (!record) return pass(record);
    auto done = count(*record);
    path_.erase(*name);
    return done;
  }

  Resolver& resolver_;
  SpfBudget budget_;
  std::set<DnsName> path_;
};

}  // namespace

SpfMechanism SpfMechanism::all(Verdict qualifier) {
  SpfMechanism mechanism;
  mechanism.qualifier = qualifier;
  return mechanism;
}

SpfMechanism SpfMechanism::include(const DnsName& domain) {
  SpfMechanism mechanism;
  mechanism.kind = SpfMechanismKind::include;
  mechanism.domainSpec = rawText(domain);
  return mechanism;
}

SpfMechanism SpfMechanism::ip(const IpNetwork& network) {
  SpfMechanism mechanism;
  mechanism.kind = network.address().isV4() ? SpfMechanismKind::ip4 : SpfMechanismKind::ip6;
  mechanism.network = network;
  return mechanism;
}

SpfMechanism SpfMechanism::ownAddress() {
  SpfMechanism mechanism;
  mechanism.kind = SpfMechanismKind::a;
  return mechanism;
}

bool isSpfRecord(std::string_view txt) noexcept {
  constexpr std::string_view kVersion = "v=spf1";
  return startsWithIgnoreCase(txt, kVersion) && (txt.size() == kVersion.size() || txt[kVersion.size()] == ' ');
}

Result<SpfRecord> parseSpfRecord(std::string_view txt) {
  if (!isSpfRecord(txt)) {
    return fail(Errc::invalidInput, txt, "an SPF record begins with v=spf1 and a blank (RFC 7208 section 4.5)");
  }
  if (txt.size() > kMaxRecord) {
    return fail(Errc::limitExceeded, txt.substr(0, 40), "an SPF record has at most 65536 octets");
  }
  SpfRecord record;
  for (const auto term : split(txt.substr(6), ' ')) {
    if (term.empty()) continue;
    const auto equals = term.find('=');
    if (equals != std::string_view::npos && isModifierName(term.substr(0, equals))) {
      if (auto done = parseModifier(record, term, term.substr(0, equals), term.substr(equals + 1)); !done) {
        return pass(done);
      }
      continue;
    }
    auto mechanism = parseMechanism(term);
    if (!mechanism) return pass(mechanism);
    record.mechanisms.push_back(std::move(*mechanism));
  }
  return record;
}

std::string printSpfRecord(const SpfRecord& record) {
  std::string out = "v=spf1";
  for (const auto& mechanism : record.mechanisms) out += ' ' + printSpfMechanism(mechanism);
  if (record.redirect) out += " redirect=" + *record.redirect;
  if (record.exp) out += " exp=" + *record.exp;
  for (const auto& [name, value] : record.modifiers) out += ' ' + name + '=' + value;
  return out;
}

std::string printSpfMechanism(const SpfMechanism& mechanism) {
  std::string out;
  for (const auto& [sign, verdict] : kQualifiers) {
    if (verdict == mechanism.qualifier && sign != '+') out += sign;
  }
  for (const auto& [name, kind] : kKinds) {
    if (kind == mechanism.kind) out += name;
  }
  if (!mechanism.domainSpec.empty()) out += ':' + mechanism.domainSpec;
  if (mechanism.network) {
    const auto& network = *mechanism.network;
    const bool whole = network.prefixLength() == network.address().bits();
    out += ':' + (whole ? network.address().text() : network.text());
  }
  if (mechanism.prefix4 != 32) out += fmt::format("/{}", mechanism.prefix4);
  if (mechanism.prefix6 != 128) out += fmt::format("//{}", mechanism.prefix6);
  return out;
}

std::vector<IpNetwork> mergeNetworks(std::vector<IpNetwork> networks) {
  for (bool changed = true; changed;) {
    changed = false;
    // Sorted by address, then length: a network stands before those that it covers and beside its other half.
    std::sort(networks.begin(), networks.end());
    std::vector<IpNetwork> out;
    for (const auto& network : networks) {
      if (!out.empty() && out.back().prefixLength() <= network.prefixLength() &&
          out.back().contains(network.address())) {
        changed = true;
        continue;
      }
      if (!out.empty() && out.back().prefixLength() == network.prefixLength() && network.prefixLength() > 0) {
        const auto parent = IpNetwork::of(network.address(), network.prefixLength() - 1);
        if (parent && parent->contains(out.back().address())) {
          out.back() = *parent;
          changed = true;
          continue;
        }
      }
      out.push_back(network);
    }
    networks = std::move(out);
  }
  return networks;
}

Result<SpfBudget> countLookups(const SpfRecord& record, Resolver& resolver) {
  Counter counter(resolver);
  if (auto done = counter.count(record); !done) return pass(done);
  return counter.take();
}

}  // namespace mailzone::mailauth
