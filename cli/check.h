// What is wrong with the database: the checks of tenantdb, and every row through zonegen.
#pragma once

#include <vector>

#include "core/result.h"
#include "system/sql.h"
#include "tenantdb/migrator.h"

namespace mailzone::cli {

/// Each bad row once.
[[nodiscard]] Result<std::vector<tenantdb::Finding>> checkEverything(sql::Connection& connection);

}  // namespace mailzone::cli
