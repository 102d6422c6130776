#include "cli/derive.h"

#include <algorithm>
#include <set>
#include <utility>

#include "tenantdb/public_store.h"
#include "zonegen/merge.h"

namespace mailzone::cli {
namespace {

using tenantdb::PublicStore;
using Sets = std::vector<zonegen::ZoneRRset>;

/// Hands a source's records on, or reports its row.
class Collector {
 public:
  Collector(const OnSet& onSet, const OnBadRow& onBad) : onSet_(onSet), onBad_(onBad) {}
  void take(const std::string& table, std::int64_t id, Result<Sets>&& sets,
            zonegen::Origin origin = zonegen::Origin::generated) const {
    if (!sets) {
      onBad_({table, id, sets.error()});
      return;
    }
    for (zonegen::ZoneRRset& set : *sets) onSet_(std::move(set), origin, id);
  }
  void bad(const std::string& table, std::int64_t id, const Error& error, bool follows = false) const {
    onBad_({table, id, error, follows});
  }

 private:
  const OnSet& onSet_;
  const OnBadRow& onBad_;
};

/// What a row would make if the parts that cannot be read were none of its business: tells a row's own fault from one
/// that follows from a part.
class WithoutBadParts {
 public:
  WithoutBadParts(const PlatformContext& context, const std::vector<tenantdb::BadPart>& parts)
      : context_(context), parts_(parts) {
    dropFrom(context_.streams);
  }
  [[nodiscard]] bool any() const noexcept { return !parts_.empty(); }
  [[nodiscard]] Result<Sets> records(Domain domain) const {
    dropFrom(domain.streams);
    if (domain.zone && isBad("zone", raw(*domain.zone))) domain.zone.reset();
    return zonegen::recordsForDomain(context_, domain);
  }

 private:
  [[nodiscard]] bool isBad(std::string_view table, std::int64_t id) const {
    return std::any_of(parts_.begin(), parts_.end(),
                       [&](const tenantdb::BadPart& part) { return part.table == table && part.id == id; });
  }
  void dropFrom(std::vector<Stream>& streams) const {
    std::erase_if(streams, [&](const Stream& stream) {
      return (stream.pool && isBad("ip_pool", raw(*stream.pool))) ||
             (stream.relay && isBad("relay", raw(*stream.relay)));
    });
  }

  PlatformContext context_;
  const std::vector<tenantdb::BadPart>& parts_;
};

Result<void> derivePlatform(PublicStore& store, PlatformId id, const PlatformContext& context,
                            const std::vector<tenantdb::BadPart>& badParts, const Collector& collector) {
  const WithoutBadParts without(context, badParts);
  collector.take("platform", raw(id), zonegen::recordsForPlatform(context));
  for (const Pool& pool : context.pools) {
    collector.take("ip_pool", raw(pool.id), zonegen::recordsForPool(context, pool));
  }
  auto domains = store.eachDomain(id, [&](tenantdb::RowOf<DomainId, Domain> row) {
    if (!row.value) return collector.bad("domain", raw(row.id), row.value.error());
    auto records = zonegen::recordsForDomain(context, *row.value);
    if (!records && without.any()) {
      const auto alone = without.records(*row.value);
      return collector.bad("domain", raw(row.id), alone ? records.error() : alone.error(), alone.has_value());
    }
    collector.take("domain", raw(row.id), std::move(records));
  });
  if (!domains) return domains;
  return store.eachDeparted(id, [&](tenantdb::RowOf<DepartedId, Departed> row) {
    if (!row.value) return collector.bad("departed", raw(row.id), row.value.error());
    collector.take("departed", raw(row.id), zonegen::recordsForDeparted(context, *row.value),
                   zonegen::Origin::departed);
  });
}

}  // namespace

Result<void> deriveAll(sql::Connection& connection, const OnSet& onSet, const OnBadRow& onBad) {
  PublicStore store(connection);
  const Collector collector(onSet, onBad);
  const auto zones = store.zones();
  if (!zones) return pass(zones);
  std::set<std::int64_t> badZones;
  for (const auto& row : *zones) {
    if (!row.value) badZones.insert(raw(row.id));
    if (row.value) {
      collector.take("zone", raw(row.id), zonegen::recordsForZone(*row.value));
    } else {
      collector.bad("zone", raw(row.id), row.value.error());
    }
  }
  const auto platforms = store.platforms();
  if (!platforms) return pass(platforms);
  std::vector<PlatformContext> contexts;
  for (const PlatformId id : *platforms) {
    std::vector<tenantdb::BadPart> badParts;
    auto context = store.context(id, &badParts);
    if (!context && context.error().code != Errc::unavailable && context.error().code != Errc::temporary) {
      collector.bad("platform", raw(id), context.error());
      for (const auto& row : *zones) {
        if (row.value && row.value->platform == id) badZones.insert(raw(row.id));
      }
      continue;
    }
    if (!context) return pass(context);
    if (!*context) continue;
    for (const auto& part : badParts) collector.bad(part.table, part.id, part.error);
    if (auto derived = derivePlatform(store, id, **context, badParts, collector); !derived) return derived;
    contexts.push_back(std::move(**context));
  }
  return store.eachStaticRecord([&](tenantdb::RowOf<StaticRecordId, StaticRecord> row) {
    if (!row.value) return collector.bad("static_record", raw(row.id), row.value.error());
    const auto holdsZone = [&](const PlatformContext& context) {
      return std::any_of(context.zones.begin(), context.zones.end(),
                         [&](const Zone& zone) { return zone.id == row.value->zone; });
    };
    auto context = std::find_if(contexts.begin(), contexts.end(), holdsZone);
    if (context == contexts.end()) {
      return collector.bad("static_record", raw(row.id),
                           {Errc::invalidInput, row.value->owner.textNoDot(), "its zone cannot be read or is not there",
                            "correct the zone's row first"},
                           badZones.contains(raw(row.value->zone)));
    }
    collector.take("static_record", raw(row.id), zonegen::recordsForStatic(*context, *row.value),
                   zonegen::Origin::written);
  });
}

const Zone* Derived::zoneOf(const DnsName& name) const {
  const Zone* longest = nullptr;
  for (const auto& [id, zone] : zones) {
    if (!name.isAtOrBelow(zone.name)) continue;
    if (longest == nullptr || zone.name.labelCount() > longest->name.labelCount()) longest = &zone;
  }
  return longest;
}

Result<Derived> derive(sql::Connection& connection) {
  Derived derived;
  PublicStore store(connection);
  const auto zones = store.zones();
  if (!zones) return pass(zones);
  for (const auto& row : *zones) {
    if (row.value) derived.zones.emplace(row.id, *row.value);
  }
  std::map<std::pair<ZoneId, DnsName>, std::vector<zonegen::Contribution>> names;
  const auto all = deriveAll(
      connection,
      [&](zonegen::ZoneRRset&& set, zonegen::Origin origin, std::int64_t row) {
        const std::pair key{set.zone, set.rrset.owner};
        names[key].push_back({origin, std::move(set.rrset), row});
      },
      [&](BadRow&& bad) { derived.bad.push_back(std::move(bad)); });
  if (!all) return pass(all);
  for (auto& [key, contributions] : names) {
    for (RRset& set : zonegen::mergeName(contributions)) {
      derived.sets[key.first].emplace(std::pair{set.owner, set.type}, std::move(set));
    }
  }
  return derived;
}

Result<std::vector<RRset>> recordsOfDomain(sql::Connection& connection, PlatformId platform, DomainId domain) {
  PublicStore store(connection);
  const auto context = store.context(platform);
  if (!context) return pass(context);
  const auto row = store.domain(domain);
  if (!row) return pass(row);
  if (!*context || !*row) {
    return fail(Errc::notFound, std::to_string(raw(domain)), "the domain is gone", "somebody removed it just now");
  }
  if (!(*row)->value) return pass((*row)->value);
  const auto sets = zonegen::recordsForDomain(**context, *(*row)->value);
  if (!sets) return pass(sets);
  std::vector<RRset> records;
  for (const zonegen::ZoneRRset& set : *sets) records.push_back(set.rrset);
  return records;
}

}  // namespace mailzone::cli
