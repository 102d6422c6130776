// Records of an IP pool: its SPF record, and for each address the names that make it a mail host.
#include <charconv>

#include "zonegen/dmarc.h"
#include "zonegen/names.h"
#include "zonegen/parts.h"
#include "zonegen/spf.h"

namespace mailzone::zonegen {
namespace {

/// Names that say something else about mail already.
Result<void> requireFreeHostName(const PlatformContext& context, const DnsName& host) {
  if (auto ok = requireHostName(host, "ip_address.host_name"); !ok) return ok;
  for (const auto text : {label::kCommon, label::kForwarding, label::kReturnPath, label::kKeyTarget}) {
    const auto taken = platformName(context.platform, text);
    if (!taken) return pass(taken);
    if (host == *taken) {
      return fail(Errc::conflict, host.textNoDot(), "the platform uses this name for its envelope domains and keys",
                  "give the address a host name of its own");
    }
  }
  return {};
}

/// What lets the host itself be an envelope domain and an author (bounces, cron mail): SPF by HELO name, the platform's
/// keys, a closed DMARC policy.
Result<void> addMailIdentity(RecordSet& records, const PlatformContext& context, const DnsName& host) {
  if (host == context.platform.name) return {};  // the platform's domain says these itself
  if (auto ok = addText(records, host, kSpfOfHost); !ok) return ok;
  const auto dmarc = dmarcName(host);
  if (!dmarc) return pass(dmarc);
  if (auto ok = addText(records, *dmarc, kDmarcOfNobody); !ok) return ok;
  for (const auto slot : kSlots) {
    const auto owner = selectorName(slot, host);
    if (!owner) return pass(owner);
    const auto target = selectorName(slot, context.platform.name);
    if (!target) return pass(target);
    if (auto ok = records.add(*owner, rrtype::CNAME, target->text()); !ok) return ok;
  }
  return {};
}

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// RFC 2317 section 4: a zone `128-26` or `128/26` (first address, prefix length) or `128-191` (a range) within the /24
/// that holds `lastOctet`. A label that can be read both ways may hold it either way: a name too many does no harm.
bool isClasslessLabelFor(std::string_view label, unsigned lastOctet) {
  const auto sign = label.find_first_of("-/");
  if (sign == std::string_view::npos) return false;
  const auto first = number(label.substr(0, sign));
  const auto second = number(label.substr(sign + 1));
  if (!first || !second || *first > 255 || lastOctet < *first) return false;
  const bool byPrefix = *second >= 25 && *second <= 32 && lastOctet - *first < (1U << (32 - *second));
  const bool byRange = label[sign] == '-' && *second <= 255 && lastOctet <= *second;
  return byPrefix || byRange;
}

/// The owner of the PTR record within our reverse zones; nullopt when none of them answers for the address.
std::optional<DnsName> pointerOwner(const PlatformContext& context, const IpAddress& address) {
  const auto plain = address.reverseName();
  if (address.isV4()) {
    for (const auto& zone : context.zones) {
      if (zone.kind != ZoneKind::reverse || zone.name.parent() != plain.parent()) continue;
      if (!isClasslessLabelFor(zone.name.labels().front(), address.octets()[3])) continue;
      if (auto owner = zone.name.child(plain.labels().front())) return *owner;
    }
  }
  const Zone* zone = zoneOf(context.zones, plain);
  if (zone == nullptr || zone->kind != ZoneKind::reverse) return std::nullopt;
  return plain;
}

Result<void> addAddress(RecordSet& records, const PlatformContext& context, const PoolAddress& address) {
  const auto& host = address.hostName;
  if (auto ok = requireFreeHostName(context, host); !ok) return ok;
  if (const auto owner = pointerOwner(context, address.address)) {
    if (auto ok = records.add(*owner, rrtype::PTR, host.text()); !ok) return ok;
  }
  if (!records.holds(host)) return {};
  const auto type = address.address.isV4() ? rrtype::A : rrtype::AAAA;
  if (auto ok = records.add(host, type, address.address.text()); !ok) return ok;
  return addMailIdentity(records, context, host);
}

}  // namespace

Result<std::vector<ZoneRRset>> recordsForPool(const PlatformContext& context, const Pool& pool) {
  RecordSet records(context.zones);
  const auto name = poolSpfName(context.platform, pool);
  if (!name) return pass(name);
  const auto spf = spfOfPool(pool);
  if (!spf) return pass(spf);
  if (auto ok = addText(records, *name, *spf); !ok) return pass(ok);
  for (const auto& address : pool.addresses) {
    if (auto ok = addAddress(records, context, address); !ok) return pass(ok);
  }
  return records.sorted();
}

}  // namespace mailzone::zonegen
