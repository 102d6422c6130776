// Migrations and the check of a database, on every engine.
#include "tenantdb/migrator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/engines.h"
#include "tests/support/temporary_mariadb.h"
#include "tests/support/temporary_sqlite.h"

namespace mailzone::tenantdb {
namespace {

using test::must;
using test::one;
using test::onEachEngine;
using test::seedPlatform;
using test::TestDatabase;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Migrator, BothEnginesHaveTheSameVersions) {
  const auto& sqlite = migrations(sql::Dialect::sqlite);
  const auto& mysql = migrations(sql::Dialect::mysql);
  ASSERT_EQ(sqlite.size(), mysql.size());
  for (std::size_t i = 0; i < sqlite.size(); ++i) {
    EXPECT_EQ(sqlite[i].version, static_cast<int>(i) + 1);
    EXPECT_EQ(sqlite[i].name, mysql[i].name);
  }
  EXPECT_EQ(schemaVersion(), static_cast<int>(sqlite.size()));
}

TEST(Migrator, BringsAnEmptyDatabaseToTheNewestVersionOnce) {
  const test::TemporarySqlite sqlite(false);
  auto& server = test::TemporaryMariadb::shared();
  std::vector<std::unique_ptr<sql::Connection>> connections;
  connections.push_back(sqlite.connect());
  connections.push_back(server.connect(server.newDatabase()).value());
  for (const auto& connection : connections) {
    Migrator migrator(*connection);
    EXPECT_EQ(migrator.currentVersion().value(), 0);
    EXPECT_EQ(requireSchema(*connection).error().code, Errc::schemaVersion);
    EXPECT_THAT(describe(requireSchema(*connection).error()), HasSubstr("mailzone db migrate"));
    const auto text = migrator.dryRun().value();
    EXPECT_THAT(text, HasSubstr("CREATE TABLE tenant"));
    EXPECT_EQ(migrator.currentVersion().value(), 0) << "a dry run changes nothing";
    const auto applied = migrator.apply();
    ASSERT_TRUE(applied) << describe(applied.error());
    EXPECT_EQ(applied->size(), static_cast<std::size_t>(schemaVersion()));
    EXPECT_EQ(migrator.currentVersion().value(), schemaVersion());
    EXPECT_THAT(migrator.apply().value(), IsEmpty());
    EXPECT_EQ(migrator.dryRun().value(), "");
    EXPECT_TRUE(requireSchema(*connection));
  }
}

TEST(Migrator, KnowsASchemaThatIsNewerOlderHalfAppliedOrForeign) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    Migrator migrator(*connection);
    const std::int64_t next = schemaVersion() + 1;
    // The next version: its programs and ours both run on it, but we cannot migrate it.
    must(*connection, "INSERT INTO schema_info (version, applied_at) VALUES (?, '2030-01-01 00:00:00.000000')", {next});
    EXPECT_TRUE(requireSchema(*connection));
    EXPECT_EQ(migrator.apply().error().code, Errc::schemaVersion);
    EXPECT_THAT(describe(migrator.currentVersion().error()), HasSubstr("newer than this program"));
    must(*connection, "INSERT INTO schema_info (version, applied_at) VALUES (?, '2030-01-01 00:00:00.000000')",
         {next + 1});
    EXPECT_EQ(requireSchema(*connection).error().code, Errc::schemaVersion);
    EXPECT_THAT(describe(requireSchema(*connection).error()), HasSubstr("too new"));
    EXPECT_EQ(checkDatabase(*connection).value().size(), 1U);
    must(*connection, "DELETE FROM schema_info WHERE version >= ?", {next});
    must(*connection, "UPDATE schema_info SET applied_at = NULL WHERE version = ?", {std::int64_t{schemaVersion()}});
    EXPECT_EQ(migrator.apply().error().code, Errc::schemaVersion);
    EXPECT_THAT(describe(requireSchema(*connection).error()), HasSubstr("half-applied"));
    must(*connection, "DELETE FROM schema_info WHERE version = ?", {std::int64_t{schemaVersion()}});
    EXPECT_THAT(describe(requireSchema(*connection).error()), HasSubstr("too old"));
    must(*connection, "DROP TABLE schema_info");
    EXPECT_THAT(describe(migrator.currentVersion().error()), HasSubstr("no schema_info"));
  });
}

TEST(Migrator, AMigrationThatFailsIsSeenAfterwards) {
  // A name that is taken already lets the first migration fail in its middle.
  const test::TemporarySqlite sqlite(false);
  auto& server = test::TemporaryMariadb::shared();
  std::vector<std::unique_ptr<sql::Connection>> connections;
  connections.push_back(sqlite.connect());
  connections.push_back(server.connect(server.newDatabase()).value());
  for (const auto& connection : connections) {
    must(*connection, "CREATE TABLE relay (id INTEGER)");
    Migrator migrator(*connection);
    const auto failed = migrator.apply();
    ASSERT_FALSE(failed);
    EXPECT_THAT(failed.error().rule, HasSubstr("0001_tables"));
    must(*connection, "DROP TABLE relay");
    if (connection->dialect() == sql::Dialect::sqlite) {
      EXPECT_TRUE(migrator.apply()) << "CREATE is transactional: nothing was left of it";
    } else {
      EXPECT_THAT(describe(migrator.apply().error()), HasSubstr("half-applied"));
    }
  }
}

TEST(CheckDatabase, FindsNothingInAGoodOne) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    seedPlatform(*connection);
    test::giveKey(*connection, "t1.shop.example", "mz1", true);
    must(*connection, "DELETE FROM tenant WHERE slug = 't2'");
    const auto findings = checkDatabase(*connection);
    ASSERT_TRUE(findings) << describe(findings.error());
    for (const auto& finding : *findings)
      ADD_FAILURE() << finding.table << " " << finding.row << ": " << finding.reason;
  });
}

TEST(CheckDatabase, ListsWhatAWriterWithoutForeignKeysAndRecursiveTriggersLeftBehind) {
  onEachEngine([](TestDatabase& database) {
    const bool sqlite = database.dialect() == sql::Dialect::sqlite;
    struct Case {
      std::string statement;  ///< as such a writer sends it
      std::string table;
      std::string reason;
      bool onMysqlToo;
    };
    const Case cases[] = {
        // REPLACE: nothing looks whether tenant 77 is there.
        {"INSERT OR REPLACE INTO login (id, tenant_id, name, password_hash) VALUES (1, 77, 'orphan', 'x')", "login",
         "its tenant is gone", false},
        {"INSERT INTO stream (domain_id, name, pool_id) VALUES (999, 'lost', 1)", "stream",
         "its domain, platform, pool", true},
        {"INSERT INTO ip_address (pool_id, address, host_name) VALUES (99, '192.0.2.200', 'lost.example')",
         "ip_address", "its pool is gone", true},
        {"INSERT INTO static_record (zone_id, owner, type, content) VALUES (99, 'lost.example', 'A', '192.0.2.1')",
         "static_record", "its zone is gone", true},
        {"INSERT INTO login (tenant_id, name, password_hash) VALUES (99, 'lost', 'x')", "login",
         "the password still works", true},
        {"INSERT INTO envelope_domain (name, domain_id, author) VALUES ('lost.example', 999, 'lost.example')",
         "envelope_domain", "its domain is gone", true},
        {"INSERT INTO dkim_selector (domain_id, slot, key_id) VALUES (999, 'mz1', 999)", "dkim_selector",
         "its domain is gone", true},
        {"INSERT INTO dkim_key (algorithm, bits, public_key, fingerprint, generated_at) VALUES ('rsa', 2048, 'AAAA', "
         "'" +
             std::string(64, 'd') + "', '2026-01-01 00:00:00.000000')",
         "dkim_key", "its private half is missing", true},
        {"UPDATE ip_address SET address = '1.2.3' WHERE id = 1", "ip_address", "ip_address 1, column address", true},
        {"DELETE FROM zone_serial WHERE zone_id = 1", "zone", "column zone_serial.serial", true},
    };
    const auto connection = database.connect();
    seedPlatform(*connection);
    ASSERT_TRUE(connection->script(sqlite ? "PRAGMA foreign_keys=OFF; PRAGMA recursive_triggers=OFF;"
                                          : "SET SESSION foreign_key_checks = 0;"));
    for (const auto& each : cases) {
      if (sqlite || each.onMysqlToo) must(*connection, each.statement);
    }
    const auto findings = checkDatabase(*connection);
    ASSERT_TRUE(findings) << describe(findings.error());
    for (const auto& finding : *findings) EXPECT_NE(finding.remedy, "") << finding.reason;
    for (const auto& each : cases) {
      if (!sqlite && !each.onMysqlToo) continue;
      const bool found = std::any_of(findings->begin(), findings->end(), [&](const Finding& finding) {
        return finding.table == each.table && finding.reason.find(each.reason) != std::string::npos;
      });
      EXPECT_TRUE(found) << each.statement << ": " << each.reason;
    }
  });
}

TEST(CheckDatabase, FindsADomainWhoseTenantIsGone) {
  const test::TemporarySqlite sqlite;
  const auto connection = sqlite.connect();
  seedPlatform(*connection);
  // The stock client has neither on; a REPLACE deletes without the trigger, which is the same as having none.
  ASSERT_TRUE(connection->script("PRAGMA foreign_keys=OFF; PRAGMA recursive_triggers=OFF;"));
  must(*connection, "DROP TRIGGER tenant_before_delete");
  must(*connection, "DELETE FROM tenant WHERE id = 1");
  const auto findings = checkDatabase(*connection).value();
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].table, "domain");
  EXPECT_EQ(findings[0].value, "t1.shop.example");
  EXPECT_THAT(findings[0].reason, HasSubstr("its tenant is gone"));
}

}  // namespace
}  // namespace mailzone::tenantdb
