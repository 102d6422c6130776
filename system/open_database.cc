// Settings become a connection. Apart from settings.cc, so that what only reads settings links no database client.
#include <utility>

#include "system/settings.h"

namespace mailzone {
namespace {

const Settings::Role& accountOf(const Settings::Database& database, SqlRole role) noexcept {
  switch (role) {
    case SqlRole::admin:
      return database.admin;
    case SqlRole::dns:
      return database.dns;
    case SqlRole::keys:
      return database.keys;
    case SqlRole::sign:
      return database.sign;
    case SqlRole::mta:
      return database.mta;
    case SqlRole::app:
      return database.app;
  }
  return database.app;
}

}  // namespace

Result<std::unique_ptr<sql::Connection>> openDatabase(const Settings& settings, SqlRole role) {
  const auto& database = settings.database;
  if (database.engine == "sqlite") {
    sql::SqliteOptions options;
    options.path = database.path;
    if (role == SqlRole::keys || role == SqlRole::admin) options.secretsPath = database.secretsPath;
    return sql::openSqlite(options);
  }
  const Settings::Role& account = accountOf(database, role);
  sql::MysqlOptions options;
  options.host = database.host;
  options.port = static_cast<std::uint16_t>(database.port);
  options.unixSocket = database.unixSocket;
  options.user = account.user;
  options.database = database.name;
  options.tlsRequired = database.tlsRequired && database.unixSocket.empty();  // a unix socket has no name to check
  options.tlsCa = database.tlsCa;
  if (!account.passwordFile.empty()) {
    auto password = readPassword(account);
    if (!password) return pass(password);
    options.password = std::move(*password);
  }
  return sql::openMysql(options);
}

}  // namespace mailzone
