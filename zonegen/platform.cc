// Names of a platform that belong to no domain.
#include "zonegen/dmarc.h"
#include "zonegen/names.h"
#include "zonegen/parts.h"
#include "zonegen/spf.h"

namespace mailzone::zonegen {
namespace {

/// srs.PLATFORM, the envelope domain of forwarded mail: it takes bounces, and its SPF holds the forwarding pools alone.
Result<void> addForwarding(RecordSet& records, const PlatformContext& context) {
  const auto name = platformName(context.platform, label::kForwarding);
  if (!name) return pass(name);
  const auto dmarc = dmarcName(*name);
  if (!dmarc) return pass(dmarc);
  const auto spf = spfOfForwarder(context);
  if (!spf) return pass(spf);
  if (auto ok = addMailExchangers(records, context.platform, *name); !ok) return ok;
  if (auto ok = addText(records, *name, *spf); !ok) return ok;
  return addText(records, *dmarc, kDmarcOfNobody);
}

/// rp.PLATFORM and dkim.PLATFORM: envelope domains and key targets lie below them, nobody's From does.
Result<void> addTargetApex(RecordSet& records, const Zone& zone) {
  const auto dmarc = dmarcName(zone.name);
  if (!dmarc) return pass(dmarc);
  if (auto ok = addText(records, zone.name, kSpfOfNobody); !ok) return ok;
  return addText(records, *dmarc, kDmarcOfNobodyBelow);
}

/// The NS record that a zone's parent needs when that is ours, too (RFC 1034 section 4.2.1).
Result<void> addDelegation(RecordSet& records, const PlatformContext& context, const Zone& zone) {
  if (zone.name.isRoot()) return {};
  const Zone* parent = zoneOf(context.zones, zone.name.parent());
  if (parent == nullptr) return {};
  if (auto ok = requireHostName(zone.primaryServer, "zone.primary_server"); !ok) return ok;
  records.addIn(*parent, zone.name, rrtype::NS, zone.primaryServer.text());
  return {};
}

}  // namespace

Result<std::vector<ZoneRRset>> recordsForPlatform(const PlatformContext& context) {
  RecordSet records(context.zones);
  if (auto ok = addForwarding(records, context); !ok) return pass(ok);
  for (const auto& zone : context.zones) {
    if (zone.kind == ZoneKind::keyTarget || zone.kind == ZoneKind::returnPath) {
      if (auto ok = addTargetApex(records, zone); !ok) return pass(ok);
    }
    if (auto ok = addDelegation(records, context, zone); !ok) return pass(ok);
  }
  return records.sorted();
}

}  // namespace mailzone::zonegen
