// Brings the schema to this program's version, and looks whether a database is fit to work with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/secret.h"
#include "system/sql.h"

namespace mailzone::tenantdb {

/// One numbered step, embedded from tenantdb/migrations/ENGINE/NNNN_NAME.sql.
struct Migration {
  int version = 0;
  std::string_view name;  ///< "0001_tables"
  std::string_view text;
};
/// In order of version, without gaps.
[[nodiscard]] const std::vector<Migration>& migrations(sql::Dialect dialect);
/// The version that this program's migrations end at.
[[nodiscard]] int schemaVersion() noexcept;

/// The password of one SQL account. MySQL only: a migration names accounts and grants, never a password.
struct RoleAccount {
  std::string role;        ///< dns, keys, sign, mta, app (admin is whoever migrates)
  std::string user;        ///< mailzone_dns, ...
  std::string host = "%";  ///< from where it may come
  Secret password;
};

class Migrator {
 public:
  explicit Migrator(sql::Connection& connection) : connection_(connection) {}

  /// 0: an empty database. Errc::schemaVersion: newer than this program, or left half-applied by a migration that
  /// failed (MySQL cannot roll CREATE TABLE back).
  [[nodiscard]] Result<int> currentVersion();
  [[nodiscard]] Result<std::vector<Migration>> pending();
  /// The statements that apply() would run, as text for a person; no passwords.
  [[nodiscard]] Result<std::string> dryRun();
  /// Applies what is pending, in order, each recorded in schema_info. Returns what was applied. MySQL: first checks the
  /// privileges that triggers with a definer need, and names those that are missing (Errc::forbidden); makes the locked
  /// account mailzone_definer.
  [[nodiscard]] Result<std::vector<Migration>> apply();
  /// MySQL: makes the accounts (or sets their passwords) and gives each its grants; again is harmless. SQLite: nothing.
  [[nodiscard]] Result<void> grantRoles(const std::vector<RoleAccount>& accounts);

 private:
  sql::Connection& connection_;
};

/// For every program before it works: the schema is the one that it knows, or the next (expand first, contract later).
/// Errc::schemaVersion names both versions and `mailzone db migrate`.
[[nodiscard]] Result<void> requireSchema(sql::Connection& connection);

/// One thing that `mailzone db check` found.
struct Finding {
  std::string table;
  std::string row;    ///< "id 12", or a name
  std::string value;  ///< the offending value, escaped
  std::string reason;
  std::string remedy;
};
/// Schema version, rows that cannot become values, what a SQLite writer without foreign_keys and recursive_triggers
/// left behind, definer and privileges. Outer Error: the database could not be asked.
[[nodiscard]] Result<std::vector<Finding>> checkDatabase(sql::Connection& connection);

}  // namespace mailzone::tenantdb
