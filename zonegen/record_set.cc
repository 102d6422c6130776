#include "zonegen/record_set.h"

namespace mailzone::zonegen {

const Zone* zoneOf(const std::vector<Zone>& zones, const DnsName& name) {
  const Zone* best = nullptr;
  for (const auto& zone : zones) {
    if (name.isAtOrBelow(zone.name) && (best == nullptr || zone.name.labelCount() > best->name.labelCount())) {
      best = &zone;
    }
  }
  return best;
}

Result<void> RecordSet::add(const DnsName& owner, RecordType type, const std::string& content) {
  const Zone* zone = zoneOf(zones_, owner);
  if (zone == nullptr) {
    return fail(Errc::invalidInput, owner.textNoDot(), "no zone of this platform holds the name",
                "add the zone (mailzone platform add makes those of a platform), or correct the name");
  }
  addIn(*zone, owner, type, content);
  return {};
}

void RecordSet::addIn(const Zone& zone, const DnsName& owner, RecordType type, const std::string& content) {
  auto& rrset = rrsets_[Key(zone.id, owner.canonicalKey(), type.number())];
  rrset.owner = owner;
  rrset.ttl = zone.ttl;
  rrset.contents.insert(content);
}

std::vector<ZoneRRset> RecordSet::sorted() const {
  std::vector<ZoneRRset> out;
  out.reserve(rrsets_.size());
  for (const auto& [key, rrset] : rrsets_) {
    out.push_back(
        {std::get<0>(key),
         RRset{rrset.owner, RecordType(std::get<2>(key)), rrset.ttl, {rrset.contents.begin(), rrset.contents.end()}}});
  }
  return out;
}

}  // namespace mailzone::zonegen
