// `mailzone db check`, the part that only the database knows.
#include <fmt/format.h>

#include <set>
#include <utility>

#include "core/clock.h"
#include "tenantdb/columns.h"
#include "tenantdb/migrator.h"
#include "tenantdb/public_store.h"
#include "tenantdb/roles.h"

namespace mailzone::tenantdb {
namespace {

/// A query whose rows are each a finding: row, value.
struct Question {
  std::string_view table;
  std::string_view statement;
  std::string_view reason;
  std::string_view remedy;
};

// What triggers and keys prevent, and a SQLite writer without `PRAGMA foreign_keys`, `recursive_triggers` (REPLACE) or
// with `ignore_check_constraints` brings about all the same; in MySQL, one with foreign_key_checks = 0.
constexpr Question kQuestions[] = {
    {"domain",
     "SELECT d.id, d.name FROM domain d LEFT JOIN tenant t ON t.id = d.tenant_id "
     "WHERE d.tenant_id IS NOT NULL AND t.id IS NULL",
     "its tenant is gone: deleted or replaced by a writer without foreign keys or recursive triggers",
     "DELETE FROM domain with this id (PRAGMA foreign_keys = ON, recursive_triggers = ON): its name departs then"},
    {"tenant",
     "SELECT t.id, t.slug FROM tenant t WHERE NOT EXISTS "
     "(SELECT 1 FROM domain d WHERE d.tenant_id = t.id AND d.kind = 'subdomain')",
     "it has no subdomain", "delete the tenant and make it again"},
    {"domain",
     "SELECT d.id, d.name FROM domain d JOIN tenant t ON t.id = d.tenant_id JOIN platform p ON p.id = "
     "t.platform_id WHERE d.kind = 'subdomain' AND d.name <> %CONCAT%",
     "it is not called SLUG.PLATFORM", "UPDATE tenant SET slug to another value and back"},
    {"domain", "SELECT d.id, d.name FROM domain d LEFT JOIN platform p ON p.id = d.platform_id WHERE p.id IS NULL",
     "its platform is gone", "delete the row, or restore the platform"},
    {"domain",
     "SELECT d.id, d.name FROM domain d WHERE d.state = 'verified' AND NOT EXISTS "
     "(SELECT 1 FROM active_key a WHERE a.domain_id = d.id)",
     "it is verified without an active key", "set its state to unverified; mailzone-rotate gives it a key"},
    {"envelope_domain",
     "SELECT e.name, e.domain_id FROM envelope_domain e LEFT JOIN domain d ON d.id = e.domain_id "
     "WHERE d.id IS NULL",
     "its domain is gone: Postfix goes on refusing or accepting this envelope", "delete the row"},
    {"dkim_selector",
     "SELECT s.id, s.domain_id FROM dkim_selector s LEFT JOIN domain d ON d.id = s.domain_id "
     "WHERE d.id IS NULL",
     "its domain is gone", "delete the row"},
    {"dkim_selector",
     "SELECT s.id, s.key_id FROM dkim_selector s LEFT JOIN dkim_key k ON k.id = s.key_id WHERE k.id IS NULL",
     "its key is gone", "delete the row; mailzone-rotate fills the slot again"},
    {"active_key",
     "SELECT a.domain_id, a.selector_id FROM active_key a LEFT JOIN dkim_selector s ON s.id = a.selector_id "
     "AND s.domain_id = a.domain_id WHERE s.id IS NULL OR s.revoked_at IS NOT NULL OR s.emptied_at IS NOT NULL",
     "it points at no live selector of its domain", "delete the row; mailzone-rotate activates another key"},
    {"stream", "SELECT s.id, s.name FROM stream s WHERE (s.pool_id IS NULL) = (s.relay_id IS NULL)",
     "exactly one of pool_id and relay_id is set", "correct the row"},
    {"stream",
     "SELECT s.id, s.name FROM stream s LEFT JOIN domain d ON d.id = s.domain_id LEFT JOIN platform p ON p.id = "
     "s.platform_id LEFT JOIN ip_pool i ON i.id = s.pool_id LEFT JOIN relay r ON r.id = s.relay_id "
     "WHERE (s.domain_id IS NOT NULL AND d.id IS NULL) OR (s.platform_id IS NOT NULL AND p.id IS NULL) "
     "OR (s.pool_id IS NOT NULL AND i.id IS NULL) OR (s.relay_id IS NOT NULL AND r.id IS NULL)",
     "its domain, platform, pool or relay is gone", "delete or correct the row"},
    {"ip_address",
     "SELECT a.id, a.address FROM ip_address a LEFT JOIN ip_pool p ON p.id = a.pool_id WHERE p.id IS NULL",
     "its pool is gone", "delete or correct the row"},
    {"static_record",
     "SELECT r.id, r.owner FROM static_record r LEFT JOIN zone z ON z.id = r.zone_id WHERE z.id IS NULL",
     "its zone is gone", "delete the row"},
    {"zone_metadata",
     "SELECT m.id, m.kind FROM zone_metadata m LEFT JOIN zone z ON z.id = m.zone_id WHERE z.id IS NULL",
     "its zone is gone", "delete the row"},
    {"zone", "SELECT z.id, z.name FROM zone z LEFT JOIN zone_serial s ON s.zone_id = z.id WHERE s.zone_id IS NULL",
     "it has no serial", "INSERT INTO zone_serial (zone_id, serial) with one above what is served"},
    {"login", "SELECT l.id, l.name FROM login l LEFT JOIN tenant t ON t.id = l.tenant_id WHERE t.id IS NULL",
     "its tenant is gone, and the password still works", "delete the row"},
    {"login_domain",
     "SELECT ld.login_id, ld.domain_id FROM login_domain ld LEFT JOIN login l ON l.id = ld.login_id "
     "LEFT JOIN domain d ON d.id = ld.domain_id WHERE l.id IS NULL OR d.id IS NULL OR "
     "coalesce(d.tenant_id, -1) <> l.tenant_id",
     "a login submits for a domain that is not its tenant's", "delete the row"},
    {"domain_moving", "SELECT domain_id, '' FROM domain_moving", "a moment inside of a trigger was left behind",
     "delete the row"},
    {"static_record",
     "SELECT r.id, r.owner FROM static_record r JOIN static_record o ON o.zone_id = r.zone_id AND o.owner = "
     "r.owner AND o.id <> r.id WHERE r.type = 'CNAME'",
     "a CNAME stands beside other records", "delete one of them"},
    {"static_record",
     "SELECT r.id, r.owner FROM static_record r JOIN name_suffix s ON s.entity = 'static_record' AND "
     "s.entity_id = r.id JOIN domain d ON d.name = s.suffix AND d.tenant_id IS NOT NULL",
     "it lies at or below the name of a tenant's domain", "delete it"},
    {"dkim_key",
     "SELECT k.id, k.fingerprint FROM dkim_key k WHERE k.destroyed_at IS NULL AND NOT EXISTS "
     "(SELECT 1 FROM %SECRET% p WHERE p.key_id = k.id)",
     "its private half is missing: nothing can sign with it", "give its domain another key; delete a spare"},
};

class Check {
 public:
  explicit Check(sql::Connection& connection) : connection_(connection) {}

  Result<std::vector<Finding>> run() {
    const auto version = Migrator(connection_).currentVersion();
    if (!version) {
      if (version.error().code != Errc::schemaVersion) return pass(version);
      add("schema_info", "", version.error().value, version.error().rule, version.error().remedy);
      return findings_;
    }
    if (const auto fits = requireSchema(connection_); !fits) {
      add("schema_info", "", fits.error().value, fits.error().rule, fits.error().remedy);
      return findings_;
    }
    if (connection_.dialect() == sql::Dialect::mysql) {
      auto definer = checkDefiner(connection_);
      if (!definer) return definer;
      findings_.insert(findings_.end(), definer->begin(), definer->end());
    }
    if (auto done = readRows(); !done) return pass(done);
    if (auto done = askQuestions(); !done) return pass(done);
    return findings_;
  }

 private:
  void add(std::string_view table, std::string row, std::string value, std::string reason, std::string remedy) {
    findings_.push_back({std::string(table), std::move(row), std::move(value), std::move(reason), std::move(remedy)});
  }
  void add(std::string_view table, std::int64_t id, const Error& error) {
    std::string row = fmt::format("id {}", id);
    if (seen_.emplace(table, row).second) add(table, std::move(row), error.value, error.rule, error.remedy);
  }

  /// Every row as the backend reads it.
  Result<void> readRows() {
    PublicStore store(connection_);
    const auto platforms = store.platforms();
    if (!platforms) return pass(platforms);
    for (const auto id : *platforms) {
      std::vector<BadPart> bad;
      const auto context = store.context(id, &bad);
      if (!context) {
        if (context.error().code != Errc::invalidInput) return pass(context);
        add("platform", raw(id), context.error());
      }
      for (const auto& part : bad) add(part.table, part.id, part.error);
      auto read = store.eachDomain(id, [&](const RowOf<DomainId, Domain>& row) {
        if (!row.value) add("domain", raw(row.id), row.value.error());
      });
      if (!read) return read;
      read = store.eachDeparted(id, [&](const RowOf<DepartedId, Departed>& row) {
        if (!row.value) add("departed", raw(row.id), row.value.error());
      });
      if (!read) return read;
    }
    auto read = store.eachStaticRecord([&](const RowOf<StaticRecordId, StaticRecord>& row) {
      if (!row.value) add("static_record", raw(row.id), row.value.error());
    });
    if (!read) return read;
    const auto zones = store.zones();
    if (!zones) return pass(zones);
    for (const auto& zone : *zones) {
      if (!zone.value) add("zone", raw(zone.id), zone.value.error());
    }
    return {};
  }

  Result<void> askQuestions() {
    const auto secrets = secretTable();
    if (!secrets) return pass(secrets);
    for (const auto& question : kQuestions) {
      std::string statement(question.statement);
      if (const auto at = statement.find("%CONCAT%"); at != std::string::npos) {
        statement.replace(
            at, 8,
            connection_.dialect() == sql::Dialect::sqlite ? "t.slug || '.' || p.name" : "concat(t.slug, '.', p.name)");
      }
      if (const auto at = statement.find("%SECRET%"); at != std::string::npos) {
        if (secrets->empty()) continue;
        statement.replace(at, 8, *secrets);
      }
      // Each row once, by what is found first. (Rows of login_domain share the first half of their key.)
      std::set<std::pair<std::string, std::string>> found;
      auto asked = connection_.query(statement, {}, [&](const sql::Row& row) {
        std::string id = "id " + escapeForDisplay(row.text(0));
        found.emplace(question.table, id);
        if (seen_.contains({std::string(question.table), id})) return true;
        add(question.table, std::move(id), escapeForDisplay(row.text(1)), std::string(question.reason),
            std::string(question.remedy));
        return true;
      });
      if (!asked) return asked;
      seen_.merge(found);
    }
    return {};
  }

  /// "" where this connection cannot see the secrets.
  Result<std::string> secretTable() {
    if (connection_.dialect() == sql::Dialect::mysql) {
      const auto seen =
          connection_.query("SELECT key_id FROM dkim_secret LIMIT 1", {}, [](const sql::Row&) { return true; });
      if (seen) return "dkim_secret";
      if (seen.error().code == Errc::forbidden) return "";
      return pass(seen);
    }
    bool attached = false;
    const auto asked = connection_.query("SELECT 1 FROM pragma_database_list WHERE name = 'secret'", {},
                                         [&](const sql::Row&) { return attached = true; });
    if (!asked) return pass(asked);
    return attached ? "secret.dkim_secret" : "";
  }

  sql::Connection& connection_;
  std::vector<Finding> findings_;
  std::set<std::pair<std::string, std::string>> seen_;  // table and row
};

}  // namespace

Result<std::vector<Finding>> checkDatabase(sql::Connection& connection) {
  return Check(connection).run();
}

}  // namespace mailzone::tenantdb
