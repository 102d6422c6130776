#include "cli/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "cli/derive.h"
#include "tenantdb/public_store.h"
#include "zonegen/check.h"

namespace mailzone::cli {
namespace {

Result<std::vector<Zone>> zonesOf(sql::Connection& connection) {
  const auto rows = tenantdb::PublicStore(connection).zones();
  if (!rows) return pass(rows);
  std::vector<Zone> zones;
  for (const auto& row : *rows) {
    if (row.value) zones.push_back(*row.value);
  }
  return zones;
}

}  // namespace

Result<std::vector<tenantdb::Finding>> checkEverything(sql::Connection& connection) {
  Result<std::vector<tenantdb::Finding>> findings;
  std::set<std::pair<std::string, std::string>> seen;
  for (const tenantdb::Finding& finding : *findings) seen.emplace(finding.table, finding.row);
  std::vector<zonegen::ZoneRRset> records;
  const auto derived = deriveAll(
      connection, [&](zonegen::ZoneRRset&& set, zonegen::Origin, std::int64_t) { records.push_back(std::move(set)); },
      [&](BadRow&& bad) {
        std::string row = fmt::format("id {}", bad.id);
        // What could not even be read as a value is a finding of tenantdb already.
        if (!seen.emplace(bad.table, row).second) return;
        findings->push_back({bad.table, std::move(row), bad.error.value, bad.error.rule, bad.error.remedy});
      });
  if (!derived) return pass(derived);
  const auto zones = zonesOf(connection);
  if (!zones) return pass(zones);
  for (const zonegen::Finding& finding : zonegen::check(*zones, records)) {
    const auto zone =
        std::find_if(zones->begin(), zones->end(), [&](const Zone& each) { return each.id == finding.zone; });
    findings->push_back({"zone " + (zone == zones->end() ? std::string("?") : zone->name.textNoDot()),
                         finding.owner.textNoDot() + " " + finding.type.text(), finding.error.value, finding.error.rule,
                         finding.error.remedy});
  }
  return findings;
}

}  // namespace mailzone::cli
