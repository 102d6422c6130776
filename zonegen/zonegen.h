// The model becomes records: pure functions, same input, same bytes. What DNS says depends on rows, never on the clock.
#pragma once

#include <vector>

#include "core/model.h"
#include "core/result.h"
#include "core/rr.h"

namespace mailzone::zonegen {

/// An RRset and the zone that it belongs to. Several sources may contribute to one owner; only static records may share
/// an RRset's owner and type with a generated one (the replica merges them).
struct ZoneRRset {
  ZoneId zone{};
  RRset rrset;
  friend bool operator==(const ZoneRRset&, const ZoneRRset&) = default;
};

/// All sorted by zone, owner (canonical order), type. An Error names the row's value that cannot become a record: then
/// nothing of this entity is returned.
[[nodiscard]] Result<std::vector<ZoneRRset>> recordsForDomain(const PlatformContext& context, const Domain& domain);
[[nodiscard]] Result<std::vector<ZoneRRset>> recordsForDeparted(const PlatformContext& context,
                                                                const Departed& departed);
/// The platform's names that belong to no domain: srs.PLATFORM, apexes of target zones, delegations between our own
/// zones.
[[nodiscard]] Result<std::vector<ZoneRRset>> recordsForPlatform(const PlatformContext& context);
/// POOL._spf.PLATFORM, and for each address A/AAAA, PTR and the host's SPF, where a zone of ours holds the name.
[[nodiscard]] Result<std::vector<ZoneRRset>> recordsForPool(const PlatformContext& context, const Pool& pool);
[[nodiscard]] Result<std::vector<ZoneRRset>> recordsForStatic(const PlatformContext& context,
                                                              const StaticRecord& record);
/// The SOA at the zone's apex, with zone.serial.
[[nodiscard]] Result<std::vector<ZoneRRset>> recordsForZone(const Zone& zone);

}  // namespace mailzone::zonegen
