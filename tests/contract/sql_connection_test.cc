// sql::Connection: one contract, every engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "core/clock.h"
#include "tests/support/engines.h"
#include "tests/support/temporary_mariadb.h"
#include "tests/support/temporary_sqlite.h"

namespace mailzone::sql {
namespace {

using test::must;
using test::one;
using test::onEachEngine;
using test::rows;
using test::TestDatabase;
using testing::ElementsAre;
using testing::HasSubstr;

void makeTable(Connection& connection) {
  must(connection, "CREATE TABLE thing (id INTEGER PRIMARY KEY, name VARCHAR(5000) NOT NULL UNIQUE, number BIGINT)");
}

TEST(SqlConnection, BindsWhatItIsGivenAndPastesNothing) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    makeTable(*connection);
    const std::string nasty = "'; DROP TABLE thing; -- \\ \" ` % ? \n\t é";
    const std::string longText(4000, 'x');
    must(*connection, "INSERT INTO thing VALUES (1, ?, ?)", {nasty, std::int64_t{-9223372036854775807LL - 1}});
    must(*connection, "INSERT INTO thing VALUES (2, ?, ?)", {longText, nullptr});
    must(*connection, "INSERT INTO thing VALUES (3, ?, ?)", {std::string(), std::int64_t{9223372036854775807LL}});
    std::vector<std::string> names;
    std::vector<bool> nulls;
    std::vector<std::int64_t> numbers;
    ASSERT_TRUE(connection->query("SELECT name, number FROM thing ORDER BY id", {}, [&](const Row& row) {
      EXPECT_EQ(row.size(), 2U);
      names.push_back(row.text(0));
      nulls.push_back(row.isNull(1));
      numbers.push_back(row.integer(1).value_or(0));
      return true;
    }));
    EXPECT_THAT(names, ElementsAre(nasty, longText, ""));
    EXPECT_THAT(nulls, ElementsAre(false, true, false));
    EXPECT_THAT(numbers, ElementsAre(-9223372036854775807LL - 1, 0, 9223372036854775807LL));
  });
}

TEST(SqlConnection, TellsWhatAStatementDid) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    must(*connection, "INSERT INTO reserved_slug (slug) VALUES ('one-more'), ('two-more')");
    const Value values[] = {std::string("one-more")};
    // An UPDATE that changes no value still matched its row.
    EXPECT_EQ(connection->execute("UPDATE reserved_slug SET slug = slug WHERE slug = ?", values)->affectedRows, 1U);
    EXPECT_EQ(connection->execute("DELETE FROM reserved_slug WHERE slug LIKE '%-more'")->affectedRows, 2U);
    EXPECT_EQ(connection->execute("DELETE FROM reserved_slug WHERE slug LIKE '%-more'")->affectedRows, 0U);
    const auto inserted = connection->execute("INSERT INTO platform (name) VALUES ('shop.example')");
    // Not the id of a row that a trigger inserted.
    EXPECT_EQ(one(*connection, "SELECT id FROM platform"), std::to_string(inserted->lastInsertId));
  });
}

TEST(SqlConnection, StopsReadingWhenAskedAndGoesOnWithTheNextStatement) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    int seen = 0;
    ASSERT_TRUE(
        connection->query("SELECT n FROM text_position ORDER BY n", {}, [&](const Row&) { return ++seen < 3; }));
    EXPECT_EQ(seen, 3);
    EXPECT_EQ(one(*connection, "SELECT count(*) FROM text_position"), "1004");
  });
}

TEST(SqlConnection, KindsOfErrors) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    test::seedPlatform(*connection);
    struct Case {
      std::string_view why;
      std::string_view statement;
      Errc code;
    };
    const Case cases[] = {
        {"UNIQUE", "INSERT INTO reserved_slug (slug) VALUES ('sig')", Errc::conflict},
        {"foreign key", "INSERT INTO tenant (platform_id, slug) VALUES (99, 'x')", Errc::conflict},
        {"CHECK", "UPDATE tenant SET state = 'paused'", Errc::invalidInput},
        {"NOT NULL", "INSERT INTO tenant (platform_id, slug) VALUES (1, NULL)", Errc::invalidInput},
        {"a trigger's refusal", "INSERT INTO tenant (platform_id, slug) VALUES (1, 'sig')", Errc::invalidInput},
        {"no such table", "SELECT 1 FROM nothing_here", Errc::schemaVersion},
        {"no such column", "SELECT nothing_here FROM tenant", Errc::schemaVersion},
        {"not SQL", "SELEKT 1", Errc::internal},
        {"a placeholder without a value", "SELECT ?", Errc::internal},
    };
    for (const auto& each : cases) {
      const auto done = connection->execute(each.statement);
      ASSERT_FALSE(done) << each.why;
      EXPECT_EQ(done.error().code, each.code) << each.why << ": " << describe(done.error());
    }
    const auto refused = connection->execute("INSERT INTO tenant (platform_id, slug) VALUES (1, 'sig')");
    EXPECT_THAT(refused.error().rule, HasSubstr("the slug is reserved"));
  });
}

TEST(SqlConnection, ATransactionIsAllOrNothing) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    makeTable(*connection);
    const auto failed = inTransaction(*connection, [&]() -> Result<void> {
      must(*connection, "INSERT INTO thing VALUES (1, 'a', 1)");
      EXPECT_TRUE(connection->inTransaction());
      return fail(Errc::invalidInput, "", "enough");
    });
    EXPECT_EQ(failed.error().rule, "enough");
    EXPECT_FALSE(connection->inTransaction());
    EXPECT_THROW((void)inTransaction(*connection,
                                     [&]() -> Result<void> {
                                       must(*connection, "INSERT INTO thing VALUES (1, 'a', 1)");
                                       throw std::runtime_error("broken");
                                     }),
                 std::runtime_error);
    EXPECT_EQ(one(*connection, "SELECT count(*) FROM thing"), "0");
    // Within another it joins that one.
    ASSERT_TRUE(inTransaction(*connection, [&] {
      return inTransaction(*connection, [&]() -> Result<void> {
        must(*connection, "INSERT INTO thing VALUES (1, 'a', 1)");
        return {};
      });
    }));
    EXPECT_EQ(one(*database.connect(), "SELECT count(*) FROM thing"), "1");
  });
}

TEST(SqlConnection, AScriptHoldsSeveralStatements) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    ASSERT_TRUE(
        connection->script("-- a comment; with a semicolon\nCREATE TABLE one_thing (a INTEGER); "
                           "INSERT INTO one_thing VALUES (1);\n/* ; */ INSERT INTO one_thing VALUES (2);"));
    EXPECT_EQ(one(*connection, "SELECT sum(a) FROM one_thing"), "3");
    EXPECT_FALSE(connection->script("INSERT INTO one_thing VALUES (3); INSERT INTO nothing_here VALUES (1)"));
  });
}

TEST(SqlConnection, AStatementIsPreparedAgainAfterTheTableChanged) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    const auto other = database.connect();
    makeTable(*connection);
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(rows(*connection, "SELECT id, name FROM thing").size(), 0U);
      must(*other, "ALTER TABLE thing ADD COLUMN extra" + std::to_string(i) + " INTEGER");
    }
  });
}

TEST(SqlConnection, DataVersionChangesWithAnotherConnectionsCommit) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    const auto other = database.connect();
    const auto before = connection->dataVersion();
    ASSERT_TRUE(before);
    if (!*before) {
      EXPECT_EQ(connection->dialect(), Dialect::mysql) << "the feed is asked instead";
      return;
    }
    EXPECT_EQ(connection->dataVersion().value(), *before);
    must(*other, "INSERT INTO reserved_slug (slug) VALUES ('more')");
    EXPECT_NE(connection->dataVersion().value(), *before);
  });
}

TEST(SqlConnection, TimesAreTextInUtcWithSixDigits) {
  onEachEngine([](TestDatabase& database) {
    const auto connection = database.connect();
    test::seedPlatform(*connection);
    const auto created = parseSqlTime(one(*connection, "SELECT created_at FROM platform"));
    ASSERT_TRUE(created);
    const auto age = SystemClock().now() - *created;
    EXPECT_LT(std::chrono::abs(age), std::chrono::minutes(5)) << "a default in local time would be hours away";
    must(*connection, "UPDATE domain SET verified_at = ? WHERE id = 1", {"2039-12-31 23:59:59.000001"});
    EXPECT_EQ(one(*connection, "SELECT verified_at FROM domain WHERE id = 1"), "2039-12-31 23:59:59.000001");
  });
}

TEST(SqlConnection, ALockThatAnotherHoldsIsTemporary) {
  test::TemporarySqlite sqlite;
  const auto holder = sqlite.connect();
  ASSERT_TRUE(holder->begin());
  auto waiting = openSqlite({sqlite.path(), "", false, 50}).value();
  EXPECT_EQ(waiting->begin().error().code, Errc::temporary);
  holder->rollback();
  EXPECT_TRUE(waiting->begin());

  auto& server = test::TemporaryMariadb::shared();
  const auto name = server.newMigratedDatabase();
  const auto first = server.connect(name).value();
  const auto second = server.connect(name).value();
  must(*second, "SET SESSION innodb_lock_wait_timeout = 1");
  ASSERT_TRUE(first->begin());
  must(*first, "UPDATE feed_head SET seq = seq WHERE one = 1");
  EXPECT_EQ(second->execute("UPDATE feed_head SET seq = 7 WHERE one = 1").error().code, Errc::temporary);
  first->rollback();
}

TEST(SqliteConnection, OpensOnlyWhatIsThere) {
  const test::TemporarySqlite database(false);
  EXPECT_EQ(openSqlite({database.folder() + "/none.db", "", false, 100}).error().code, Errc::unavailable);
  EXPECT_EQ(openSqlite({database.folder() + "/none/none.db", "", true, 100}).error().code, Errc::unavailable);
  EXPECT_EQ(openSqlite({database.path(), database.folder() + "/none.db", false, 100}).error().code, Errc::unavailable);
  std::FILE* file = std::fopen((database.folder() + "/garbage.db").c_str(), "w");
  std::fputs("this is no database, and it is longer than the header of one would have to be............", file);
  std::fclose(file);
  EXPECT_EQ(openSqlite({database.folder() + "/garbage.db", "", false, 100}).error().code, Errc::corrupt);
}

TEST(SqliteConnection, TheSecretsFileIsTheOwnersAlone) {
  const test::TemporarySqlite database;
  struct stat state {};
  ASSERT_EQ(::stat(database.secretsPath().c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 0777U, 0600U);
  const auto open = database.connect();
  must(*open, "INSERT INTO secret.dkim_secret (key_id, private_pem) VALUES (1, 'x')");
  ASSERT_EQ(::stat((database.secretsPath() + "-wal").c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 0777U, 0600U);
  ::chmod(database.secretsPath().c_str(), 0640);
  EXPECT_EQ(openSqlite({database.path(), database.secretsPath(), false, 100}).error().code, Errc::settings);
  // Without them the rest is there, and the secrets are not.
  const auto without = database.connect(false);
  EXPECT_EQ(one(*without, "SELECT count(*) FROM platform"), "0");
  EXPECT_FALSE(without->execute("SELECT * FROM secret.dkim_secret"));
}

TEST(MysqlConnection, AServerThatGoesAwayIsUnavailable) {
  test::TemporaryMariadb server({});
  const auto connection = server.connect("").value();
  EXPECT_EQ(one(*connection, "SELECT 1"), "1");
  server.kill();
  EXPECT_EQ(connection->execute("SELECT 1").error().code, Errc::unavailable);
  EXPECT_EQ(connection->execute("SELECT 2").error().code, Errc::unavailable);
  EXPECT_EQ(server.connect("").error().code, Errc::unavailable);
}

TEST(MysqlConnection, AWrongPasswordIsForbiddenAndNotTold) {
  const auto& server = test::TemporaryMariadb::shared();
  const auto refused = server.connect("", "nobody", "hunter2");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::forbidden);
  EXPECT_THAT(describe(refused.error()), testing::Not(HasSubstr("hunter2")));
  EXPECT_EQ(server.connect("no_such_database").error().code, Errc::schemaVersion);
}

TEST(MysqlConnection, AQueryThatTakesTooLongEnds) {
  const auto& server = test::TemporaryMariadb::shared();
  MysqlOptions options;
  options.unixSocket = server.socket();
  options.user = "root";
  options.readTimeoutS = 1;
  const auto connection = openMysql(options).value();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(connection->execute("SELECT sleep(30)").error().code, Errc::unavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(15));
}

TEST(MysqlConnection, RowsComeAsTheyAreReadAndNotAllAtOnce) {
  const auto& server = test::TemporaryMariadb::shared();
  const auto connection = server.connect("").value();
  // Not a tenth of it is asked for.
  std::int64_t seen = 0;
  const auto done = connection->query(
      "SELECT repeat('x', 1000000) FROM mysql.help_topic a, mysql.help_topic b LIMIT 300", {}, [&](const Row& row) {
        seen += static_cast<std::int64_t>(row.text(0).size());
        return seen < 20'000'000;
      });
  ASSERT_TRUE(done) << describe(done.error());
  EXPECT_EQ(seen, 20'000'000);
  EXPECT_EQ(one(*connection, "SELECT 1"), "1");
}

TEST(SplitScript, KnowsWhereStatementsEnd) {
  EXPECT_THAT(splitScript("a; b ';' c; -- d;\n e", Dialect::sqlite), ElementsAre("a", "b ';' c", "e"));
  EXPECT_THAT(splitScript("DELIMITER //\nCREATE x BEGIN a; b; END //\nDELIMITER ;\nc;", Dialect::mysql),
              ElementsAre("CREATE x BEGIN a; b; END", "c"));
  EXPECT_THAT(splitScript("CREATE TRIGGER t BEGIN a; b; END; c", Dialect::sqlite),
              ElementsAre("CREATE TRIGGER t BEGIN a; b; END", "c"));
  EXPECT_THAT(splitScript("a 'it\\'s; b' c; d", Dialect::mysql), ElementsAre("a 'it\\'s; b' c", "d"));
  EXPECT_THAT(splitScript("a 'it''s; b' c; d 'open", Dialect::sqlite), ElementsAre("a 'it''s; b' c", "d 'open"));
  EXPECT_THAT(splitScript("  \n-- nothing\n;;", Dialect::mysql), ElementsAre());
}

}  // namespace
}  // namespace mailzone::sql
