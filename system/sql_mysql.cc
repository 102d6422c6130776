// MariaDB and MySQL behind sql::Connection, over the C API of libmysqlclient (Debian: libmariadb).
#include <mysql.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <deque>
#include <map>

#include "system/sql.h"

namespace mailzone::sql {
namespace {

constexpr std::size_t kMostStatementsKept = 256;
constexpr std::size_t kColumnBuffer = 256;  // longer values are fetched apart, by their length
constexpr unsigned kPreparedAgain = 1615;   // the table changed more often than the server cared to prepare again

Errc codeOf(unsigned number) noexcept {
  switch (number) {
    case 1022:
    case 1062:  // duplicate key
    case 1216:
    case 1217:
    case 1451:  // foreign key
    case 1452:
    case 1761:
    case 1586:
      return Errc::conflict;
    case 1048:  // NOT NULL
    case 1264:  // out of range
    case 1265:  // data truncated: an ENUM's or a number's word
    case 1267:  // octets that are no ASCII against a name column
    case 1292:
    case 1364:  // no default
    case 1366:
    case 1406:  // too long
    case 1644:  // SIGNAL of a trigger
    case 3819:  // CHECK, MySQL
    case 3988:
    case 4025:  // CHECK, MariaDB
      return Errc::invalidInput;
    case 1205:  // lock wait
    case 1213:  // deadlock
    case 1020:
    case 1040:  // too many connections
    case 1047:  // Galera: not prepared for use
    case 1180:
    case 1203:
    case 1226:
    case 1317:  // interrupted
    case 1637:
    case 1969:  // max_statement_time
    case 3024:
      return Errc::temporary;
    case 1044:
    case 1045:
    case 1142:
    case 1143:
    case 1227:
    case 1290:  // read-only server
    case 1370:
    case 1419:  // log_bin_trust_function_creators
    case 1449:  // the definer does not exist
    case 1698:
    case 1792:
    case 1836:
    case 4151:  // locked account
    case 3118:
      return Errc::forbidden;
    case 1049:  // unknown database
    case 1051:
    case 1054:
    case 1109:
    case 1146:
    case 1305:
      return Errc::schemaVersion;
    case 1053:  // shutdown in progress
    case 1158:
    case 1159:
    case 1160:
    case 1161:
    case 1927:  // connection killed
      return Errc::unavailable;
    default:
      return number >= 2000 && number < 2100 && number != 2014 ? Errc::unavailable : Errc::internal;
  }
}

std::string remedyFor(unsigned number, Errc code) {
  switch (number) {
    case 1049:
      return "create the database, then run `mailzone db migrate`";
    case 1449:
      return "run `mailzone db check`: the account that owns triggers and views is missing";
    case 1419:
      return "grant SUPER to the migrating account, or set log_bin_trust_function_creators = 1";
    case 2026:
      return "the server must speak TLS with a certificate that tls_ca signs and that bears the host's name";
    default:
      break;
  }
  switch (code) {
    case Errc::temporary:
      return "try again";
    case Errc::schemaVersion:
      return "run `mailzone db migrate`";
    case Errc::unavailable:
      return "check that the server runs and can be reached";
    case Errc::forbidden:
      return "check the account's password and grants";
    default:
      return "";
  }
}

tl::unexpected<Error> failure(unsigned number, std::string_view message, std::string_view statement) {
  const Errc code = codeOf(number);
  const bool ours = code == Errc::internal || code == Errc::schemaVersion;
  return fail(code, ours ? statement : std::string_view{}, std::string(message) + " (" + std::to_string(number) + ")",
              remedyFor(number, code));
}

/// The columns of the row that was fetched last: each in a small buffer, and whole in `long_` where that is too small.
class MysqlRow final : public Row {
 public:
  MysqlRow(MYSQL_STMT* statement, unsigned columns) : statement_(statement), cells_(columns), binds_(columns) {
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      MYSQL_BIND& bind = binds_[i];
      std::memset(&bind, 0, sizeof(bind));
      bind.buffer_type = MYSQL_TYPE_STRING;  // the client library prints numbers and times
      bind.buffer = cells_[i].octets.data();
      bind.buffer_length = cells_[i].octets.size();
      bind.length = &cells_[i].length;
      bind.is_null = &cells_[i].isNull;
      bind.error = &cells_[i].truncated;
    }
  }
  bool bind() { return mysql_stmt_bind_result(statement_, binds_.data()) == 0; }

  std::size_t size() const noexcept override { return cells_.size(); }
  bool isNull(std::size_t column) const override { return cells_.at(column).isNull != 0; }
  std::string text(std::size_t column) const override {
    const Cell& cell = cells_.at(column);
    if (cell.isNull != 0) return "";
    if (cell.length <= cell.octets.size()) return {cell.octets.data(), cell.length};
    std::string whole(cell.length, '\0');
    MYSQL_BIND bind;
    std::memset(&bind, 0, sizeof(bind));
    unsigned long length = 0;
    bind.buffer_type = MYSQL_TYPE_STRING;
    bind.buffer = whole.data();
    bind.buffer_length = whole.size();
    bind.length = &length;
    if (mysql_stmt_fetch_column(statement_, &bind, static_cast<unsigned>(column), 0) != 0) return "";
    return whole;
  }
  Result<std::int64_t> integer(std::size_t column) const override {
    const std::string value = text(column);
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (isNull(column) || error != std::errc{} || end != value.data() + value.size()) {
      return fail(Errc::invalidInput, value, "the column does not hold a whole number");
    }
    return number;
  }

 private:
  struct Cell {
    std::array<char, kColumnBuffer> octets{};
    unsigned long length = 0;
    my_bool isNull = 0;
    my_bool truncated = 0;
  };
  MYSQL_STMT* statement_;
  std::vector<Cell> cells_;
  std::vector<MYSQL_BIND> binds_;
};

class MysqlConnection final : public Connection {
 public:
  MysqlConnection() : handle_(mysql_init(nullptr)) {}
  MysqlConnection(const MysqlConnection&) = delete;
  MysqlConnection& operator=(const MysqlConnection&) = delete;
  ~MysqlConnection() override {
    dropStatements();
    if (handle_ != nullptr) mysql_close(handle_);
  }

  Result<void> open(const MysqlOptions& options);

  Dialect dialect() const noexcept override { return Dialect::mysql; }

  Result<Outcome> execute(std::string_view statement, std::span<const Value> values) override {
    MYSQL_STMT* ran = nullptr;
    Outcome outcome;
    const auto done = run(statement, values, [&](MYSQL_STMT* prepared) -> Result<void> {
      ran = prepared;
      outcome.affectedRows = mysql_stmt_affected_rows(prepared);
      outcome.lastInsertId = static_cast<std::int64_t>(mysql_stmt_insert_id(prepared));
      return {};
    });
    if (!done) return pass(done);
    return outcome;
  }

  Result<void> query(std::string_view statement, std::span<const Value> values,
                     const std::function<bool(const Row&)>& onRow) override {
    return run(statement, values, [&](MYSQL_STMT* prepared) -> Result<void> {
      const unsigned columns = mysql_stmt_field_count(prepared);
      if (columns == 0) return {};
      MysqlRow row(prepared, columns);
      if (!row.bind()) return statementFailure(prepared, statement);
      // Not stored: each row comes off the wire as it is asked for.
      for (;;) {
        const int code = mysql_stmt_fetch(prepared);
        if (code == MYSQL_NO_DATA) return {};
        if (code != 0 && code != MYSQL_DATA_TRUNCATED) return statementFailure(prepared, statement);
        if (!onRow(row)) return {};
      }
    });
  }

  Result<void> script(std::string_view statements) override {
    for (const auto& statement : splitScript(statements, Dialect::mysql)) {
      if (auto ran = runText(statement); !ran) return ran;
    }
    dropStatements();  // they may be of tables that are others now
    return {};
  }

  Result<void> begin() override {
    auto begun = runText("START TRANSACTION");
    open_ = begun.has_value();
    return begun;
  }
  Result<void> commit() override {
    open_ = false;
    return runText("COMMIT");
  }
  void rollback() noexcept override {
    if (open_) mysql_rollback(handle_);
    open_ = false;
  }
  bool inTransaction() const noexcept override { return open_; }

  Result<std::optional<std::int64_t>> dataVersion() override { return std::nullopt; }

 private:
  Result<void> runText(std::string_view statement) {
    if (mysql_real_query(handle_, statement.data(), statement.size()) != 0) {
      return failure(mysql_errno(handle_), mysql_error(handle_), statement);
    }
    for (;;) {
      if (MYSQL_RES* rows = mysql_use_result(handle_); rows != nullptr) {
        while (mysql_fetch_row(rows) != nullptr) {
        }
        mysql_free_result(rows);
      }
      const int more = mysql_next_result(handle_);
      if (more > 0) return failure(mysql_errno(handle_), mysql_error(handle_), statement);
      if (more < 0) return {};
    }
  }

  static tl::unexpected<Error> statementFailure(MYSQL_STMT* prepared, std::string_view statement) {
    return failure(mysql_stmt_errno(prepared), mysql_stmt_error(prepared), statement);
  }

  /// Executes and hands the statement to `read`; reads away whatever of its results is left.
  Result<void> run(std::string_view statement, std::span<const Value> values,
                   const std::function<Result<void>(MYSQL_STMT*)>& read) {
    auto prepared = prepare(statement);
    if (!prepared) return pass(prepared);
    auto executed = send(*prepared, statement, values);
    if (!executed && mysql_stmt_errno(*prepared) == kPreparedAgain) {
      dropStatements();
      prepared = prepare(statement);
      if (!prepared) return pass(prepared);
      executed = send(*prepared, statement, values);
    }
    if (!executed) return executed;
    const auto done = read(*prepared);
    mysql_stmt_free_result(*prepared);
    // A CALL is followed by one more result, its status.
    int more = 0;
    while ((more = mysql_stmt_next_result(*prepared)) == 0) mysql_stmt_free_result(*prepared);
    if (done && more > 0) return statementFailure(*prepared, statement);
    return done;
  }

  static Result<void> send(MYSQL_STMT* prepared, std::string_view statement, std::span<const Value> values) {
    if (mysql_stmt_param_count(prepared) != values.size()) {
      return fail(Errc::internal, statement, "the number of values is not the number of placeholders");
    }
    std::vector<MYSQL_BIND> binds(values.size());
    std::deque<unsigned long> lengths;
    std::deque<std::int64_t> numbers;
    for (std::size_t i = 0; i < values.size(); ++i) {
      MYSQL_BIND& bind = binds[i];
      std::memset(&bind, 0, sizeof(bind));
      if (const auto* number = std::get_if<std::int64_t>(&values[i])) {
        bind.buffer_type = MYSQL_TYPE_LONGLONG;
        bind.buffer = &numbers.emplace_back(*number);
      } else if (const auto* text = std::get_if<std::string>(&values[i])) {
        bind.buffer_type = MYSQL_TYPE_STRING;
        bind.buffer = const_cast<char*>(text->data());  // the C API reads it only
        bind.buffer_length = text->size();
        bind.length = &lengths.emplace_back(text->size());
      } else {
        bind.buffer_type = MYSQL_TYPE_NULL;
      }
    }
    if (!binds.empty() && mysql_stmt_bind_param(prepared, binds.data()) != 0) {
      return statementFailure(prepared, statement);
    }
    if (mysql_stmt_execute(prepared) != 0) return statementFailure(prepared, statement);
    return {};
  }

  Result<MYSQL_STMT*> prepare(std::string_view text) {
    if (const auto found = statements_.find(text); found != statements_.end()) return found->second;
    if (statements_.size() >= kMostStatementsKept) dropStatements();
    MYSQL_STMT* statement = mysql_stmt_init(handle_);
    if (statement == nullptr) return fail(Errc::internal, "", "no memory for a statement");
    if (mysql_stmt_prepare(statement, text.data(), text.size()) != 0) {
      const auto failed = statementFailure(statement, text);
      mysql_stmt_close(statement);
      return failed;
    }
    statements_.emplace(std::string(text), statement);
    return statement;
  }

  void dropStatements() noexcept {
    for (const auto& [text, statement] : statements_) mysql_stmt_close(statement);
    statements_.clear();
  }

  MYSQL* handle_;
  bool open_ = false;
  std::map<std::string, MYSQL_STMT*, std::less<>> statements_;
};

// Loose modes would turn a wrong word into '' with a warning; the session's zone is what CURRENT_TIMESTAMP means.
constexpr const char* kSession =
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', "
    "time_zone = '+00:00', transaction_isolation = 'READ-COMMITTED'";
constexpr const char* kSessionMariadb =
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', "
    "time_zone = '+00:00', tx_isolation = 'READ-COMMITTED'";

Result<void> MysqlConnection::open(const MysqlOptions& options) {
  if (handle_ == nullptr) return fail(Errc::internal, "", "no memory for a connection");
  const bool local = !options.unixSocket.empty();
  mysql_options(handle_, MYSQL_OPT_CONNECT_TIMEOUT, &options.connectTimeoutS);
  mysql_options(handle_, MYSQL_OPT_READ_TIMEOUT, &options.readTimeoutS);
  mysql_options(handle_, MYSQL_OPT_WRITE_TIMEOUT, &options.writeTimeoutS);
  mysql_options(handle_, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  const unsigned no = 0;
  mysql_options(handle_, MYSQL_OPT_LOCAL_INFILE, &no);  // a server must not ask for this machine's files
  // A unix socket does not leave the machine.
  if (options.tlsRequired && !local) {
    if (options.tlsCa.empty()) {
      return fail(Errc::settings, options.host, "TLS is required, but no certificate authority is named",
                  "set database.tls_ca to a PEM file");
    }
    const my_bool yes = 1;
    mysql_options(handle_, MYSQL_OPT_SSL_ENFORCE, &yes);
    mysql_options(handle_, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    mysql_options(handle_, MYSQL_OPT_SSL_CA, options.tlsCa.c_str());
  }
  // CLIENT_FOUND_ROWS: affected rows are those that matched, as in SQLite, not those whose values became others.
  const std::string where = local ? options.unixSocket : options.host + ":" + std::to_string(options.port);
  if (mysql_real_connect(handle_, local ? "localhost" : options.host.c_str(), options.user.c_str(),
                         std::string(options.password.reveal()).c_str(),
                         options.database.empty() ? nullptr : options.database.c_str(), local ? 0 : options.port,
                         local ? options.unixSocket.c_str() : nullptr,
                         CLIENT_MULTI_RESULTS | CLIENT_FOUND_ROWS) == nullptr) {
    const unsigned number = mysql_errno(handle_);
    return fail(codeOf(number), where, std::string(mysql_error(handle_)) + " (" + std::to_string(number) + ")",
                remedyFor(number, codeOf(number)));
  }
  if (options.tlsRequired && !local && mysql_get_ssl_cipher(handle_) == nullptr) {
    return fail(Errc::unavailable, where, "the connection is not encrypted although TLS is required",
                remedyFor(2026, Errc::unavailable));
  }
  const bool mariadb = mariadb_connection(handle_) != 0;
  return runText(mariadb ? kSessionMariadb : kSession);
}

}  // namespace

Result<std::unique_ptr<Connection>> openMysql(const MysqlOptions& options) {
  auto connection = std::make_unique<MysqlConnection>();
  if (auto opened = connection->open(options); !opened) return pass(opened);
  return connection;
}

}  // namespace mailzone::sql
