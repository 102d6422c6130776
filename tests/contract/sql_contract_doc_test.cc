// docs/sql-contract.md is the schema: it lists each column, view and role that is there, and none that is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tenantdb/migrator.h"
#include "tests/support/engines.h"

namespace mailzone {
namespace {

using test::one;
using test::onEachEngine;
using test::TestDatabase;
using testing::ContainerEq;
using testing::HasSubstr;

using Names = std::set<std::string>;

constexpr const char* kOneEngine = "MariaDB only";

struct Document {
  std::map<std::string, std::string> columns;  ///< "table.column" -> the rest of its line
  std::map<std::string, std::string> views;    ///< name -> the columns as written
  Names roles;
  std::vector<std::string> twice;
};

std::vector<std::string> cellsOf(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line.substr(1));
  for (std::string cell; std::getline(stream, cell, '|');) cells.push_back(cell);
  return cells;
}

/// The text of a cell without its backticks; "" for a cell that does not begin with one.
std::string quotedIn(const std::string& cell) {
  const auto first = cell.find('`');
  const auto last = cell.find('`', first + 1);
  return first == std::string::npos || last == std::string::npos ? "" : cell.substr(first + 1, last - first - 1);
}

Document readDocument() {
  std::ifstream file(MAILZONE_SOURCE_DIR "/docs/sql-contract.md");
  Document document;
  std::string heading;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) heading = line;
    if (!line.starts_with("| `")) continue;
    const auto cells = cellsOf(line);
    const auto name = quotedIn(cells.at(0));
    if (heading == "## Views") {
      document.views[name] = quotedIn(cells.at(1));
    } else if (heading == "## Roles") {
      document.roles.insert(name);
    } else if (!document.columns.emplace(name, line.substr(line.find('|', 1))).second) {
      document.twice.push_back(name);
    }
  }
  return document;
}

Names namesOf(const std::vector<std::string>& rows) {
  return {rows.begin(), rows.end()};
}

struct Schema {
  Names columns;                             ///< of tables: "table.column"
  std::map<std::string, std::string> views;  ///< name -> "a, b"
};

Schema readSchema(TestDatabase& database) {
  const auto connection = database.connect();
  Schema schema;
  std::vector<std::string> viewColumns;
  if (database.dialect() == sql::Dialect::sqlite) {
    for (const char* file : {"main", "secret"}) {
      const auto rows = test::rows(*connection, std::string("SELECT m.name || '.' || c.name FROM ") + file +
                                                    ".sqlite_master m JOIN pragma_table_info(m.name, '" + file +
                                                    "') c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'");
      schema.columns.merge(namesOf(rows));
    }
    viewColumns = test::rows(*connection,
                             "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c "
                             "WHERE m.type = 'view' ORDER BY m.name, c.cid");
  } else {
    schema.columns = namesOf(test::rows(*connection,
                                        "SELECT concat(c.table_name, '.', c.column_name) FROM "
                                        "information_schema.columns c JOIN information_schema.tables t ON "
                                        "t.table_schema = c.table_schema AND t.table_name = c.table_name "
                                        "WHERE c.table_schema = database() AND t.table_type = 'BASE TABLE'"));
    viewColumns =
        test::rows(*connection,
                   "SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN "
                   "information_schema.views v ON v.table_schema = c.table_schema AND v.table_name = "
                   "c.table_name WHERE c.table_schema = database() ORDER BY c.table_name, c.ordinal_position");
  }
  for (const auto& row : viewColumns) {
    const auto bar = row.find('|');
    auto& columns = schema.views[row.substr(0, bar)];
    columns += (columns.empty() ? "" : ", ") + row.substr(bar + 1);
  }
  return schema;
}

TEST(SqlContract, ListsEachColumnOfEachTable) {
  const auto document = readDocument();
  EXPECT_TRUE(document.twice.empty()) << document.twice.front() << " stands there twice";
  for (const auto& [column, rest] : document.columns) {
    EXPECT_TRUE(std::regex_search(rest, std::regex("^\\| (set|read|internal) \\|"))) << column << rest;
  }
  onEachEngine([&](TestDatabase& database) {
    Names documented;
    for (const auto& [column, rest] : document.columns) {
      const bool everywhere = rest.find(kOneEngine) == std::string::npos;
      if (everywhere || database.dialect() == sql::Dialect::mysql) documented.insert(column);
    }
    EXPECT_THAT(readSchema(database).columns, ContainerEq(documented));
  });
}

TEST(SqlContract, ListsTheViewsWithTheirColumns) {
  const auto document = readDocument();
  ASSERT_FALSE(document.views.empty());
  onEachEngine([&](TestDatabase& database) {
    const bool sqlite = database.dialect() == sql::Dialect::sqlite;
    const auto schema = readSchema(database);
    for (const auto& [view, columns] : document.views) {
      if (sqlite && view == "signing") {
        EXPECT_FALSE(schema.views.contains(view)) << "its place is the export: the secrets are another file";
        continue;
      }
      ASSERT_TRUE(schema.views.contains(view)) << view;
      EXPECT_EQ(schema.views.at(view), columns) << view;
    }
    for (const auto& [view, columns] : schema.views) {
      // SQLite has no procedures: a view that triggers insert into is one, and never has a row.
      const bool called = view.ends_with("_check") || view.ends_with("_refresh") || view.ends_with("_feed") ||
                          view.ends_with("_depart");
      if (sqlite && called) {
        EXPECT_EQ(one(*database.connect(), "SELECT count(*) FROM " + view), "0") << view;
        continue;
      }
      EXPECT_TRUE(document.views.contains(view)) << view << " is not documented";
    }
  });
}

TEST(SqlContract, ListsTheRoles) {
  const auto document = readDocument();
  EXPECT_THAT(document.roles, ContainerEq(Names{"mailzone_admin", "mailzone_dns", "mailzone_keys", "mailzone_sign",
                                                "mailzone_mta", "mailzone_app"}));
  const auto database = test::makeTestDatabase(sql::Dialect::mysql);
  const auto connection = database->connect();
  tenantdb::Migrator migrator(*connection);
  const auto accountOf = [](const std::string& role) {
    std::vector<tenantdb::RoleAccount> accounts(1);
    accounts[0].role = role.substr(std::string("mailzone_").size());
    accounts[0].user = "contract_" + accounts[0].role;
    accounts[0].password = Secret("a password");
    return accounts;
  };
  for (const auto& role : document.roles) {
    if (role == "mailzone_admin") continue;  // whoever migrates
    const auto granted = migrator.grantRoles(accountOf(role));
    EXPECT_TRUE(granted) << role << ": " << describe(granted.error());
  }
  EXPECT_FALSE(migrator.grantRoles(accountOf("mailzone_other")));
  // What the page says of the application: it writes no column that it only reads, of the tables with rights by column.
  const auto writable = test::rows(*connection,
                                   "SELECT DISTINCT concat(table_name, '.', column_name) FROM "
                                   "information_schema.column_privileges WHERE table_schema = database() AND "
                                   "grantee LIKE '''contract_app''%' AND privilege_type IN ('INSERT', 'UPDATE')");
  ASSERT_FALSE(writable.empty());
  for (const auto& column : writable) {
    ASSERT_TRUE(document.columns.contains(column)) << column;
    EXPECT_THAT(document.columns.at(column), HasSubstr("| set |")) << column;
  }
}

}  // namespace
}  // namespace mailzone
