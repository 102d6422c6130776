#include "cli/check.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "cli/derive.h"
#include "tenantdb/public_store.h"
#include "zonegen/check.h"

namespace mailzone::cli {
namespace {

using tenantdb::Finding;

Result<std::vector<Zone>> zonesOf(sql::Connection& connection) {
  const auto rows = tenantdb::PublicStore(connection).zones();
  if (!rows) return pass(rows);
  std::vector<Zone> zones;
  for (const auto& row : *rows) {
    if (row.value) zones.push_back(*row.value);
  }
  return zones;
}

/// One cause can be wrong at every tenant's name (an MX without an address): it is listed once, with the first name.
class Causes {
 public:
  void add(const std::string& zone, const zonegen::Finding& finding) {
    const std::tuple key{zone, finding.type.text(), finding.error.value, finding.error.rule};
    const auto known = placeOf_.find(key);
    if (known != placeOf_.end()) {
      ++causes_[known->second].furtherNames;
      return;
    }
    placeOf_.emplace(key, causes_.size());
    causes_.push_back({{"zone " + zone, finding.owner.textNoDot() + " " + finding.type.text(), finding.error.value,
                        finding.error.rule, finding.error.remedy},
                       0});
  }
  void moveTo(std::vector<Finding>& findings) {
    for (Cause& cause : causes_) {
      if (cause.furtherNames > 0) cause.finding.reason += fmt::format(" (and at {} more names)", cause.furtherNames);
      findings.push_back(std::move(cause.finding));
    }
  }

 private:
  struct Cause {
    Finding finding;
    std::size_t furtherNames = 0;
  };
  std::map<std::tuple<std::string, std::string, std::string, std::string>, std::size_t> placeOf_;
  std::vector<Cause> causes_;
};

/// Rows that are listed: table and row.
using Seen = std::set<std::pair<std::string, std::string>>;
using Names = std::map<std::pair<ZoneId, DnsName>, std::vector<zonegen::Contribution>>;

Result<void> checkZones(sql::Connection& connection, const Names& names, const Seen& seen,
                        std::vector<Finding>& findings) {
  const auto zones = zonesOf(connection);
  if (!zones) return pass(zones);
  std::vector<zonegen::ZoneRRset> records;
  for (const auto& [at, contributions] : names) {
    for (RRset& set : zonegen::standing(contributions)) records.push_back({at.first, std::move(set)});
  }
  std::map<ZoneId, std::string> nameOf;
  std::set<ZoneId> unknown;  // what stands in the zones of a platform that cannot be read
  for (const Zone& zone : *zones) {
    nameOf[zone.id] = zone.name.textNoDot();
    if (zone.platform && seen.contains({"platform", fmt::format("id {}", raw(*zone.platform))}))
      unknown.insert(zone.id);
  }
  Causes causes;
  for (const zonegen::Finding& finding : zonegen::check(*zones, records)) {
    if (!unknown.contains(finding.zone)) causes.add(nameOf[finding.zone], finding);
  }
  causes.moveTo(findings);
  return {};
}

}  // namespace

Result<std::vector<Finding>> checkEverything(sql::Connection& connection) {
  auto findings = tenantdb::checkDatabase(connection);
  if (!findings) return findings;
  Seen seen;
  for (const Finding& finding : *findings) seen.emplace(finding.table, finding.row);
  Names names;
  const auto derived = deriveAll(
      connection,
      [&](zonegen::ZoneRRset&& set, zonegen::Origin origin, std::int64_t row) {
        const std::pair at{set.zone, set.rrset.owner};
        names[at].push_back({origin, std::move(set.rrset), row});
      },
      [&](BadRow&& bad) {
        std::string row = fmt::format("id {}", bad.id);
        // What could not even be read as a value is a finding of tenantdb already; what only follows from it is none.
        if (bad.follows || !seen.emplace(bad.table, row).second) return;
        findings->push_back({bad.table, std::move(row), bad.error.value, bad.error.rule,
                             bad.error.remedy.empty() ? "correct the row" : bad.error.remedy});
      });
  if (!derived) return pass(derived);
  if (auto checked = checkZones(connection, names, seen, *findings); !checked) return pass(checked);
  return findings;
}

}  // namespace mailzone::cli
