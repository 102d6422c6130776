// The SQL accounts of MariaDB and MySQL and what each may do. Internal to tenantdb.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "tenantdb/migrator.h"

namespace mailzone::tenantdb {

/// Owns triggers, views and procedures; locked, so that nobody logs in as it and nobody has a reason to drop it.
inline constexpr std::string_view kDefiner = "'mailzone_definer'@'localhost'";

/// Makes the definer, gives it its rights on this database, and tries (and takes back) what the migrations need: the
/// Error names the privilege that the current account lacks.
[[nodiscard]] Result<void> prepareDefiner(sql::Connection& connection);
/// Makes the account or sets its password, takes away what it had on this database and grants what its role needs.
[[nodiscard]] Result<void> grantRole(sql::Connection& connection, const RoleAccount& account);
/// What is wrong with definer, triggers and privileges.
[[nodiscard]] Result<std::vector<Finding>> checkDefiner(sql::Connection& connection);

}  // namespace mailzone::tenantdb
