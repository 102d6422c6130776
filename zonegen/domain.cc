// Records of one domain, by its kind.
#include <fmt/format.h>

#include <algorithm>

#include "mailauth/dkim_key_record.h"
#include "zonegen/dmarc.h"
#include "zonegen/names.h"
#include "zonegen/parts.h"
#include "zonegen/spf.h"

namespace mailzone::zonegen {
namespace {

Result<std::vector<ReportUri>> reportsOf(const PlatformContext& context, const Domain& domain) {
  return parseReportUris(domain.dmarcRua ? *domain.dmarcRua : context.platform.dmarcRua);
}

Result<void> requireZone(const PlatformContext& context, const Domain& domain) {
  if (!domain.zone) return {};
  const auto it = std::find_if(context.zones.begin(), context.zones.end(),
                               [&](const Zone& zone) { return zone.id == *domain.zone; });
  if (it != context.zones.end() && domain.name.isAtOrBelow(it->name)) return {};
  return fail(
      Errc::invalidInput, domain.name.textNoDot(),
      fmt::format("domain.zone_id is {}, and no zone of this platform with that id holds the name", raw(*domain.zone)),
      "correct domain.zone_id");
}

/// A tenant's name is one label below the platform's, and none that the platform uses itself.
Result<void> requireSubdomain(const PlatformContext& context, const Domain& domain) {
  const auto label = domain.name.isRoot() ? std::string() : domain.name.labels().front();
  if (domain.name.parent() != context.platform.name || domain.name.isRoot() || !isLdhLabel(label)) {
    return fail(
        Errc::invalidInput, domain.name.textNoDot(),
        "a subdomain is one label of letters, digits and inner hyphens below " + context.platform.name.textNoDot(),
        "correct tenant.slug");
  }
  for (const auto reserved : {label::kCommon, label::kForwarding, label::kReturnPath, label::kKeyTarget}) {
    if (label == reserved) {
      return fail(Errc::conflict, domain.name.textNoDot(), "the platform uses this name itself", "choose another slug");
    }
  }
  return {};
}

/// PowerDNS answers from the longest zone: a customer's name that overlaps ours would take names from us, or never be
/// asked for.
Result<void> requireDelegated(const PlatformContext& context, const Domain& domain) {
  if (auto ok = requireHostName(domain.name, "domain.name"); !ok) return ok;
  const auto& platform = context.platform.name;
  if (!domain.name.isAtOrBelow(platform) && !platform.isAtOrBelow(domain.name)) return {};
  return fail(Errc::conflict, domain.name.textNoDot(),
              "a customer's domain is neither " + platform.textNoDot() + " nor above or below it",
              "remove the domain, or make it a tenant's subdomain");
}

Result<void> addSubdomain(RecordSet& records, const PlatformContext& context, const Domain& domain) {
  if (auto ok = requireSubdomain(context, domain); !ok) return ok;
  const auto spf = spfOfSender(context, effectiveStreams(context, domain.streams));
  if (!spf) return pass(spf);
  const auto reports = reportsOf(context, domain);
  if (!reports) return pass(reports);
  const auto dmarc = dmarcName(domain.name);
  if (!dmarc) return pass(dmarc);
  const auto policy = domain.dmarcPolicy.value_or(context.platform.dmarcPolicy);
  if (auto ok = addMailExchangers(records, context.platform, domain.name); !ok) return ok;
  if (auto ok = addText(records, domain.name, *spf); !ok) return ok;
  if (auto ok = addText(records, *dmarc, dmarcOfTenant(policy, *reports)); !ok) return ok;
  if (auto ok = addReportConsent(records, domain.name, *reports); !ok) return ok;
  return addKeys(records, context, domain);
}

Result<void> addPlatformDomain(RecordSet& records, const PlatformContext& context, const Domain& domain) {
  if (domain.name != context.platform.name) {
    return fail(Errc::invalidInput, domain.name.textNoDot(),
                "the domain of kind platform has the platform's name, " + context.platform.name.textNoDot(),
                "correct domain.name");
  }
  const auto spf = spfOfSender(context, effectiveStreams(context, domain.streams));
  if (!spf) return pass(spf);
  const auto reports = reportsOf(context, domain);
  if (!reports) return pass(reports);
  const auto dmarc = dmarcName(domain.name);
  if (!dmarc) return pass(dmarc);
  if (auto ok = addMailExchangers(records, context.platform, domain.name); !ok) return ok;
  if (auto ok = addText(records, domain.name, *spf); !ok) return ok;
  const auto policy = domain.dmarcPolicy.value_or(DmarcPolicy::reject);
  if (auto ok = addText(records, *dmarc, dmarcOfPlatform(policy, *reports)); !ok) return ok;
  if (auto ok = addReportConsent(records, domain.name, *reports); !ok) return ok;
  return addKeys(records, context, domain);
}

/// The common signing domain promises nothing to a reader and sends nothing: keys, and a closed door.
Result<void> addCommon(RecordSet& records, const PlatformContext& context, const Domain& domain) {
  const auto expected = platformName(context.platform, label::kCommon);
  if (!expected) return pass(expected);
  if (domain.name != *expected) {
    return fail(Errc::invalidInput, domain.name.textNoDot(),
                "the common signing domain is named " + expected->textNoDot(), "correct domain.name");
  }
  const auto dmarc = dmarcName(domain.name);
  if (!dmarc) return pass(dmarc);
  if (auto ok = addText(records, domain.name, kSpfOfNobody); !ok) return ok;
  if (auto ok = addText(records, *dmarc, kDmarcOfNobody); !ok) return ok;
  return addKeys(records, context, domain);
}

/// The key targets and the return path exist from the first moment, so that the customer's CNAMEs never dangle.
Result<void> addDelegated(RecordSet& records, const PlatformContext& context, const Domain& domain) {
  if (auto ok = requireDelegated(context, domain); !ok) return ok;
  const auto streams = effectiveStreams(context, domain.streams);
  if (auto ok = addReturnPath(records, context, domain.token, streams); !ok) return ok;
  if (auto ok = addKeys(records, context, domain); !ok) return ok;
  const auto reports = reportsOf(context, domain);
  if (!reports) return pass(reports);
  // Not before it is proven whose domain it is: anybody can enter any name.
  if (domain.state != DomainState::verified) return {};
  return addReportConsent(records, domain.name, *reports);
}

Result<void> addDomain(RecordSet& records, const PlatformContext& context, const Domain& domain) {
  if (auto ok = requireZone(context, domain); !ok) return ok;
  switch (domain.kind) {
    case DomainKind::subdomain:
      return addSubdomain(records, context, domain);
    case DomainKind::delegated:
      return addDelegated(records, context, domain);
    case DomainKind::platform:
      return addPlatformDomain(records, context, domain);
    case DomainKind::common:
      return addCommon(records, context, domain);
    case DomainKind::hosted:
      break;
  }
  return fail(Errc::invalidInput, domain.name.textNoDot(), "domains of kind hosted are not published by this version",
              "make it a delegated domain");
}

}  // namespace

Result<void> addKeys(RecordSet& records, const PlatformContext& context, const Domain& domain) {
  std::optional<Slot> last;
  for (const auto& content : domain.slots) {
    if (last && content.slot <= *last) {
      // RFC 6376 section 3.6.2.2: what several records at one selector mean is undefined.
      return fail(Errc::conflict, domain.name.textNoDot(),
                  fmt::format("slot {} holds more than one key", slotName(content.slot)),
                  "remove the dkim_selector row that is not in use");
    }
    last = content.slot;
    const auto owner = domain.kind == DomainKind::delegated
                           ? keyTargetName(context.platform, content.slot, domain.token)
                           : selectorName(content.slot, domain.name);
    if (!owner) return pass(owner);
    const auto text = mailauth::dkimKeyText(content.key);
    if (!text) {
      return fail(
          Errc::invalidInput, content.key->base64,
          fmt::format("not the key of slot {} that a verifier takes: {}", slotName(content.slot), text.error().rule),
          "write the key as mailzone-rotate does (dkim_key.public_key), or remove it");
    }
    if (auto ok = addText(records, *owner, *text); !ok) return ok;
  }
  return {};
}

Result<std::vector<ZoneRRset>> recordsForDomain(const PlatformContext& context, const Domain& domain) {
  RecordSet records(context.zones);
  if (auto ok = addDomain(records, context, domain); !ok) return pass(ok);
  return records.sorted();
}

}  // namespace mailzone::zonegen
