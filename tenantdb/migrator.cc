#include "tenantdb/migrator.h"

#include <fmt/format.h>

#include <optional>

#include "tenantdb/embedded_migrations.h"
#include "tenantdb/roles.h"

namespace mailzone::tenantdb {
namespace {

using sql::Dialect;

// The migrator's own table. applied_at is NULL while a migration runs: MySQL commits each CREATE at once, so one that
// failed half-way stays behind and must be seen.
constexpr std::string_view kSchemaInfo[] = {
    "CREATE TABLE schema_info (version INTEGER NOT NULL PRIMARY KEY, applied_at TEXT)",
    "CREATE TABLE schema_info (version INT NOT NULL PRIMARY KEY, applied_at DATETIME(6) NULL) ENGINE=InnoDB",
};
std::string_view schemaInfoTable(Dialect dialect) noexcept {
  return kSchemaInfo[dialect == Dialect::mysql ? 1 : 0];
}
constexpr std::string_view kNow[] = {"strftime('%Y-%m-%d %H:%M:%f000', 'now')", "utc_timestamp(6)"};
std::string_view now(Dialect dialect) noexcept {
  return kNow[dialect == Dialect::mysql ? 1 : 0];
}

/// Whether the query gives a row.
Result<bool> anyRow(sql::Connection& connection, std::string_view statement, std::span<const sql::Value> values = {}) {
  bool any = false;
  const auto asked = connection.query(statement, values, [&](const sql::Row&) {
    any = true;
    return true;
  });
  if (!asked) return pass(asked);
  return any;
}

Result<bool> tableExists(sql::Connection& connection, const std::string& table) {
  const sql::Value values[] = {table};
  return anyRow(connection,
                connection.dialect() == Dialect::sqlite
                    ? "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
                    : "SELECT 1 FROM information_schema.tables WHERE table_schema = database() AND table_name = ?",
                values);
}

/// Whatever number stands in the database: no judgement yet on whether this program understands it.
Result<int> storedVersion(sql::Connection& connection) {
  const auto known = tableExists(connection, "schema_info");
  if (!known) return pass(known);
  if (!*known) {
    const auto foreign = tableExists(connection, "platform");
    if (!foreign) return pass(foreign);
    if (*foreign) {
      return fail(Errc::schemaVersion, "platform", "the database has tables of this name but no schema_info",
                  "it is not a database of mailzone: give mailzone one of its own");
    }
    return 0;
  }
  int version = 0;
  std::optional<int> unfinished;
  const auto asked =
      connection.query("SELECT version, applied_at FROM schema_info ORDER BY version", {}, [&](const sql::Row& row) {
        if (const auto number = row.integer(0)) {
          version = static_cast<int>(*number);
          if (row.isNull(1)) unfinished = version;
        }
        return true;
      });
  if (!asked) return pass(asked);
  if (unfinished) {
    return fail(
        Errc::schemaVersion, std::to_string(*unfinished),
        "this migration began and did not finish: the schema is half-applied",
        "restore the backup made before it, or finish its statements by hand (`mailzone db migrate --dry-run` on "
        "an empty database prints them) and set schema_info.applied_at");
  }
  return version;
}

Result<void> recordBegun(sql::Connection& connection, int version) {
  const sql::Value values[] = {std::int64_t{version}};
  const auto done = connection.execute("INSERT INTO schema_info (version, applied_at) VALUES (?, NULL)", values);
  if (!done) return pass(done);
  return {};
}

Result<void> recordApplied(sql::Connection& connection, int version) {
  const sql::Value values[] = {std::int64_t{version}};
  const auto done = connection.execute(
      fmt::format("UPDATE schema_info SET applied_at = {} WHERE version = ?", now(connection.dialect())), values);
  if (!done) return pass(done);
  return {};
}

Result<void> applyOne(sql::Connection& connection, const Migration& migration) {
  const auto work = [&]() -> Result<void> {
    if (auto begun = recordBegun(connection, migration.version); !begun) return begun;
    if (auto ran = connection.script(migration.text); !ran) {
      Error error = ran.error();
      error.rule = fmt::format("migration {}: {}", migration.name, error.rule);
      return tl::unexpected<Error>(std::move(error));
    }
    return recordApplied(connection, migration.version);
  };
  // SQLite's CREATE is transactional: all of a migration or nothing.
  return connection.dialect() == Dialect::sqlite ? sql::inTransaction(connection, work) : work();
}

Result<bool> hasSecretsAttached(sql::Connection& connection) {
  return anyRow(connection, "SELECT 1 FROM pragma_database_list WHERE name = 'secret'");
}

}  // namespace

const std::vector<Migration>& migrations(Dialect dialect) {
  return dialect == Dialect::sqlite ? sqliteMigrations() : mysqlMigrations();
}

int schemaVersion() noexcept {
  return static_cast<int>(sqliteMigrations().size());
}

Result<int> Migrator::currentVersion() {
  const auto version = storedVersion(connection_);
  if (version && *version > schemaVersion()) {
    return fail(Errc::schemaVersion, std::to_string(*version),
                fmt::format("the schema is newer than this program, which knows version {}", schemaVersion()),
                "run the `mailzone` that belongs to the newer schema");
  }
  return version;
}

Result<std::vector<Migration>> Migrator::pending() {
  const auto version = currentVersion();
  if (!version) return pass(version);
  std::vector<Migration> list;
  for (const auto& migration : migrations(connection_.dialect())) {
    if (migration.version > *version) list.push_back(migration);
  }
  return list;
}

Result<std::string> Migrator::dryRun() {
  const auto list = pending();
  if (!list) return pass(list);
  std::string text;
  if (!list->empty() && list->front().version == 1) {
    text += fmt::format("{};\n", schemaInfoTable(connection_.dialect()));
  }
  for (const auto& migration : *list) text += fmt::format("-- migration {}\n{}\n", migration.name, migration.text);
  return text;
}

Result<std::vector<Migration>> Migrator::apply() {
  auto list = pending();
  if (!list) return list;
  if (connection_.dialect() == Dialect::mysql) {
    if (auto ready = prepareDefiner(connection_); !ready) return pass(ready);
  }
  if (!list->empty() && list->front().version == 1) {
    const auto known = tableExists(connection_, "schema_info");
    if (!known) return pass(known);
    if (!*known) {
      if (auto made = connection_.script(schemaInfoTable(connection_.dialect())); !made) return pass(made);
    }
  }
  for (const auto& migration : *list) {
    if (auto applied = applyOne(connection_, migration); !applied) return pass(applied);
  }
  if (connection_.dialect() == Dialect::sqlite) {
    const auto attached = hasSecretsAttached(connection_);
    if (!attached) return pass(attached);
    if (*attached) {
      if (auto made = connection_.script(sqliteSecretsScript()); !made) return pass(made);
    }
  }
  return list;
}

Result<void> Migrator::grantRoles(const std::vector<RoleAccount>& accounts) {
  if (connection_.dialect() == Dialect::sqlite) return {};
  for (const auto& account : accounts) {
    if (auto granted = grantRole(connection_, account); !granted) return granted;
  }
  return {};
}

Result<void> requireSchema(sql::Connection& connection) {
  const auto version = storedVersion(connection);
  if (!version) return pass(version);
  // Migrations expand first and contract later: the programs of one version run on the next schema too.
  if (*version == schemaVersion() || *version == schemaVersion() + 1) return {};
  const bool old = *version < schemaVersion();
  return fail(Errc::schemaVersion, std::to_string(*version),
              fmt::format("the schema is too {}: this program works with versions {} and {}", old ? "old" : "new",
                          schemaVersion(), schemaVersion() + 1),
              old ? "run `mailzone db migrate`" : "upgrade this program");
}

}  // namespace mailzone::tenantdb
