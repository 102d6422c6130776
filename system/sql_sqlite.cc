// SQLite behind sql::Connection.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>

#include "system/sql.h"

namespace mailzone::sql {
namespace {

constexpr std::size_t kMostStatementsKept = 256;

Errc codeOf(int extended, std::string_view message) noexcept {
  switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
    case SQLITE_CONSTRAINT_FOREIGNKEY:
      return Errc::conflict;
    default:
      break;
  }
  switch (extended & 0xff) {
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
      return Errc::invalidInput;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
      return Errc::temporary;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Errc::forbidden;
    case SQLITE_CANTOPEN:
      return Errc::unavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Errc::corrupt;
    case SQLITE_IOERR:
    case SQLITE_FULL:
      return Errc::io;
    case SQLITE_TOOBIG:
      return Errc::limitExceeded;
    case SQLITE_ERROR:
      // There is no code of their own for these.
      if (message.starts_with("no such table") || message.starts_with("no such column") ||
          message.find("has no column named") != std::string_view::npos) {
        return Errc::schemaVersion;
      }
      return Errc::internal;
    default:
      return Errc::internal;
  }
}

std::string remedyFor(Errc code) {
  switch (code) {
    case Errc::temporary:
      return "another writer holds the database: try again";
    case Errc::forbidden:
      return "this user may not write the database file or its folder";
    case Errc::schemaVersion:
      return "run `mailzone db migrate`";
    case Errc::corrupt:
      return "restore the file from a backup";
    default:
      return "";
  }
}

class SqliteRow final : public Row {
 public:
  explicit SqliteRow(sqlite3_stmt* statement) : statement_(statement) {}
  std::size_t size() const noexcept override { return static_cast<std::size_t>(sqlite3_column_count(statement_)); }
  bool isNull(std::size_t column) const override {
    return sqlite3_column_type(statement_, static_cast<int>(column)) == SQLITE_NULL;
  }
  std::string text(std::size_t column) const override {
    const int index = static_cast<int>(column);
    // Text also of a number; a BLOB's octets as they are.
    const void* octets = sqlite3_column_type(statement_, index) == SQLITE_BLOB
                             ? sqlite3_column_blob(statement_, index)
                             : static_cast<const void*>(sqlite3_column_text(statement_, index));
    if (octets == nullptr) return "";
    return {static_cast<const char*>(octets), static_cast<std::size_t>(sqlite3_column_bytes(statement_, index))};
  }
  Result<std::int64_t> integer(std::size_t column) const override {
    const int index = static_cast<int>(column);
    if (sqlite3_column_type(statement_, index) == SQLITE_INTEGER) return sqlite3_column_int64(statement_, index);
    const std::string value = text(column);
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (isNull(column) || error != std::errc{} || end != value.data() + value.size()) {
      return fail(Errc::invalidInput, value, "the column does not hold a whole number");
    }
    return number;
  }

 private:
  sqlite3_stmt* statement_;
};

class SqliteConnection final : public Connection {
 public:
  SqliteConnection() = default;
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;
  ~SqliteConnection() override {
    dropStatements();
    sqlite3_close_v2(database_);
  }

  Result<void> open(const SqliteOptions& options);

  Dialect dialect() const noexcept override { return Dialect::sqlite; }

  Result<Outcome> execute(std::string_view statement, std::span<const Value> values) override {
    const auto run = query(statement, values, [](const Row&) { return true; });
    if (!run) return pass(run);
    return Outcome{static_cast<std::uint64_t>(sqlite3_changes64(database_)), sqlite3_last_insert_rowid(database_)};
  }

  Result<void> query(std::string_view statement, std::span<const Value> values,
                     const std::function<bool(const Row&)>& onRow) override {
    auto prepared = prepare(statement, values);
    if (!prepared) return pass(prepared);
    struct Reset {
      sqlite3_stmt* statement;
      ~Reset() {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
      }
    } reset{*prepared};
    const SqliteRow row(*prepared);
    for (;;) {
      const int code = sqlite3_step(*prepared);
      if (code == SQLITE_DONE) return {};
      if (code != SQLITE_ROW) return failure(statement);
      if (!onRow(row)) return {};
    }
  }

  Result<void> script(std::string_view statements) override {
    if (sqlite3_exec(database_, std::string(statements).c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
      return failure({});
    }
    return {};
  }

  Result<void> begin() override { return script("BEGIN IMMEDIATE"); }
  Result<void> commit() override { return script("COMMIT"); }
  void rollback() noexcept override {
    if (inTransaction()) sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  bool inTransaction() const noexcept override { return sqlite3_get_autocommit(database_) == 0; }

  Result<std::optional<std::int64_t>> dataVersion() override {
    std::optional<std::int64_t> version;
    Result<void> read;
    const auto asked = query("PRAGMA data_version", {}, [&](const Row& row) {
      const auto number = row.integer(0);
      if (number) version = *number;
      return true;
    });
    if (!asked) return pass(asked);
    return version;
  }

 private:
  tl::unexpected<Error> failure(std::string_view statement) const {
    const std::string message = sqlite3_errmsg(database_);
    const Errc code = codeOf(sqlite3_extended_errcode(database_), message);
    const bool ours = code == Errc::internal || code == Errc::schemaVersion;
    return fail(code, ours ? statement : std::string_view{}, message, remedyFor(code));
  }

  Result<sqlite3_stmt*> prepare(std::string_view text, std::span<const Value> values) {
    auto found = statements_.find(text);
    if (found == statements_.end()) {
      if (statements_.size() >= kMostStatementsKept) dropStatements();
      sqlite3_stmt* statement = nullptr;
      const char* rest = nullptr;
      if (sqlite3_prepare_v3(database_, text.data(), static_cast<int>(text.size()), SQLITE_PREPARE_PERSISTENT,
                             &statement, &rest) != SQLITE_OK) {
        return failure(text);
      }
      found = statements_.emplace(std::string(text), statement).first;
    }
    sqlite3_stmt* statement = found->second;
    if (statement == nullptr) return fail(Errc::internal, text, "there is no statement in this text");
    if (sqlite3_stmt_busy(statement) != 0) return fail(Errc::internal, text, "this statement is still being read");
    if (static_cast<std::size_t>(sqlite3_bind_parameter_count(statement)) != values.size()) {
      return fail(Errc::internal, text, "the number of values is not the number of placeholders");
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (bind(statement, static_cast<int>(i) + 1, values[i]) != SQLITE_OK) return failure(text);
    }
    return statement;
  }

  static int bind(sqlite3_stmt* statement, int index, const Value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) return sqlite3_bind_int64(statement, index, *number);
    if (const auto* text = std::get_if<std::string>(&value)) {
      // SQLITE_TRANSIENT is a cast of -1; the value outlives the statement's run, so STATIC (null) is right.
      return sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
    }
    return sqlite3_bind_null(statement, index);
  }

  void dropStatements() noexcept {
    for (const auto& [text, statement] : statements_) sqlite3_finalize(statement);
    statements_.clear();
  }

  sqlite3* database_ = nullptr;
  std::map<std::string, sqlite3_stmt*, std::less<>> statements_;
};

/// The secrets file is made with mode 0600, whatever the umask; SQLite gives its -wal and -shm the same mode.
Result<void> prepareSecretsFile(const std::string& path, bool create) {
  if (create) {
    const int made = ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (made >= 0) {
      ::close(made);
    } else if (errno != EEXIST) {
      return fail(Errc::unavailable, path, std::string("cannot make the secrets file: ") + std::strerror(errno));
    }
  }
  struct stat state {};
  if (::stat(path.c_str(), &state) != 0) {
    return fail(Errc::unavailable, path, std::string("cannot open the secrets file: ") + std::strerror(errno),
                "run `mailzone db migrate` as the user of the secrets");
  }
  if ((state.st_mode & 077U) != 0) {
    return fail(Errc::settings, path, "the secrets file is open to other users", "chmod 0600 it");
  }
  return {};
}

Result<void> SqliteConnection::open(const SqliteOptions& options) {
  const int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | (options.create ? SQLITE_OPEN_CREATE : 0);
  if (sqlite3_open_v2(options.path.c_str(), &database_, flags, nullptr) != SQLITE_OK) {
    return fail(Errc::unavailable, options.path, std::string("cannot open the database: ") + sqlite3_errmsg(database_),
                options.create ? "check the folder and its permissions" : "run `mailzone db migrate` first");
  }
  sqlite3_busy_timeout(database_, options.busyTimeoutMs);
  if (auto set = script("PRAGMA foreign_keys=ON; PRAGMA recursive_triggers=ON; PRAGMA trusted_schema=OFF;"); !set) {
    return set;
  }
  if (sqlite3_db_readonly(database_, "main") == 0) {
    if (auto set = script("PRAGMA journal_mode=WAL"); !set) return set;
  }
  if (options.secretsPath.empty()) return {};
  if (auto ready = prepareSecretsFile(options.secretsPath, options.create); !ready) return ready;
  const Value path[] = {options.secretsPath};
  if (auto attached = query("ATTACH DATABASE ? AS secret", path, [](const Row&) { return true; }); !attached) {
    return fail(Errc::unavailable, options.secretsPath, "cannot open the secrets file: " + attached.error().rule);
  }
  return script("PRAGMA secret.journal_mode=WAL");
}

}  // namespace

Result<std::unique_ptr<Connection>> openSqlite(const SqliteOptions& options) {
  auto connection = std::make_unique<SqliteConnection>();
  if (auto opened = connection->open(options); !opened) return pass(opened);
  return connection;
}

}  // namespace mailzone::sql
