#include "tests/support/temporary_sqlite.h"

#include <stdexcept>

#include "tenantdb/migrator.h"

namespace mailzone::test {

TemporarySqlite::TemporarySqlite(bool migrated) {
  auto made = sql::openSqlite({path(), secretsPath(), true, 5000});
  if (!made) throw std::runtime_error(describe(made.error()));
  if (!migrated) return;
  if (const auto applied = tenantdb::Migrator(**made).apply(); !applied) {
    throw std::runtime_error(describe(applied.error()));
  }
}

std::unique_ptr<sql::Connection> TemporarySqlite::connect(bool withSecrets) const {
  auto connection = sql::openSqlite({path(), withSecrets ? secretsPath() : "", false, 5000});
  if (!connection) throw std::runtime_error(describe(connection.error()));
  return std::move(*connection);
}

}  // namespace mailzone::test
