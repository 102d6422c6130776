// SQL connections: one small interface over libmysqlclient and SQLite. One contract suite holds both to it
// (tests/contract/sql_connection_test.cc).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.h"
#include "core/secret.h"

namespace mailzone::sql {

enum class Dialect { sqlite, mysql };

/// A parameter. Texts are bound, never pasted.
using Value = std::variant<std::nullptr_t, std::int64_t, std::string>;

/// One result row. Valid only within the callback that got it.
class Row {
 public:
  virtual ~Row() = default;
  [[nodiscard]] virtual std::size_t size() const noexcept = 0;
  [[nodiscard]] virtual bool isNull(std::size_t column) const = 0;
  /// The column as octets; "" for NULL. SQLite columns may hold anything: nothing is assumed of their form.
  [[nodiscard]] virtual std::string text(std::size_t column) const = 0;
  /// The column as a number; Errc::invalidInput when it is NULL or no whole number.
  [[nodiscard]] virtual Result<std::int64_t> integer(std::size_t column) const = 0;
};

/// What a statement did.
struct Outcome {
  std::uint64_t affectedRows = 0;
  std::int64_t lastInsertId = 0;
};

/// Not thread-safe: one connection, one thread. Errors: Errc::unavailable (unreachable, went away: reconnect),
/// Errc::temporary (lock wait, deadlock, busy: try again), Errc::conflict (UNIQUE or foreign key), Errc::invalidInput
/// (CHECK, a trigger's refusal: rule holds its message), Errc::forbidden (no grant, read-only file),
/// Errc::schemaVersion (no such table or column), Errc::internal.
class Connection {
 public:
  virtual ~Connection() = default;
  [[nodiscard]] virtual Dialect dialect() const noexcept = 0;

  /// One statement with `?` placeholders, prepared (and kept) on the server.
  [[nodiscard]] virtual Result<Outcome> execute(std::string_view statement, std::span<const Value> values = {}) = 0;
  /// Rows are streamed: `onRow` is called for each as it arrives; false stops early. No other statement within it. Name
  /// the columns: a `SELECT *` kept while a column is added leaves libmariadb's connection unusable (its error 2057).
  [[nodiscard]] virtual Result<void> query(std::string_view statement, std::span<const Value> values,
                                           const std::function<bool(const Row&)>& onRow) = 0;
  /// A script of several statements as written in a migration file (MySQL: `DELIMITER` lines are understood).
  [[nodiscard]] virtual Result<void> script(std::string_view statements) = 0;

  /// SQLite: BEGIN IMMEDIATE (a deferred one fails at once when it wants to write later). MySQL: READ COMMITTED.
  [[nodiscard]] virtual Result<void> begin() = 0;
  [[nodiscard]] virtual Result<void> commit() = 0;
  virtual void rollback() noexcept = 0;
  /// Between begin() and its end.
  [[nodiscard]] virtual bool inTransaction() const noexcept = 0;

  /// A number that changes when another connection has committed (SQLite: PRAGMA data_version, microseconds); nullopt
  /// where the engine has none: ask the feed then.
  [[nodiscard]] virtual Result<std::optional<std::int64_t>> dataVersion() = 0;
};

/// Runs `work` in a transaction: commits when it returns a value, rolls back on an Error or exception. Within a
/// transaction already open it joins that one: an Error then ends both.
[[nodiscard]] Result<void> inTransaction(Connection& connection, const std::function<Result<void>()>& work);

struct SqliteOptions {
  std::string path;
  std::string secretsPath;  ///< attached as schema `secret`; "" for programs that have no business there
  bool create = false;      ///< else a missing file is Errc::unavailable
  int busyTimeoutMs = 5000;
};
/// WAL, foreign_keys=on, recursive_triggers=on, trusted_schema=off. Errc::settings: the secrets file is open to others.
[[nodiscard]] Result<std::unique_ptr<Connection>> openSqlite(const SqliteOptions& options);

struct MysqlOptions {
  std::string host;  ///< name or address; "" with unixSocket
  std::uint16_t port = 3306;
  std::string unixSocket;
  std::string user;
  Secret password;
  std::string database;
  bool tlsRequired =
      false;          ///< refuse a server without TLS, and one whose certificate is not trusted or has another name
  std::string tlsCa;  ///< PEM file
  unsigned connectTimeoutS = 5, readTimeoutS = 10, writeTimeoutS = 10;
};
[[nodiscard]] Result<std::unique_ptr<Connection>> openMysql(const MysqlOptions& options);

/// The statements of a script, without their delimiters and without comments in front of them. Knows strings, quoted
/// names, comments, `DELIMITER` lines (as the mariadb client reads them) and, for SQLite, the body of CREATE TRIGGER.
[[nodiscard]] std::vector<std::string> splitScript(std::string_view script, Dialect dialect);

}  // namespace mailzone::sql
