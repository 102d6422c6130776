// One contract, every engine: a test body runs once on SQLite and once on MariaDB, each time on a fresh, migrated
// tenant database of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "system/sql.h"

namespace mailzone::test {

class TestDatabase {
 public:
  virtual ~TestDatabase() = default;
  [[nodiscard]] virtual sql::Dialect dialect() const noexcept = 0;
  /// A connection of the account that migrated (secrets included).
  [[nodiscard]] virtual std::unique_ptr<sql::Connection> connect() = 0;
  /// The table [database] of the settings of a program that runs as `role` (admin, dns, keys, mta, app). On MariaDB
  /// with an account that has that role's grants and no others.
  [[nodiscard]] virtual std::string settings(const std::string& role) = 0;
};

[[nodiscard]] std::unique_ptr<TestDatabase> makeTestDatabase(sql::Dialect dialect);

/// Calls `body` for each engine, with a trace that names it.
void onEachEngine(const std::function<void(TestDatabase&)>& body);

/// Runs a statement that must succeed.
void must(sql::Connection& connection, std::string_view statement, const std::vector<sql::Value>& values = {});
/// All rows, their columns joined by "|"; NULL is an empty column.
[[nodiscard]] std::vector<std::string> rows(sql::Connection& connection, std::string_view statement,
                                            const std::vector<sql::Value>& values = {});
/// The first column of the first row; "" without a row.
[[nodiscard]] std::string one(sql::Connection& connection, std::string_view statement,
                              const std::vector<sql::Value>& values = {});
/// Platform 1 shop.example with its three zones, a reverse zone, pools `main` and `fwd`, a relay, streams, and tenants
/// t1, t2 (ids 1 and 2).
void seedPlatform(sql::Connection& connection);
/// A key in a slot of a domain, active if asked: what rotation does. Returns the selector's id.
std::string giveKey(sql::Connection& connection, const std::string& domain, const std::string& slot, bool active);

}  // namespace mailzone::test
