#include "mailauth/dmarc.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace mailzone::mailauth {
namespace {

// What stands at _dmarc.NAME.
struct Found {
  std::optional<DmarcRecord> record;
  bool isVoid = false;  // one that begins like a record and is none
};

struct Step {
  DnsName name;
  DmarcRecord record;
};

// One tree walk (RFC 9989 section 4.10), from the longest name to the shortest.
struct Walk {
  DnsName start;
  std::vector<Step> steps;
  bool startIsVoid = false;
  bool anyVoid = false;
};

/// Look-ups of one evaluation: nothing is asked twice.
class Dns {
 public:
  explicit Dns(Resolver& resolver) : resolver_(resolver) {}

  Result<Found> at(const DnsName& domain) {
    if (const auto known = known_.find(domain); known != known_.end()) return known->second;
    Found found;
    const auto name = domain.child("_dmarc");
    if (name) {  // a name without room for _dmarc has no record
      const auto answer = resolver_.txt(*name);
      if (!answer) return pass(answer);
      std::vector<std::string> texts;
      std::copy_if(answer->records.begin(), answer->records.end(), std::back_inserter(texts), isDmarcRecord);
      // Several: all are discarded (section 4.10).
      if (texts.size() == 1) {
        const auto record = parseDmarcRecord(texts.front());
        found.isVoid = !record;
        if (record) found.record = *record;
      }
    }
    return known_.emplace(domain, found).first->second;
  }

  Result<Walk> walk(const DnsName& start) {
    Walk walk;
    walk.start = start;
    DnsName name = start;
    for (std::size_t queries = 0; queries < kDmarcWalkLimit && !name.isRoot(); ++queries) {
      const auto found = at(name);
      if (!found) return pass(found);
      walk.anyVoid = walk.anyVoid || found->isVoid;
      walk.startIsVoid = walk.startIsVoid || (found->isVoid && name == start);
      if (found->record) {
        walk.steps.push_back({name, *found->record});
        if (found->record->psd != PublicSuffix::unknown) break;
      }
      // Of 8 labels and more the walk goes on at the right-most 7.
      name = name.labelCount() >= kDmarcWalkLimit ? name.rightmost(kDmarcWalkLimit - 1) : name.parent();
    }
    return walk;
  }

  /// Nothing but NXDOMAIN means that a name does not exist (section 3.2.13).
  Result<bool> exists(const DnsName& domain) {
    const auto answer = resolver_.a(domain);
    if (!answer) return pass(answer);
    return answer->nameExists;
  }

 private:
  Resolver& resolver_;
  std::map<DnsName, Found> known_;
};

// Section 4.10.2.
DnsName organizationalOf(const Walk& walk) {
  for (const auto& step : walk.steps) {
    if (step.record.psd == PublicSuffix::no) return step.name;
    if (step.record.psd == PublicSuffix::yes && step.name != walk.start) {
      return walk.start.rightmost(step.name.labelCount() + 1);
    }
  }
  return walk.steps.empty() ? walk.start : walk.steps.back().name;
}

// Section 4.10.1: the author's own record, else the organizational domain's, else the public suffix's.
Result<DmarcDiscovery> discover(const DnsName& author, Dns& dns) {
  const auto walk = dns.walk(author);
  if (!walk) return pass(walk);
  DmarcDiscovery out;
  out.organizationalDomain = organizationalOf(*walk);
  out.recordDomain = author;
  const auto voidRecord = [&author] {
    return fail(Errc::invalidInput, author.textNoDot(), "its DMARC record is void",
                "publish v=DMARC1; p=none, quarantine or reject (RFC 9989 section 4.10.1)");
  };
  if (walk->startIsVoid) return voidRecord();
  const auto stepAt = [&walk](auto&& wanted) { return std::find_if(walk->steps.begin(), walk->steps.end(), wanted); };
  auto step = stepAt([&](const Step& s) { return s.name == author; });
  if (step != walk->steps.end()) {
    out.record = step->record;
    out.policy = step->record.policy;
    return out;
  }
  step = stepAt([&](const Step& s) { return s.name == out.organizationalDomain; });
  if (step == walk->steps.end()) step = stepAt([](const Step& s) { return s.record.psd == PublicSuffix::yes; });
  if (step == walk->steps.end()) {
    if (walk->anyVoid) return voidRecord();
    return out;
  }
  const auto& record = step->record;
  out.record = record;
  out.recordDomain = step->name;
  out.policy = record.subdomainPolicy.value_or(record.policy);
  if (record.nonexistentPolicy && *record.nonexistentPolicy != out.policy) {
    const auto exists = dns.exists(author);
    if (!exists) return pass(exists);
    if (!*exists) out.policy = *record.nonexistentPolicy;
  }
  return out;
}

DmarcPolicy oneStepLess(DmarcPolicy policy) noexcept {
  return policy == DmarcPolicy::reject ? DmarcPolicy::quarantine : DmarcPolicy::none;
}

DmarcAlignment alignmentOf(bool spf, bool dkim) noexcept {
  if (spf && dkim) return DmarcAlignment::both;
  if (spf) return DmarcAlignment::spf;
  return dkim ? DmarcAlignment::dkim : DmarcAlignment::none;
}

/// Alignment of identifiers with one author (section 4.4).
class Aligner {
 public:
  Aligner(const DnsName& author, const DnsName& organizational, Dns& dns)
      : author_(author), organizational_(organizational), dns_(dns) {}

  Result<bool> relaxed(const DnsName& identifier) {
    if (identifier == author_) return true;
    // An organizational domain is the name itself or above it: outside the author's there is nothing to ask.
    if (!identifier.isAtOrBelow(organizational_)) return false;
    const auto walk = dns_.walk(identifier);
    if (!walk) return pass(walk);
    return organizationalOf(*walk) == organizational_;
  }

 private:
  const DnsName& author_;
  const DnsName& organizational_;
  Dns& dns_;
};

struct Aligned {
  bool byRecord = false;
  bool relaxed = false;
  bool unknown = false;  // it may be aligned; a look-up failed
  std::string why;
};

Aligned align(Aligner& aligner, const DnsName& author, const DnsName& identifier, AlignmentMode mode) {
  Aligned out;
  const auto relaxed = aligner.relaxed(identifier);
  if (!relaxed) {
    out.unknown = mode == AlignmentMode::relaxed;  // strictly, another name is not aligned, whatever the walk says
    out.why = describe(relaxed.error());
    return out;
  }
  out.relaxed = *relaxed;
  out.byRecord = mode == AlignmentMode::strict ? identifier == author : *relaxed;
  return out;
}

/// Gathers what the mechanisms say for one author, then decides.
class Evaluation {
 public:
  Evaluation(const DnsName& author, const DmarcDiscovery& discovery, Dns& dns)
      : author_(author), discovery_(discovery), aligner_(author, discovery.organizationalDomain, dns) {}

  void add(const SpfResult& spf) {
    if (!spf.domain || (spf.verdict != Verdict::pass && spf.verdict != Verdict::temperror)) return;
    const auto aligned = align(aligner_, author_, *spf.domain, mode(&DmarcRecord::aspf));
    note(aligned, spf.verdict, "SPF: " + spf.reason);
    if (spf.verdict != Verdict::pass) return;
    spf_ = aligned.byRecord;
    relaxedSpf_ = aligned.relaxed;
  }

  void add(const std::vector<DkimResult>& signatures) {
    for (std::size_t i = 0; i < signatures.size(); ++i) {
      const auto& one = signatures[i];
      if (!one.domain || (one.verdict != Verdict::pass && one.verdict != Verdict::temperror)) continue;
      const auto aligned = align(aligner_, author_, *one.domain, mode(&DmarcRecord::adkim));
      note(aligned, one.verdict, "DKIM: " + one.reason);
      if (one.verdict != Verdict::pass) continue;
      relaxedDkim_ = relaxedDkim_ || aligned.relaxed;
      if (aligned.byRecord && !signature_) signature_ = i;
    }
  }

  DmarcResult decide() const {
    DmarcResult result;
    result.record = discovery_.record;
    result.recordDomain = discovery_.recordDomain;
    result.organizationalDomain = discovery_.organizationalDomain;
    result.policy = discovery_.policy;
    result.alignment = alignmentOf(spf_, signature_.has_value());
    result.relaxedAlignment = alignmentOf(relaxedSpf_, relaxedDkim_);
    result.alignedSignature = signature_;
    if (!discovery_.record) {
      result.reason = author_.textNoDot() + " has no DMARC record";
    } else if (result.alignment != DmarcAlignment::none) {
      result.verdict = Verdict::pass;
      result.reason = fmt::format("aligned by {}", word(result.alignment));
    } else if (!unknown_.empty()) {
      result.verdict = Verdict::temperror;  // it may yet pass: not a fail
      result.reason = unknown_;
    } else {
      result.verdict = Verdict::fail;
      result.disposition = discovery_.record->testing ? oneStepLess(result.policy) : result.policy;
      result.reason = fmt::format("neither SPF nor DKIM passed for a domain aligned with {}; policy {} of {}{}",
                                  author_.textNoDot(), word(result.policy), result.recordDomain.textNoDot(),
                                  discovery_.record->testing ? ", in testing mode" : "");
    }
    return result;
  }

 private:
  AlignmentMode mode(AlignmentMode DmarcRecord::*field) const {
    return discovery_.record ? (*discovery_.record).*field : AlignmentMode::relaxed;
  }

  void note(const Aligned& aligned, Verdict verdict, std::string why) {
    if (aligned.unknown && unknown_.empty()) unknown_ = aligned.why;
    if (verdict == Verdict::temperror && aligned.byRecord && unknown_.empty()) unknown_ = std::move(why);
  }

  const DnsName& author_;
  const DmarcDiscovery& discovery_;
  Aligner aligner_;
  bool spf_ = false;
  bool relaxedSpf_ = false;
  bool relaxedDkim_ = false;
  std::optional<std::size_t> signature_;
  std::string unknown_;
};

}  // namespace

Result<DmarcDiscovery> discoverDmarc(const DnsName& authorDomain, Resolver& resolver) {
  Dns dns(resolver);
  return discover(authorDomain, dns);
}

Result<DnsName> organizationalDomain(const DnsName& domain, Resolver& resolver) {
  Dns dns(resolver);
  const auto walk = dns.walk(domain);
  if (!walk) return pass(walk);
  return organizationalOf(*walk);
}

std::string_view word(DmarcAlignment alignment) noexcept {
  switch (alignment) {
    case DmarcAlignment::spf:
      return "spf";
    case DmarcAlignment::dkim:
      return "dkim";
    case DmarcAlignment::both:
      return "both";
    case DmarcAlignment::none:
      break;
  }
  return "none";
}

DmarcResult evaluateDmarc(const DnsName& authorDomain, const SpfResult& spf, const std::vector<DkimResult>& dkim,
                          Resolver& resolver) {
  Dns dns(resolver);
  const auto discovery = discover(authorDomain, dns);
  if (!discovery) {
    DmarcResult result;
    result.verdict = discovery.error().code == Errc::temporary ? Verdict::temperror : Verdict::permerror;
    result.recordDomain = authorDomain;
    result.organizationalDomain = authorDomain;
    result.reason = describe(discovery.error());
    return result;
  }
  Evaluation evaluation(authorDomain, *discovery, dns);
  evaluation.add(spf);
  evaluation.add(dkim);
  return evaluation.decide();
}

Result<bool> reportDestinationAgrees(const DnsName& policyDomain, const DnsName& reportHost, Resolver& resolver) {
  const auto ours = organizationalDomain(policyDomain, resolver);
  if (!ours) return pass(ours);
  const auto theirs = organizationalDomain(reportHost, resolver);
  if (!theirs) return pass(theirs);
  if (*ours == *theirs) return true;
  const auto base = DnsName::parse("_report._dmarc")->under(reportHost);
  if (!base) return false;
  const auto name = policyDomain.under(*base);
  if (!name) return false;  // too long for a name: fails (RFC 9990 section 4)
  const auto answer = resolver.txt(*name);
  if (!answer) return pass(answer);
  return std::any_of(answer->records.begin(), answer->records.end(), isDmarcRecord);
}

}  // namespace mailzone::mailauth
