// What DNS has to say by the database alone: every row through zonegen, merged as the backend merges its replica.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/model.h"
#include "core/result.h"
#include "system/sql.h"
#include "zonegen/merge.h"
#include "zonegen/zonegen.h"

namespace mailzone::cli {

/// A row that does not become records.
struct BadRow {
  std::string table;
  std::int64_t id = 0;
  Error error;
  bool follows = false;  ///< nothing is wrong with this row: another one that is reported spoils it
};

/// Calls `onSet` for every RRset of every source, unmerged, with the id of its row, and `onBad` for every row that
/// gives none. The outer Result: could the database be asked?
using OnSet = std::function<void(zonegen::ZoneRRset&&, zonegen::Origin, std::int64_t row)>;
using OnBadRow = std::function<void(BadRow&&)>;
[[nodiscard]] Result<void> deriveAll(sql::Connection& connection, const OnSet& onSet, const OnBadRow& onBad);

/// All records, by zone, owner (canonical order) and type.
struct Derived {
  std::map<ZoneId, Zone> zones;
  std::map<ZoneId, std::map<std::pair<DnsName, RecordType>, RRset>> sets;
  std::vector<BadRow> bad;

  /// The zone that answers for `name`: the one with the longest name at or above it. nullptr: none of ours.
  [[nodiscard]] const Zone* zoneOf(const DnsName& name) const;
};
[[nodiscard]] Result<Derived> derive(sql::Connection& connection);

/// What a domain's names must say, to compare with what DNS says.
[[nodiscard]] Result<std::vector<RRset>> recordsOfDomain(sql::Connection& connection, PlatformId platform,
                                                         DomainId domain);

}  // namespace mailzone::cli
