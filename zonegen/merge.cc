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

using Contributions = std::vector<const Contribution*>;

bool anyOf(const Contributions& all, Origin origin) {
  return std::any_of(all.begin(), all.end(), [&](const Contribution* each) { return each->origin == origin; });
}

std::set<TextKind> writtenKinds(const Contributions& all) {
  std::set<TextKind> kinds;
  for (const auto* each : all) {
    if (each->origin != Origin::written) continue;
    for (const auto& content : each->rrset.contents) kinds.insert(textKind(each->rrset.owner, content));
  }
  return kinds;
}

/// Without the departed that a live domain or a younger departed one speaks for.
Contributions withoutSuperseded(const Contributions& all) {
  const bool live = anyOf(all, Origin::generated);
  std::int64_t youngest = 0;
  for (const auto* each : all) {
    if (each->origin == Origin::departed) youngest = std::max(youngest, each->row);
  }
  Contributions out;
  std::copy_if(all.begin(), all.end(), std::back_inserter(out), [&](const Contribution* each) {
    return each->origin != Origin::departed || (!live && each->row == youngest);
  });
  return out;
}

/// Whether a record that was not written by an operator gives way to those that were.
bool yields(RecordType type, const DnsName& owner, const std::string& content, const std::set<TextKind>& written) {
  if (type == rrtype::MX) return true;
  if (type != rrtype::TXT) return false;
  const auto kind = textKind(owner, content);
  return kind != TextKind::other && written.count(kind) != 0;
}

std::optional<RRset> mergeType(RecordType type, const Contributions& all) {
  const bool written = anyOf(all, Origin::written);
  const auto kinds = writtenKinds(all);
  std::set<std::string> contents;
  std::optional<RRset> merged;
  for (const auto* each : withoutSuperseded(all)) {
    for (const auto& content : each->rrset.contents) {
      if (written && each->origin != Origin::written && yields(type, each->rrset.owner, content, kinds)) continue;
      if (!merged) merged = RRset{each->rrset.owner, type, each->rrset.ttl, {}};
      merged->ttl = std::min(merged->ttl, each->rrset.ttl);
      contents.insert(content);
    }
  }
  if (merged) merged->contents.assign(contents.begin(), contents.end());
  return merged;
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

std::vector<RRset> mergeName(const std::vector<Contribution>& contributions) {
  std::map<RecordType, Contributions> types;
  for (const auto& each : contributions) {
    if (!each.rrset.contents.empty()) types[each.rrset.type].push_back(&each);
  }
  std::vector<RRset> out;
  for (const auto& [type, all] : types) {
    if (auto merged = mergeType(type, all)) out.push_back(std::move(*merged));
  }
  const auto isCname = [](const RRset& rrset) { return rrset.type == rrtype::CNAME; };
  if (out.size() > 1) out.erase(std::remove_if(out.begin(), out.end(), isCname), out.end());
  if (out.size() == 1 && isCname(out.front())) out.front().contents.resize(1);
  return out;
}

}  // namespace mailzone::zonegen
