#include "mailauth/spf.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "mailauth/spf_macro.h"
#include "mailauth/text.h"

namespace mailzone::mailauth {
namespace {

/// The evaluation ends here, whatever the record says next.
struct Stop {
  Verdict verdict;
  std::string reason;
};
template <class T>
using Step = tl::expected<T, Stop>;

tl::unexpected<Stop> stop(Verdict verdict, std::string reason) {
  return tl::unexpected<Stop>(Stop{verdict, std::move(reason)});
}
template <class T>
tl::unexpected<Stop> handOn(const Step<T>& failed) {
  return tl::unexpected<Stop>(failed.error());
}

/// What check_host() says about one domain.
struct Outcome {
  Verdict verdict = Verdict::none;
  std::string mechanism;
  std::string reason;
  std::string exp;    ///< unexpanded domain-spec of the explanation, or ""
  DnsName expDomain;  ///< <domain> where that stands
};

class Check {
 public:
  Check(const SpfRequest& request, Resolver& resolver, const SpfLimits& limits)
      : request_(request), resolver_(resolver), limits_(limits), client_(request.client.unmapped()) {
    if (limits_.clock != nullptr) deadline_ = limits_.clock->now() + limits_.time;
  }

  SpfResult run() {
    SpfResult result;
    const auto at = request_.mailFrom.rfind('@');
    result.helo = request_.mailFrom.empty();
    // RFC 7208 section 2.4: the null sender is checked as postmaster@HELO; section 4.3: so is a missing local part.
    const std::string given = result.helo               ? request_.helo
                              : at == std::string::npos ? request_.mailFrom
                                                        : request_.mailFrom.substr(at + 1);
    local_ = result.helo || at == std::string::npos || at == 0 ? "postmaster" : request_.mailFrom.substr(0, at);
    const auto domain = senderDomain(given);
    if (!domain) {
      result.reason = '"' + escapeForDisplay(given) + "\" is not a domain name of two labels or more";
      return result;
    }
    senderDomain_ = rawText(*domain);
    result.domain = *domain;
    Outcome outcome = checkHost(*domain);
    result.verdict = outcome.verdict;
    result.mechanism = outcome.mechanism;
    result.reason = outcome.reason;
    result.lookups = lookups_;
    result.voidLookups = voidLookups_;
    if (outcome.verdict == Verdict::fail && !outcome.exp.empty()) result.explanation = explain(outcome);
    return result;
  }

 private:
  // Section 4.3: malformed, or of a single label: none. U-labels are turned into A-labels first (RFC 8616 section 4).
  static std::optional<DnsName> senderDomain(std::string_view text) {
    const bool ascii =
        std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
    const auto name = ascii ? nameFromRaw(text) : DnsName::parseUnicode(text);
    if (!name || name->labelCount() < 2 || text.front() == '[') return std::nullopt;
    return *name;
  }

  // ---- look-ups ----

  Step<void> beforeQuery() const {
    if (deadline_ && limits_.clock->now() >= *deadline_) {
      return stop(Verdict::temperror, fmt::format("the evaluation took longer than {} s", limits_.time.count()));
    }
    return {};
  }

  // Section 4.6.4: terms that cause look-ups are counted over all includes.
  Step<void> countTerm(std::string_view term) {
    if (++lookups_ > limits_.lookups) {
      return stop(Verdict::permerror, fmt::format("\"{}\" is look-up {}; {} are allowed (RFC 7208 section 4.6.4)", term,
                                                  lookups_, limits_.lookups));
    }
    return beforeQuery();
  }

  template <class T>
  Step<std::vector<T>> records(Result<Answer<T>> answer, const DnsName& name) {
    if (!answer) {
      return stop(Verdict::temperror,
                  fmt::format("{} could not be looked up: {}", name.textNoDot(), describe(answer.error())));
    }
    if (answer->records.empty() && ++voidLookups_ > limits_.voidLookups) {
      return stop(Verdict::permerror,
                  fmt::format("{} has no such record; more than {} such look-ups (RFC 7208 section 4.6.4)",
                              name.textNoDot(), limits_.voidLookups));
    }
    return std::move(answer->records);
  }

  Step<std::vector<IpAddress>> addresses(const DnsName& name) {
    if (auto ready = beforeQuery(); !ready) return handOn(ready);
    return records(client_.isV4() ? resolver_.a(name) : resolver_.aaaa(name), name);
  }

  // ---- macros ----

  std::string clientDotted() const {
    if (client_.isV4()) return client_.text();
    std::string out;
    for (const auto octet : client_.octets()) out += fmt::format("{:X}.{:X}.", octet >> 4U, octet & 15U);
    out.pop_back();
    return out;
  }

  Step<std::string> macroValue(char letter, const DnsName& domain) {
    switch (letter) {
      case 's':
        return local_ + '@' + senderDomain_;
      case 'l':
        return local_;
      case 'o':
        return senderDomain_;
      case 'd':
        return rawText(domain);
      case 'i':
        return clientDotted();
      case 'p':
        return validatedName(domain);
      case 'v':
        return std::string(client_.isV4() ? "in-addr" : "ip6");
      case 'h':
        return request_.helo;
      case 'c':
        return client_.text();
      case 'r':
        return request_.receiver;
      default: {  // 't'
        const auto now = limits_.clock != nullptr ? limits_.clock->now() : TimePoint{};
        return fmt::format("{}", std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
      }
    }
  }

  Step<std::string> expand(std::string_view text, SpfMacroUse use, const DnsName& domain) {
    const auto pieces = parseSpfMacros(text, use);
    if (!pieces) return stop(Verdict::permerror, describe(pieces.error()));
    std::string out;
    for (const auto& piece : *pieces) {
      if (piece.letter == 0) {
        out += piece.literal;
        continue;
      }
      auto value = macroValue(piece.letter, domain);
      if (!value) return value;
      out += transformSpfMacro(piece, *value);
    }
    return out;
  }

  // Section 7.3: too long a name loses labels from the left. Nothing: it is no name, and no look-up can match.
  Step<std::optional<DnsName>> target(const std::string& domainSpec, const DnsName& domain) {
    if (domainSpec.empty()) return std::optional<DnsName>(domain);
    auto text = expand(domainSpec, SpfMacroUse::domainSpec, domain);
    if (!text) return handOn(text);
    std::string_view rest = *text;
    if (!rest.empty() && rest.back() == '.') rest.remove_suffix(1);
    while (rest.size() > 253) {
      const auto dot = rest.find('.');
      if (dot == std::string_view::npos) return std::optional<DnsName>();
      rest.remove_prefix(dot + 1);
    }
    const auto name = nameFromRaw(rest);
    return name ? std::optional<DnsName>(*name) : std::nullopt;
  }

  // Section 5.5: names whose addresses hold the client. A failing look-up leaves a name out, and is no error.
  const std::vector<DnsName>& validatedNames() {
    if (validated_) return *validated_;
    validated_.emplace();
    const auto reverse = client_.reverseName();
    auto names = resolver_.ptr(reverse);
    if (!names) return *validated_;
    if (names->records.empty()) ++voidLookups_;
    if (names->records.size() > limits_.ptrNames) names->records.resize(limits_.ptrNames, reverse);
    for (const auto& name : names->records) {
      const auto answer = client_.isV4() ? resolver_.a(name) : resolver_.aaaa(name);
      if (!answer) continue;
      const auto& found = answer->records;
      if (std::find(found.begin(), found.end(), client_) != found.end()) validated_->push_back(name);
    }
    return *validated_;
  }

  // Section 7.3, "p": the domain itself, else a name below it, else any; "unknown" when there is none.
  Step<std::string> validatedName(const DnsName& domain) {
    if (!validated_) {
      if (auto counted = countTerm("%{p}"); !counted) return handOn(counted);
    }
    const auto& names = validatedNames();
    if (names.empty()) return std::string("unknown");
    if (std::find(names.begin(), names.end(), domain) != names.end()) return rawText(domain);
    const auto below =
        std::find_if(names.begin(), names.end(), [&domain](const DnsName& name) { return name.isAtOrBelow(domain); });
    return rawText(below != names.end() ? *below : names.front());
  }

  // ---- mechanisms (section 5) ----

  bool holdsClient(const std::vector<IpAddress>& found, const SpfMechanism& mechanism) const {
    const unsigned length = client_.isV4() ? mechanism.prefix4 : mechanism.prefix6;
    return std::any_of(found.begin(), found.end(), [&](const IpAddress& address) {
      const auto network = IpNetwork::of(address, length);
      return network && network->contains(client_);
    });
  }

  Step<bool> matchesMx(const SpfMechanism& mechanism, const DnsName& name) {
    auto found = records(resolver_.mx(name), name);
    if (!found) return handOn(found);
    if (found->size() > limits_.mxHosts) {
      return stop(Verdict::permerror, fmt::format("{} has {} MX records; {} are allowed (RFC 7208 section 4.6.4)",
                                                  name.textNoDot(), found->size(), limits_.mxHosts));
    }
    std::sort(found->begin(), found->end(),
              [](const MailExchanger& a, const MailExchanger& b) { return a.preference < b.preference; });
    for (const auto& exchanger : *found) {
      if (exchanger.host.isRoot()) continue;  // null MX (RFC 7505)
      const auto hosts = addresses(exchanger.host);
      if (!hosts) return handOn(hosts);
      if (holdsClient(*hosts, mechanism)) return true;
    }
    return false;
  }

  Step<bool> matchesInclude(const DnsName& name) {
    const Outcome inner = checkHost(name);
    const auto why = [&] { return fmt::format("include:{}: {}", name.textNoDot(), inner.reason); };
    switch (inner.verdict) {
      case Verdict::pass:
        return true;
      case Verdict::temperror:
        return stop(Verdict::temperror, why());
      case Verdict::none:
      case Verdict::permerror:
        return stop(Verdict::permerror, why());
      default:
        return false;
    }
  }

  Step<bool> matches(const SpfMechanism& mechanism, const DnsName& domain) {
    if (mechanism.kind == SpfMechanismKind::all) return true;
    if (mechanism.network) return mechanism.network->contains(client_);
    if (auto counted = countTerm(printSpfMechanism(mechanism)); !counted) return handOn(counted);
    const auto name = target(mechanism.domainSpec, domain);
    if (!name) return handOn(name);
    if (!*name) {
      // Section 4.8 leaves it open; an include of what is no name has no record (section 5.2).
      if (mechanism.kind != SpfMechanismKind::include) return false;
      return stop(Verdict::permerror, printSpfMechanism(mechanism) + ": not a domain name after expansion");
    }
    switch (mechanism.kind) {
      case SpfMechanismKind::include:
        return matchesInclude(**name);
      case SpfMechanismKind::a: {
        const auto found = addresses(**name);
        if (!found) return handOn(found);
        return holdsClient(*found, mechanism);
      }
      case SpfMechanismKind::mx:
        return matchesMx(mechanism, **name);
      case SpfMechanismKind::exists: {  // always A, whatever the connection is (section 5.7)
        const auto found = records(resolver_.a(**name), **name);
        if (!found) return handOn(found);
        return !found->empty();
      }
      default: {  // ptr
        const auto& names = validatedNames();
        return std::any_of(names.begin(), names.end(),
                           [&name](const DnsName& candidate) { return candidate.isAtOrBelow(**name); });
      }
    }
  }

  // ---- check_host() (section 4) ----

  Step<std::optional<SpfRecord>> recordOf(const DnsName& domain) {
    if (auto ready = beforeQuery(); !ready) return handOn(ready);
    const auto answer = resolver_.txt(domain);
    if (!answer) {
      return stop(Verdict::temperror,
                  fmt::format("{} could not be looked up: {}", domain.textNoDot(), describe(answer.error())));
    }
    std::vector<std::string> found;
    std::copy_if(answer->records.begin(), answer->records.end(), std::back_inserter(found), isSpfRecord);
    if (found.empty()) return std::optional<SpfRecord>();
    if (found.size() > 1) {
      return stop(Verdict::permerror, fmt::format("{} has {} SPF records; one is allowed (RFC 7208 section 4.5)",
                                                  domain.textNoDot(), found.size()));
    }
    auto record = parseSpfRecord(found.front());
    if (!record) {
      return stop(Verdict::permerror,
                  fmt::format("SPF record of {}: {}", domain.textNoDot(), describe(record.error())));
    }
    return std::optional<SpfRecord>(std::move(*record));
  }

  Outcome checkHost(const DnsName& domain) {
    auto outcome = evaluate(domain);
    if (outcome) return std::move(*outcome);
    return Outcome{outcome.error().verdict, "", outcome.error().reason, "", {}};
  }

  Step<Outcome> evaluate(const DnsName& domain) {
    const auto record = recordOf(domain);
    if (!record) return handOn(record);
    if (!*record) return Outcome{Verdict::none, "", domain.textNoDot() + " has no SPF record", "", {}};
    for (const auto& mechanism : (*record)->mechanisms) {
      const auto matched = matches(mechanism, domain);
      if (!matched) return handOn(matched);
      if (!*matched) continue;
      const auto printed = printSpfMechanism(mechanism);
      const auto reason = fmt::format("{} matches \"{}\" of {}", client_.text(), printed, domain.textNoDot());
      return Outcome{mechanism.qualifier, printed, reason, (*record)->exp.value_or(""), domain};
    }
    if ((*record)->redirect) return redirect(*(*record)->redirect, domain);
    return Outcome{Verdict::neutral, "", "nothing in the record of " + domain.textNoDot() + " matches", "", {}};
  }

  // Section 6.1. "all" always matches, so a record that has it never comes here.
  Step<Outcome> redirect(const std::string& domainSpec, const DnsName& domain) {
    const std::string term = "redirect=" + domainSpec;
    if (auto counted = countTerm(term); !counted) return handOn(counted);
    const auto name = target(domainSpec, domain);
    if (!name) return handOn(name);
    if (!*name) return stop(Verdict::permerror, term + ": not a domain name after expansion");
    auto outcome = evaluate(**name);
    if (outcome && outcome->verdict == Verdict::none) {
      return stop(Verdict::permerror, term + ": " + outcome->reason);
    }
    return outcome;
  }

  // Section 6.2: whatever goes wrong, there is just no explanation.
  std::string explain(const Outcome& outcome) {
    const auto name = target(outcome.exp, outcome.expDomain);
    if (!name || !*name) return {};
    const auto answer = resolver_.txt(**name);
    if (!answer || answer->records.size() != 1) return {};
    auto text = expand(answer->records.front(), SpfMacroUse::explanation, outcome.expDomain);
    if (!text || text->size() > 1000) return {};
    const bool printable = std::all_of(text->begin(), text->end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    return printable ? *text : std::string();
  }

  const SpfRequest& request_;
  Resolver& resolver_;
  const SpfLimits& limits_;
  const IpAddress client_;
  std::optional<TimePoint> deadline_;
  std::string local_;
  std::string senderDomain_;
  unsigned lookups_ = 0;
  unsigned voidLookups_ = 0;
  std::optional<std::vector<DnsName>> validated_;
};

}  // namespace

SpfResult checkSpf(const SpfRequest& request, Resolver& resolver, const SpfLimits& limits) {
  return Check(request, resolver, limits).run();
}

}  // namespace mailzone::mailauth
