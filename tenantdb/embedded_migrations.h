// The files of tenantdb/migrations, as the build embeds them (embed_migrations.cmake).
#pragma once

#include <string_view>
#include <vector>

#include "tenantdb/migrator.h"

namespace mailzone::tenantdb {

[[nodiscard]] const std::vector<Migration>& sqliteMigrations();
[[nodiscard]] const std::vector<Migration>& mysqlMigrations();
/// The statements for the attached file of secrets; harmless when run again.
[[nodiscard]] std::string_view sqliteSecretsScript() noexcept;

}  // namespace mailzone::tenantdb
