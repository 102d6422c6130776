#include "zonegen/merge.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "mailauth/dmarc_record.h"
#include "mailauth/spf_record.h"

namespace mailzone::zonegen {
namespace {

/// What one type's claims say together.
struct OfType {
  bool generated = false;
  bool written = false;
  std::int64_t youngestDeparted = 0;
  std::set<TextKind> writtenKinds;
};

std::map<RecordType, OfType> summaries(const DnsName& owner, const std::vector<Claim>& claims) {
  std::map<RecordType, OfType> out;
  for (const auto& claim : claims) {
    auto& summary = out[claim.type];
    if (claim.origin == Origin::generated) summary.generated = true;
    if (claim.origin == Origin::departed) summary.youngestDeparted = std::max(summary.youngestDeparted, claim.row);
    if (claim.origin != Origin::written) continue;
    summary.written = true;
    if (claim.type == rrtype::TXT) summary.writtenKinds.insert(textKind(owner, claim.content));
  }
  return out;
}

bool isSuperseded(const DnsName& owner, const Claim& claim, const OfType& summary) {
  if (claim.origin == Origin::written) return false;
  if (claim.origin == Origin::departed && (summary.generated || claim.row != summary.youngestDeparted)) return true;
  if (claim.type == rrtype::MX) return summary.written;
  if (claim.type != rrtype::TXT || summary.writtenKinds.empty()) return false;
  const auto kind = textKind(owner, claim.content);
  return kind != TextKind::other && summary.writtenKinds.count(kind) != 0;
}

void judgeAliases(const std::vector<Claim>& claims, std::vector<Fate>& fates) {
  bool data = false;
  std::optional<std::string_view> first;
  for (std::size_t i = 0; i < claims.size(); ++i) {
    if (fates[i] != Fate::stands) continue;
    if (claims[i].type != rrtype::CNAME) {
      data = true;
    } else if (!first || claims[i].content < *first) {
      first = claims[i].content;
    }
  }
  for (std::size_t i = 0; i < claims.size(); ++i) {
    if (fates[i] != Fate::stands || claims[i].type != rrtype::CNAME) continue;
    if (data || claims[i].content != *first) fates[i] = Fate::alias;
  }
}

/// A record with the TTL and fate that it has; views into the contributions.
struct Judged {
  const RRset* rrset = nullptr;
  std::string_view content;
  Fate fate = Fate::stands;
};

std::vector<Judged> judged(const std::vector<Contribution>& contributions) {
  std::vector<Judged> out;
  std::vector<Claim> claims;
  for (const auto& each : contributions) {
    for (const auto& content : each.rrset.contents) {
      claims.push_back({each.origin, each.row, each.rrset.type, content});
      out.push_back({&each.rrset, content, Fate::stands});
    }
  }
  if (claims.empty()) return out;
  const auto fates = judge(contributions.front().rrset.owner, claims);
  for (std::size_t i = 0; i < out.size(); ++i) out[i].fate = fates[i];
  return out;
}

}  // namespace

TextKind textKind(const DnsName& owner, std::string_view content) {
  const auto labels = owner.labels();
  // Below _domainkey every TXT is a key record, v= being optional (RFC 6376 section 3.6.1).
  if (std::find(labels.begin(), labels.end(), "_domainkey") != labels.end()) return TextKind::dkim;
  const auto text = txtText(content);
  if (!text) return TextKind::other;
  if (mailauth::isSpfRecord(*text)) return TextKind::spf;
  if (mailauth::isDmarcRecord(*text)) return TextKind::dmarc;
  if (text->rfind("v=DKIM1", 0) == 0) return TextKind::dkim;
  return TextKind::other;
}

std::vector<Fate> judge(const DnsName& owner, const std::vector<Claim>& claims) {
  const auto types = summaries(owner, claims);
  std::vector<Fate> fates;
  for (const auto& claim : claims) {
    fates.push_back(isSuperseded(owner, claim, types.at(claim.type)) ? Fate::superseded : Fate::stands);
  }
  judgeAliases(claims, fates);
  return fates;
}

std::vector<RRset> mergeName(const std::vector<Contribution>& contributions) {
  struct Merged {
    Ttl ttl;
    std::set<std::string> contents;
  };
  std::map<RecordType, Merged> types;
  for (const auto& each : judged(contributions)) {
    if (each.fate != Fate::stands) continue;
    const auto [it, fresh] = types.try_emplace(each.rrset->type, Merged{each.rrset->ttl, {}});
    it->second.ttl = std::min(it->second.ttl, each.rrset->ttl);
    it->second.contents.emplace(each.content);
  }
  std::vector<RRset> out;
  for (const auto& [type, merged] : types) {
    out.push_back(
        {contributions.front().rrset.owner, type, merged.ttl, {merged.contents.begin(), merged.contents.end()}});
  }
  return out;
}

std::vector<RRset> standing(const std::vector<Contribution>& contributions) {
  std::vector<RRset> out;
  const RRset* last = nullptr;
  for (const auto& each : judged(contributions)) {
    if (each.fate == Fate::superseded) continue;
    if (each.rrset != last) out.push_back({each.rrset->owner, each.rrset->type, each.rrset->ttl, {}});
    last = each.rrset;
    out.back().contents.emplace_back(each.content);
  }
  return out;
}

}  // namespace mailzone::zonegen
