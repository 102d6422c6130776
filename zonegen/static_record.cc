// Records that an operator wrote: checked and normalised, never changed in meaning.
#include <fmt/format.h>

#include <algorithm>

#include "zonegen/rdata.h"
#include "zonegen/record_set.h"

namespace mailzone::zonegen {
namespace {

tl::unexpected<Error> wrongOwner(const StaticRecord& record, std::string rule, std::string remedy) {
  return fail(Errc::invalidInput, record.owner.textNoDot(), std::move(rule), std::move(remedy));
}

/// What a parent zone says about a child zone of ours: its NS, and addresses of name servers below it (glue).
bool belongsToParent(const StaticRecord& record, const Zone& child) {
  if (record.owner == child.name) return record.type == rrtype::NS;
  return record.type == rrtype::A || record.type == rrtype::AAAA;
}

Result<void> requireOwner(const PlatformContext& context, const StaticRecord& record, const Zone& zone) {
  if (!record.owner.isAtOrBelow(zone.name)) {
    return wrongOwner(record, "the name does not lie in the zone " + zone.name.textNoDot(),
                      "correct static_record.owner or zone_id");
  }
  const auto* answering = zoneOf(context.zones, record.owner);
  if (answering->id != zone.id && !belongsToParent(record, *answering)) {
    return wrongOwner(record, "the name is answered from the zone " + answering->name.textNoDot(),
                      "write the record in that zone");
  }
  if (record.type == rrtype::CNAME && record.owner == zone.name) {
    return wrongOwner(record, "the apex of a zone has no CNAME (RFC 1034 section 3.6.2)", "write A and AAAA records");
  }
  if (record.type == rrtype::NS && record.owner.isWildcard()) {
    return wrongOwner(record, "a wildcard has no NS record (RFC 4592 section 4.2)", "name the delegated zone");
  }
  return {};
}

}  // namespace

Result<std::vector<ZoneRRset>> recordsForStatic(const PlatformContext& context, const StaticRecord& record) {
  const auto zone = std::find_if(context.zones.begin(), context.zones.end(),
                                 [&](const Zone& each) { return each.id == record.zone; });
  if (zone == context.zones.end()) {
    return wrongOwner(record, fmt::format("zone {} is not there", raw(record.zone)), "correct static_record.zone_id");
  }
  if (auto ok = requireOwner(context, record, *zone); !ok) return pass(ok);
  const auto tokens = contentTokens(record.content);
  if (!tokens) return pass(tokens);
  // Unquoted words would each be a string of their own, and be joined without the blanks between them.
  if (record.type == rrtype::TXT &&
      !std::all_of(tokens->begin(), tokens->end(), [](const Token& t) { return t.quoted; })) {
    return fail(Errc::invalidInput, record.content, "the content of a TXT record stands in double quotes",
                "write \"v=spf1 -all\" with its quotes");
  }
  const auto content = normaliseContent(record.type, *tokens, DnsName::parse, nullptr);
  if (!content) return pass(content);
  if (record.type == rrtype::CNAME && *content == record.owner.text()) {
    return wrongOwner(record, "a CNAME points at itself", "correct static_record.content");
  }
  RRset rrset{record.owner, record.type, record.ttl, {*content}};
  return std::vector<ZoneRRset>{{zone->id, std::move(rrset)}};
}

}  // namespace mailzone::zonegen
